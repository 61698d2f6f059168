import itertools
import math
import time
from collections.abc import Callable

import pytest
import torch

from inv3d.core.bundle import load_bundle
from inv3d.core.checkpoints.eg3d import Checkpoint, Layout
from inv3d.core.checkpoints.read import to_safetensors
from inv3d.core.errors import UsageError
from inv3d.core.imports import Import, import_checkpoint
from inv3d.core.lock import held
from inv3d.core.training.prepare import Plan, prepare, wide_renders
from inv3d.core.training.renders import Renders

PLAN = Plan(shards=2, heads=3, resolution=48, steps=3)


@pytest.fixture
def imported(demo, tmp_path, monkeypatch):
    """The embedded generator as if it came from elsewhere: without networks of its own."""
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    checkpoint = Checkpoint(Layout(demo.info.generator), demo.generator.state_dict())
    (tmp_path / "x.safetensors").write_bytes(to_safetensors(checkpoint))
    import_checkpoint(Import(tmp_path / "x.safetensors", "other", known_yaw=40.0))
    return tmp_path / "home" / "models" / "other"


def run(report: Callable[[str], None] = lambda line: None) -> None:
    prepare("other", PLAN, torch.device("cpu"), report)


def test_a_prepared_model_has_all_that_pictures_need(imported):
    run()
    assert {path.name for path in imported.iterdir()} == {
        "aligner.safetensors", "codes.safetensors", "face.safetensors", "generator.safetensors", "model.json"
    }  # fmt: skip
    bundle = load_bundle("other")
    assert bundle.face is not None and bundle.face.shape == (468, 3)
    assert bundle.aligner(torch.zeros(1, 3, 64, 64)).shift.shape == (1, 2)
    assert bundle.statistics is not None and bundle.code_spread == float(bundle.statistics.spread)
    assert torch.equal(bundle.mean_code, bundle.statistics.mean)


def test_a_stopped_preparation_goes_on_and_ends_alike(imported, monkeypatch):
    monkeypatch.setattr("inv3d.core.training.prepare._FACES", 1)
    run()
    expected = (imported / "aligner.safetensors").read_bytes()
    (imported / "aligner.safetensors").unlink()
    lines = []

    def stop(line: str) -> None:
        lines.append(line)
        if line.startswith("wide 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    drawn, real = [], Renders.shard

    def shard(*arguments):
        drawn.append(arguments[2])
        return real(*arguments)

    monkeypatch.setattr(Renders, "shard", shard)
    run()
    assert drawn == [1]  # the first shard was there
    assert (imported / "aligner.safetensors").read_bytes() == expected


def test_pictures_show_the_object_with_space_around_it(demo):
    yaw = math.radians(70)
    shard = wide_renders(yaw, PLAN).shard(demo, 0)
    assert shard["image"].shape == (3, 4, 3, 48, 48) and shard["alpha"].shape == (3, 4, 1, 48, 48)
    covered = shard["alpha"].float() / 255
    assert covered[..., 20:28, 20:28].mean() > 0.95 and covered[..., :6, :6].mean() < 0.05
    assert shard["yaw"].abs().max() <= yaw


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_factors_that_make_no_sense_are_refused(factor):
    with pytest.raises(UsageError, match="--scale"):
        Plan().scaled(factor)


def test_a_small_factor_means_few_pictures():
    assert Plan().scaled(1.0) == Plan()
    assert Plan().scaled(0.02) == Plan(shards=1, heads=40, steps=100)
    assert Plan().scaled(0.0001) == Plan(shards=1, heads=4, steps=1)


def test_every_head_is_reported_on_a_slow_machine(demo, tmp_path, monkeypatch):
    """However slow, something is said before the first head is drawn, and after each."""
    monkeypatch.setattr(time, "monotonic", itertools.count(0.0, 20.0).__next__)
    lines: list[str] = []
    wide_renders(1.0, PLAN).draw(demo, tmp_path, 2, lines.append)
    told = [line.partition(",")[0] for line in lines]
    assert told == [
        "wide 1/2: 1 of 3", "wide 1/2: 2 of 3", "wide 1/2: 3 of 3", "wide 1/2",
        "wide 2/2: 1 of 3", "wide 2/2: 2 of 3", "wide 2/2: 3 of 3", "wide 2/2",
    ]  # fmt: skip


def test_a_preparation_speaks_before_it_works(imported):
    lines: list[str] = []

    def stop(line: str) -> None:
        lines.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    assert lines == ["reading other"]


def test_only_one_process_prepares_a_model(imported):
    (imported / "prepare").mkdir()
    with held(imported / "prepare" / "lock", imported), pytest.raises(UsageError, match="another run"):
        run()
