"""Which cameras this worker owns: leases, and how workers share the cameras."""
