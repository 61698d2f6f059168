"""Entry point of `inv3d` and `python -m inv3d`: what must be set up before anything else is imported."""

import os

from inv3d import memory
from inv3d.cli import signals
from inv3d.core import processors

SPINS = "10000"
"""How long an idle thread of PyTorch's (GNU's OpenMP) waits actively for work. Its own default is thirty times as long: idle
threads then take the time of those that work, where processes share cores. Alone, a process loses nothing. See
`benchmarks/crowded.py`."""


def main() -> None:
    """Run the command line."""
    signals.install()
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    processors.limit_threads()
    memory.keep_freed_memory()
    from inv3d.cli import app

    app.main()


if __name__ == "__main__":
    main()
