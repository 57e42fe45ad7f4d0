"""When a call into a source counts as hung."""

from producer.overdue import OverdueCall


def test_a_call_that_returns_soon_after_a_pause_was_never_overdue() -> None:
    call = OverdueCall(0.5)
    assert [call.check(since_s) for since_s in (None, 7.0, None, 9.0, 9.5)] == [0] * 5


def test_a_call_that_does_not_return_is_overdue_for_longer_with_each_check() -> None:
    call = OverdueCall(0.5)
    assert [call.check(7.0) for _ in range(4)] == [0, 0.5, 1.0, 1.5]
