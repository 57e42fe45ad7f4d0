"""Emotions streams into HTTP: the live page, events by SSE and JSON."""
