"""Cameras into frames streams: a supervisor, and a process per camera that reads and publishes."""
