"""Progress reports at intervals, for work whose steps may take milliseconds or minutes."""

from __future__ import annotations

import time
from collections.abc import Callable


class Sometimes:
    """Passes lines on to `report`, at most one every few `seconds`; the others are dropped."""

    def __init__(self, report: Callable[[str], None], seconds: float = 5.0) -> None:
        self.report, self.seconds = report, seconds
        self.last = time.monotonic()

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now - self.last >= self.seconds:
            self.last = now
            self.report(line)
