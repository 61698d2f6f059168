import json
import sys
import threading
from collections import Counter
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

import pytest

from inv3d.batch.cluster import Need, OfMainThread, RayPool
from inv3d.batch.journal import JOURNAL, Journal
from inv3d.batch.schedule import Batch
from inv3d.core.errors import UsageError

from .heads import FAKE, job

CPUS, GPUS = {"CPU": 16.0, "memory": 40.0}, {"CPU": 16.0, "memory": 40.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("cluster", "device", "need", "slots"),
    [
        (CPUS, "auto", Need(1, 0, 4.0), 10), (CPUS, "cpu", Need(1, 0, 4.0), 10), (GPUS, "auto", Need(8, 1, 4.0), 2),
        (GPUS, "cuda", Need(8, 1, 4.0), 2), (GPUS, "cpu", Need(1, 0, 4.0), 10), ({}, "auto", Need(1, 0, 4.0), 0),
        ({"CPU": 3.0, "memory": 40.0}, "auto", Need(1, 0, 4.0), 3),
    ],
)  # fmt: skip
def test_what_a_head_takes_of_a_cluster(cluster, device, need, slots):
    assert Need.of(cluster, device, 4.0) == need and need.slots(cluster) == slots


def test_a_cluster_without_gpus_has_none():
    with pytest.raises(UsageError, match="no GPUs"):
        Need.of(CPUS, "cuda", 4.0)


def test_ray_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="is not installed") as caught, RayPool.at("auto", 1.0, "auto", None):
        pass
    assert caught.value.hint == 'pip install "inv3d[batch]"'


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "x:y", "127.0.0.1:99999999", ""])
def test_there_may_be_no_cluster(monkeypatch, address):
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.raises(UsageError, match="no Ray cluster at") as caught, RayPool.at(address, 1.0, "auto", None):
        pass
    assert "HOST:PORT" in caught.value.hint


def test_only_the_batch_itself_prints(capsys):
    stream = OfMainThread(sys.stdout)
    with redirect_stdout(stream):
        thread = threading.Thread(target=print, args=("from elsewhere",))
        thread.start()
        thread.join()
        print("own")
    assert capsys.readouterr().out == "own\n" and stream.isatty() == sys.stdout.isatty()


def test_a_machine_of_the_cluster_is_lost_and_no_head_is_lost_or_made_twice(tmp_path, monkeypatch, capsys):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("MAKER_SECONDS", "0.5")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")
    heads, notes = tmp_path / "heads", tmp_path / "notes"
    heads.mkdir()
    notes.mkdir()
    size: dict[str, Any] = {"object_store_memory": 80 << 20, "memory": 1 << 30}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **size})
    try:
        slow = {"MAKER_NOTES": str(notes), "MAKER_SECONDS": "3"}  # lost in the middle of a head, however busy the test is
        second = cluster.add_node(num_cpus=2, env_vars=slow, **size)
        with RayPool.at(cluster.address, 1 << 20, "auto", None, FAKE) as pool, Journal.opened(heads) as journal:
            assert "4 at once on 2 machines" in pool.description
            removed: list[int] = []

            def watch(batch):
                if len(batch.results) > 15 and any(notes.iterdir()) and not removed:
                    removed.append(len(batch.running))
                    cluster.remove_node(second, allow_graceful=False)

            batch = Batch(heads, pool, journal, retries=3, watch=watch)
            batch.run([job(heads, f"head-{number:02d}") for number in range(60)])
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert removed and Counter(result.state for result in batch.results) == {"finished": 60}
    events = [json.loads(line) for line in (heads / JOURNAL).read_text().splitlines()]
    assert Counter(entry["event"] for entry in events)["finished"] == 60
    starts = [entry for entry in events if entry["event"] == "started"]
    assert max(Counter(entry["job"] for entry in starts).values()) > 1  # what the lost machine was making
    for entry in starts:
        assert entry["time"] < (heads / entry["job"] / "run.json").stat().st_mtime + 0.01  # no head was begun again
    assert capsys.readouterr().out == ""  # the document of --json is alone there
