"""`python -m training`: labelled faces to a released model."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main())
