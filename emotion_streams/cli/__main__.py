"""`python -m emotion_streams.cli`."""

import sys

from emotion_streams.cli.command import main

sys.exit(main())
