"""Training data drawn on a cluster is the same as that drawn here, whatever is lost meanwhile."""

import pickle
from typing import Any

import pytest
import torch

from inv3d.batch.spread import spread
from inv3d.core.errors import OutOfMemoryError, UsageError
from inv3d.core.training import dataset
from inv3d.core.training.source import TOONS

from .quick import Quick

PLAN = dataset.DataPlan(points=12, rays=0, images=0, wide=0, twins=0, patches=0)


@pytest.fixture(scope="module")
def cluster():
    """Two machines with two cores each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("RAY_ADDRESS", raising=False)
        patched.setenv("RAY_worker_niceness", "0")
        size: dict[str, Any] = {"object_store_memory": 80 << 20, "memory": 1 << 30, "num_cpus": 2}
        made = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **size})
        try:
            made.add_node(**size)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def first_number(index):
    """Of the first head of a shard."""
    generator = torch.Generator().manual_seed(dataset._POINT_SEED + index)
    z = torch.randn(dataset.POINT_HEADS, TOONS.identity_dim, generator=generator)
    return float(TOONS.parameters(z, torch.randn(dataset.POINT_HEADS, TOONS.expression_dim, generator=generator))[0, 0])


def test_shards_are_the_same_wherever_they_are_drawn_though_a_worker_is_killed(cluster, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    lines: list[str] = []
    with spread(cluster.address, 1 << 20) as each:
        dataset.generate(tmp_path / "there", PLAN, False, lines.append, Quick(notes, deadly=first_number(5)), each)
    assert (notes / "killed").exists() and len(list(notes.iterdir())) > 2  # more than one process
    assert sorted(line.split()[0] for line in lines) == [f"points-{index:04d}.safetensors" for index in range(12)]
    dataset.generate(tmp_path / "here", PLAN, False, lines.append, Quick(notes))
    here, there = (sorted((tmp_path / name).iterdir()) for name in ("here", "there"))
    assert [path.name for path in here] == [path.name for path in there]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(here, there, strict=True))
    assert here[0].read_bytes() != here[1].read_bytes()


def test_what_goes_wrong_there_is_told_here(cluster, tmp_path):
    with pytest.raises(UsageError, match="the package is missing") as caught, spread(cluster.address, 1 << 20) as each:
        dataset.generate(tmp_path / "there", PLAN, False, print, Quick(tmp_path, wrong=first_number(3)), each)
    assert caught.value.hint == "install it"


def test_an_item_that_kills_every_worker_is_given_up(cluster, tmp_path):
    def deadly(item):
        import os

        os._exit(1)

    with pytest.raises(OutOfMemoryError, match="was lost 4 times"), spread(cluster.address, 1 << 20) as each:
        list(each(deadly, [1]))


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(UsageError("wrong", "right")))
    assert isinstance(error, UsageError) and (error.message, error.hint) == ("wrong", "right")
