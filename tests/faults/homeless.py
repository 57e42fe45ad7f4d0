"""`python -m tests.faults.homeless`: a worker of a user without a home folder, as in containers
that run under an id of their own: no HOME, no entry in /etc/passwd."""

import os
import pwd
import sys
from typing import Never

from worker.__main__ import main


def _no_entry(uid: int) -> Never:
    raise KeyError(f"getpwuid(): uid not found: {uid}")


if __name__ == "__main__":
    for name in ("HOME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    pwd.getpwuid = _no_entry
    sys.exit(main())
