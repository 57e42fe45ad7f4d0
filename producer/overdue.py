"""Distinguishes a call that hangs from one that was not given the time to return."""


class OverdueCall:
    """For how long one call into a source has been overdue, counted in checks.

    A pause of the process, or of the machine, does not count: after it a call is overdue at once,
    and returns before the next check. `every_s`: the seconds between two checks.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._since_s: float | None = None
        self._checks = 0

    def check(self, since_s: float | None) -> float:
        """Return the seconds. `since_s`: when this call's limit was over; None if no call's is."""
        is_same = since_s is not None and since_s == self._since_s
        self._checks = self._checks + 1 if is_same else 0
        self._since_s = since_s
        return self._checks * self._every_s
