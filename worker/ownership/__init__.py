"""Decides which cameras this worker owns: leases, and the assignment of cameras to workers."""
