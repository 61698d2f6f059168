"""What `models import` says of a checkpoint, and what a model without an aligner is told."""

import contextlib
import io

import pytest
import torch
from skimage.io import imread

from inv3d import estimate
from inv3d.cli.app import app
from inv3d.core.errors import ModelError
from inv3d.core.generator import TriplaneGenerator

from ..core.checkpoints.small import small_config, small_options
from ..core.checkpoints.writer import eg3d_pickle, generator, snapshot


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of a person who has imported a snapshot of the public training loop, with a buffer that nobody knows."""
    folder = tmp_path_factory.mktemp("import")
    torch.manual_seed(0)
    network = TriplaneGenerator(small_config())
    state = dict(network.state_dict()) | {"dataset_label_std": torch.rand(25), "decoder.seen": torch.zeros(3)}
    module = generator(state, {name for name, _ in network.named_parameters()}, small_options())
    eg3d_pickle(folder / "net.pkl", snapshot(module))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setenv("INV3D_HOME", str(folder))
        run("models", "import", folder / "net.pkl", "--name", "small")
    (folder / "said").write_text(said.getvalue())
    return folder


def run(*arguments):
    app([str(argument) for argument in arguments], standalone_mode=False)


def test_an_import_says_what_it_passed_over_and_shows_the_mean(home):
    lines = (home / "said").read_text().splitlines()
    picture = home / "models" / "small" / "mean.png"
    assert "skipped 'decoder.seen': buffers on which no weight depends" in lines
    assert f"its mean head from three sides: {picture}" in lines
    assert imread(picture).shape == (64, 192, 3)
    # weights at random make fog
    assert any(line.startswith("warning: it is transparent") for line in lines)


def test_a_missing_aligner_is_told_before_anything_is_estimated(home, clip, tmp_path, monkeypatch):
    def late(*arguments):
        raise AssertionError("the estimate came first")

    monkeypatch.setenv("INV3D_HOME", str(home))
    monkeypatch.setattr(estimate, "video_seconds", late)
    monkeypatch.setattr(estimate, "photo_seconds", late)
    for command in (("video", clip), ("image", home / "models" / "small" / "mean.png")):
        with pytest.raises(ModelError, match="cannot find heads"):
            run(*command, "--model", "small", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
