"""Publish cameras to frames streams: one supervisor, and one capture process per camera."""
