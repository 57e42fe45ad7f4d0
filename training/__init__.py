"""Labelled faces into a released model."""
