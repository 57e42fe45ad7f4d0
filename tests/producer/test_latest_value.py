"""LatestValue: the mailbox between capture and publisher."""

import threading

from producer.latest_value import LatestValue
from tests.servers import PATIENCE_S


def test_newest_item_replaces_the_older_one_and_put_reports_it() -> None:
    mailbox: LatestValue[int] = LatestValue()
    assert not mailbox.put(1)
    assert mailbox.put(2)
    assert mailbox.take(0) == 2
    assert mailbox.take(0) is None


def test_closed_mailbox_is_finished_after_its_last_item_was_taken() -> None:
    mailbox: LatestValue[int] = LatestValue()
    mailbox.put(1)
    mailbox.close()
    assert not mailbox.finished
    assert mailbox.take(0) == 1
    assert mailbox.finished
    assert mailbox.take(float("inf")) is None


def test_wait_for_demand_returns_when_a_consumer_waits() -> None:
    mailbox: LatestValue[int] = LatestValue()
    assert not mailbox.wait_for_demand(0)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take(PATIENCE_S)))
    taker.start()
    assert mailbox.wait_for_demand(PATIENCE_S)
    mailbox.put(7)
    taker.join()
    assert taken == [7]
    assert not mailbox.wait_for_demand(0)
