"""Frames in, events out, exactly once."""
