"""Benchmarks: `python -m tests.benchmarks NAME`, each one JSON line. Off in the test suite."""
