"""The slot between capture and publisher."""

import threading
import time

from producer.slot import Slot


def test_the_newest_wins_and_what_it_replaced_is_told() -> None:
    slot: Slot[int] = Slot()
    assert not slot.put(1)
    assert slot.put(2)
    assert slot.take(0) == 2
    assert slot.take(0) is None


def test_the_last_item_is_taken_before_the_slot_is_finished() -> None:
    slot: Slot[int] = Slot()
    slot.put(1)
    slot.close()
    assert not slot.finished
    assert slot.take(0) == 1
    assert slot.finished
    started = time.monotonic()
    assert slot.take(30) is None
    assert time.monotonic() - started < 10


def test_a_giver_may_wait_until_an_item_is_wanted() -> None:
    slot: Slot[int] = Slot()
    assert not slot.wait_until_wanted(0)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(slot.take(10)))
    taker.start()
    assert slot.wait_until_wanted(10)
    slot.put(7)
    taker.join()
    assert taken == [7]
    assert not slot.wait_until_wanted(0)
