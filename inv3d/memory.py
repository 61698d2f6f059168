"""How much memory this process has used."""

from __future__ import annotations

import importlib
import sys


def peak_memory_mb() -> int:
    """Largest resident size so far in MB; 0 on systems that do not tell (Windows)."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))
