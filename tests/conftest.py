"""What several test folders share: the embedded model, a small clip, a small head."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.core.turn import Turn
from tests import people


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for models that is not the one of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INV3D_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def demo() -> Bundle:
    return load_bundle("demo")


@pytest.fixture(scope="session")
def turn() -> Turn:
    return people.TURN


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head turning from -70 to 70 degrees, 28 frames of 320 x 180."""
    return Path(shutil.copy(people.CLIP, tmp_path_factory.mktemp("clip") / "turn.mp4"))


@pytest.fixture(scope="session")
def head(demo: Bundle) -> Head:
    """Three codes and a slightly changed generator."""
    random = torch.Generator().manual_seed(4)
    generator = copy.deepcopy(demo.generator)
    bias = generator.get_parameter("decoder.net.0.bias")
    bias.data += 0.01 * torch.randn(bias.shape, generator=random)
    codes = demo.generator.mapping(torch.randn(1, demo.info.generator.z_dim, generator=random))
    codes = codes + 0.05 * torch.randn(3, *codes.shape[1:], generator=random)
    return Head(generator, LatentTrack(codes, torch.tensor([-0.8, 0.0, 0.9])), demo, (-0.8, 0.9)).rounded()
