"""Memory that a training process frees stays in the process, in a process of its own."""

import subprocess
import sys

import pytest

MEASURE = """
import resource
import numpy as np
from training.memory import keep_freed_memory
if {kept}:
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(16 * 2**20, np.float32)  # 64 MB, as an activation
before = faults()
for _ in range(20):
    np.ones(16 * 2**20, np.float32)
print(faults() - before)
"""


def page_faults(kept: bool) -> int:
    """Return how often twenty tensors got memory from the kernel, after a first one."""
    code = MEASURE.format(kept=kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_a_large_tensor_gets_the_memory_of_the_one_before() -> None:
    assert page_faults(kept=True) < page_faults(kept=False) / 4
