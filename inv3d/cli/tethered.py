"""`python -m inv3d.cli.tethered ...`: the command `inv3d ...`, which is stopped when its standard input ends.

It then keeps what can be resumed, as it does for Ctrl-C. Whoever started it holds the other end of a pipe: closing that stops
the command on every system, and a parent that is killed leaves no orphan that goes on writing.
"""

from __future__ import annotations

import _thread
import os
import threading
import time

from inv3d.__main__ import main
from inv3d.batch.process import USED
from inv3d.cli.signals import EXIT_CODE, install
from inv3d.cli.terminal import note

_PATIENCE = 20.0
"""Seconds that the command is given to clean up."""


def _watch() -> None:
    while os.read(0, 1 << 10):
        pass
    _thread.interrupt_main()
    time.sleep(_PATIENCE)
    os._exit(EXIT_CODE)


if __name__ == "__main__":
    install()
    threading.Thread(target=_watch, daemon=True).start()
    try:
        main()
    finally:
        note(f"{USED}{time.process_time():.1f} s")
