"""Cameras into frames streams."""
