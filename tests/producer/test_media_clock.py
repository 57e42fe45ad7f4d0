"""Places in a recording, by the timestamps of its frames."""

from producer.media_clock import MediaClock


def positions(*timestamps_s: float) -> list[int]:
    clock = MediaClock()
    return [clock.position_ms(each) for each in timestamps_s]


def test_a_position_is_the_timestamp_in_milliseconds() -> None:
    assert positions(0.0, 1 / 12, 2 / 12, 7200.5) == [0, 83, 167, 7_200_500]


def test_positions_never_go_back() -> None:
    assert positions(-0.5, 1.0, 0.4, 1.2) == [0, 1000, 1000, 1200]


def test_a_step_of_more_than_a_day_counts_as_a_second() -> None:
    day_s = 86_400
    assert positions(0.0, day_s, 1e9, 1e9 + 0.04) == [
        0, 1000 * day_s, 1000 * day_s + 1000, 1000 * day_s + 1040,
    ]  # fmt: skip
