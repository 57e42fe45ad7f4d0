"""Work in a thread beside what is measured."""

import threading
from collections.abc import Callable


class Background:
    """Runs `work` in a thread, which is given the event that ends it."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._work = work
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        # A daemon: if the benchmark fails, it may never be asked to end.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """False once it has ended or failed."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Ask it to end, wait, and raise its error: a thread cannot raise to its caller."""
        self._stop.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work(self._stop)
        except BaseException as error:
            self._failure = error
