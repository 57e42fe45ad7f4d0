"""Trains the emotion classifier: from labelled faces to a released model."""
