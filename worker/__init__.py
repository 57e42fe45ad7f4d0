"""Turns streams of frames into streams of emotion events."""
