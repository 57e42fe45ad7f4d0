"""Mirrors the tree; faults/ breaks the real processes, benchmarks/ measures them."""
