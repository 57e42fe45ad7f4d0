"""The command `emotion-streams`: run its processes, and show what is in Redis."""

from emotion_streams.cli.command import main

__all__ = ["main"]
