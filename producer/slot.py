"""Room for one frame between the thread that captures and the thread that publishes."""

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Slot(Generic[Item]):
    """Holds one item. A newer one replaces what nobody took, so neither side waits for the other
    and nothing grows; or the giving side waits until one is wanted, where it can."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._wanted = False
        self._closed = False

    def put(self, item: Item) -> bool:
        """Leave an item; True where it replaced one that nobody took."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify_all()
            return replaced

    def take(self, timeout_s: float) -> Item | None:
        """The item, waiting for it; None where none came in time or none will come any more."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            if item is not None:
                self._wanted = False
            return item

    def wait_until_wanted(self, timeout_s: float) -> bool:
        """Whether somebody waits for an item and has none."""
        with self._changed:
            return self._changed.wait_for(lambda: self._wanted and self._item is None, timeout_s)

    def close(self) -> None:
        """No item comes after the one that may be there."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Closed, and the last item taken."""
        with self._changed:
            return self._closed and self._item is None
