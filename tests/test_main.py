"""The entry point sets up what must stand before torch is imported."""

import os
import subprocess
import sys

import pytest

from inv3d.__main__ import SPINS

CODE = """
import os, sys
from inv3d import __main__ as entry
from inv3d.cli import app
app.main = lambda: print(os.environ["GOMP_SPINCOUNT"], "torch" in sys.modules)
entry.main()
"""


@pytest.mark.parametrize("own", [None, "7"])
def test_idle_threads_do_not_wait_long_unless_told_to(own):
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {} if own is None else {"GOMP_SPINCOUNT": own}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [own or SPINS, "False"]
