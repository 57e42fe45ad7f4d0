"""The search for how many cameras a machine holds, on simulated machines."""

from dataclasses import replace

import pytest

from deploy.capacity.budget import LEAST_FRAMES, Budget, first_cameras
from deploy.capacity.search import Found, most_cameras, search
from deploy.capacity.tries import Try
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER
from tests.deploy.capacity_samples import HELD, found_where, reported


def tried(found: Found) -> list[int]:
    return [each.cameras for each in found.tries]


async def test_the_search_doubles_until_it_is_too_much_and_bisects() -> None:
    found = await found_where(lambda cameras: cameras <= 11)
    assert tried(found) == [1, 2, 4, 8, 16, 12, 10, 11, 12]
    assert found.best is not None
    assert found.over is not None
    assert (found.best.cameras, found.over.cameras) == (11, 12)


async def test_the_search_goes_down_if_the_start_is_too_much() -> None:
    found = await found_where(lambda cameras: cameras <= 2, start=16)
    assert tried(found) == [16, 8, 4, 2, 3, 3]
    assert found.best is not None
    assert found.best.cameras == 2


async def test_a_machine_that_holds_not_even_one_camera_has_no_best_try() -> None:
    found = await found_where(lambda _: False, start=4)
    assert tried(found) == [4, 2, 1, 1]
    assert found.best is None
    assert found.over is not None
    assert found.over.cameras == 1


async def test_the_search_tries_no_more_than_the_most() -> None:
    assert tried(await found_where(lambda _: True, start=8, most=20)) == [8, 16, 20]
    found = await found_where(lambda _: True, start=8, most=3)
    assert tried(found) == [3]
    assert found.over is None


@pytest.mark.parametrize("capacity", range(0, 1024, 31))
async def test_the_search_ends_after_few_tries_within_five_percent_of_the_truth(
    capacity: int,
) -> None:
    found = await found_where(lambda cameras: cameras <= capacity, start=2)
    best = found.best.cameras if found.best else 0
    assert len(found.tries) <= 16
    assert capacity - max(1, 0.06 * capacity) <= best <= capacity


async def test_a_number_that_fails_by_chance_is_tried_again() -> None:
    failures = [8, 48]

    def holds(cameras: int) -> bool:
        if cameras in failures:
            failures.remove(cameras)
            return False
        return cameras <= 50

    found = await found_where(holds)
    assert found.best is not None
    assert 47 <= found.best.cameras <= 50
    assert not failures


class Overloadable:
    """A machine that ends so many frames a second, as a fluid does; it expires none."""

    def __init__(self, frames_per_s: float, seconds: float, limit_ms: float) -> None:
        self._most = frames_per_s
        self._seconds = seconds
        self._limit_ms = limit_ms

    async def __call__(self, cameras: int) -> Try:
        """The try with so many cameras of 5 frames/s, after two seconds in which it settled."""
        rate = 5.0 * cameras
        ended = min(rate, self._most)
        lag_ms = 1000 * (2 + self._seconds) * (1 - ended / rate)
        return replace(
            HELD,
            cameras=cameras,
            limit_ms=self._limit_ms,
            p99_ms=80 + lag_ms,
            stored=round(rate * self._seconds),
            ended=round(ended * self._seconds),
        )


@pytest.mark.parametrize("seconds", [5, 10])
@pytest.mark.parametrize("limit_ms", [1000, 5000])
async def test_overload_that_a_short_try_hardly_delays_is_not_held(
    seconds: float, limit_ms: float
) -> None:
    found = await search(Overloadable(1000, seconds, limit_ms), start=2, most=400)
    assert found.best is not None
    assert 190 <= found.best.cameras <= 202


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def found_in(minutes: float, capacity: int, *, fps: float = 5.0) -> tuple[Found, float]:
    """The result where a try takes four seconds besides its window, and the seconds it took."""
    clock = Clock()
    budget = Budget(minutes, fps=fps, seconds=10.0, clock=clock)

    async def measure(cameras: int) -> Try:
        took_s = budget.window_s(cameras) + 4.0
        clock.now_s += took_s
        budget.observe(cameras, took_s)
        return replace(HELD, cameras=cameras, p99_ms=80 if cameras <= capacity else 2000)

    found = await search(measure, first_cameras(2, fps, 10.0), 400, budget.allows)
    return found, clock.now_s - 1000.0


@pytest.mark.parametrize("capacity", [0, 1, 2, 11, 50, 90, 160, 250, 399, 400])
async def test_a_default_search_ends_within_four_minutes(capacity: int) -> None:
    found, took_s = await found_in(4.0, capacity)
    assert took_s < 234
    best = found.best.cameras if found.best else 0
    assert capacity - max(1, 0.06 * capacity) <= best <= capacity


async def test_a_search_whose_time_is_over_says_what_it_knows() -> None:
    found, took_s = await found_in(1.5, capacity=50)
    assert took_s < 90
    assert found.time_was_over
    assert found.best is not None
    text = reported(found)
    assert text.startswith(f"{found.best.cameras} cameras of 2 faces")
    assert "The time was over before the answer was exact (--minutes allows more)." in text
    assert "Limited by the time of this command" in text


async def test_a_search_that_had_no_time_for_few_cameras_does_not_say_that_none_are_held() -> None:
    found, _ = await found_in(4.0, capacity=3, fps=0.05)
    assert (found.best, found.time_was_over) == (None, True)
    text = reported(found)
    assert text.startswith("No number of cameras of 2 faces")
    assert f"{found.tries[-1].cameras} are too many" in text
    assert "Not even one" not in text


async def test_every_try_has_a_hundred_frames_at_least() -> None:
    for fps in (0.05, 0.5, 5.0, 30.0):
        found, _ = await found_in(4.0, capacity=100, fps=fps)
        budget = Budget(4.0, fps=fps, seconds=10.0)
        assert found.tries
        for each in found.tries:
            assert each.cameras * fps * budget.window_s(each.cameras) >= LEAST_FRAMES - 1e-6


class OneWorker:
    """A worker with the admission of cameras that the real one has, on a machine with room."""

    def __init__(self) -> None:
        self._owned: set[str] = set()

    async def __call__(self, cameras: int) -> Try:
        """The try with so many cameras: of those that have no owner, the highest names get one."""
        names = {f"camera{number}" for number in range(cameras)}
        room = MAX_CAMERAS_PER_WORKER - len(self._owned)
        missing = sorted(names - self._owned, reverse=True)
        self._owned.update(missing[:room])
        return replace(HELD, cameras=cameras, owned=names <= self._owned)


@pytest.mark.parametrize("asked", [1024, 4096])
async def test_one_worker_is_not_given_more_cameras_than_it_owns(asked: int) -> None:
    found = await search(OneWorker(), start=2, most=most_cameras(asked, workers=1))
    assert found.best is not None
    assert found.best.cameras == MAX_CAMERAS_PER_WORKER
    assert "the workers, which own 400 cameras each" in reported(found, "--max-cameras", str(asked))


def test_several_workers_are_given_their_cameras_together() -> None:
    assert most_cameras(1024, workers=3) == 1024
    assert most_cameras(4096, workers=3) == 1200
    assert most_cameras(7, workers=3) == 7
