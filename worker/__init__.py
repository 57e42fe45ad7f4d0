"""Frames streams into emotions streams."""
