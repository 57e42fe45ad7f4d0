"""Work in a thread beside what is measured."""

import threading
from collections.abc import Callable


class Background:
    """Runs `work` in a thread, which is given the event that tells it to end."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._work = work
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        # A daemon: where the benchmark fails it may never be told to end.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """False once it has ended or failed."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Tell it to end, wait, and raise what it raised: a thread has nobody to raise to."""
        self._stop.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work(self._stop)
        except BaseException as error:
            self._failure = error
