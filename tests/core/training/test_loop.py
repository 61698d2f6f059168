import json
import os
import socket
import subprocess
import sys

import pytest

from tests.core.training import regression
from tests.core.training.regression import Regression


def test_two_processes_learn_like_one_with_all_their_batches(tmp_path):
    """The same curve of losses and the same weights; and nobody runs ahead of what the first process does alone, however
    long that takes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", regression.__name__, str(tmp_path)]
    started = [
        subprocess.Popen(command, env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(2)
    ]
    try:
        assert [process.wait(240) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    (tmp_path / "alone").mkdir()
    curve, weights = Regression(2).learned(tmp_path / "alone")
    assert len(curve) == 4 and curve[-1]["square"] < 0.5 * curve[0]["square"]
    assert [pytest.approx(line, rel=1e-4) for line in curve] == first["curve"]
    assert pytest.approx(weights, rel=1e-4) == first["weights"] == second["weights"]
    assert first["waited"] and second["waited"]
