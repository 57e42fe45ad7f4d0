"""`emotion-streams training`: the commands that train, score and release models."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main())
