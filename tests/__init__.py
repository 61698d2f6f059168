"""Tests run in two processes, each with one thread: threads of one would take the other's core."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
