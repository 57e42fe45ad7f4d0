"""Tests of what the processes share."""
