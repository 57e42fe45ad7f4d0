"""What the tests' own process may not become: one that dies of a signal that Python ignores."""

import signal
import subprocess
import sys

from tests.deploy.processes import ROOT

CAUGHT = """
import tests.deploy.test_helm
kinds = [line for line in open("/proc/self/status") if line.startswith("SigCgt")]
print(int(kinds[0].split()[1], 16))
"""


def test_collecting_the_charts_tests_leaves_the_broken_pipe_ignored() -> None:
    done = subprocess.run([sys.executable, "-c", CAUGHT], cwd=ROOT, check=True, capture_output=True)
    assert not int(done.stdout) >> (signal.SIGPIPE - 1) & 1
