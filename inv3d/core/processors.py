"""How many threads a process should have: threads that share a processor with other programs wait for each other.

Nothing here imports PyTorch, whose number of threads is set before it is loaded.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from pathlib import Path

THREADS = "OMP_NUM_THREADS"
LOAD, QUOTA = Path("/proc/loadavg"), Path("/sys/fs/cgroup/cpu.max")
_LOOKS, _PAUSE = 5, 0.004  # seconds between two looks at what runs


def processors() -> int:
    """Processors that this process may use: those it is bound to, and no more than its container has the time of."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return bound


def busy() -> int:
    """Processors that other programs keep busy at this moment; 0 where the system does not tell (Linux does)."""
    running = []
    for look in range(_LOOKS):
        time.sleep(_PAUSE if look else 0.0)
        try:
            running.append(int(LOAD.read_text().split()[3].split("/")[0]))
        except (OSError, ValueError, IndexError):
            return 0
    return max(0, int(statistics.median(running)) - 1)  # this program is one of them


def free() -> int:
    """Processors that are left for this process, at least one."""
    most = processors()
    return max(1, min(most, (os.cpu_count() or most) - busy()))


def limit_threads() -> None:
    """Set the number of threads by what is free, unless the user has; before PyTorch is loaded."""
    os.environ.setdefault(THREADS, str(free()))
