"""A mailbox for one frame between the capture thread and the publishing thread."""

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestValue(Generic[Item]):
    """Mailbox that holds at most one item.

    A newer item replaces an item that was not taken. So neither side waits for the other, and
    memory is bounded. A producer that can wait may use `wait_for_demand` before each item.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._demand = False
        self._closed = False

    def put(self, item: Item) -> bool:
        """Store an item. Return True if it replaced an item that was not taken."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify_all()
            return replaced

    def take(self, timeout_s: float) -> Item | None:
        """Wait for the item and remove it. Return None on a timeout, or if closed and empty."""
        with self._changed:
            self._demand = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            if item is not None:
                self._demand = False
            return item

    def wait_for_demand(self, timeout_s: float) -> bool:
        """Wait until a consumer asks for an item and the mailbox is empty.

        Return False on a timeout.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._demand and self._item is None, timeout_s)

    def close(self) -> None:
        """Announce that no item follows. An item in the mailbox can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the mailbox is closed and its last item was taken."""
        with self._changed:
            return self._closed and self._item is None
