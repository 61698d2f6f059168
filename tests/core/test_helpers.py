import warnings

import lpips
import pytest
import torch
from torchvision.models import alexnet, vgg16

from inv3d.core import helpers
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.helpers import (
    best_perceptual,
    face_weights,
    load_identity,
    load_perceptual,
    with_helpers,
)
from inv3d.core.networks.arcface import ir_101, ir_se50
from inv3d.core.networks.lpips import Lpips

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine without any weights and without a network."""
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INV3D_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def backbone(home):
    """AlexNet with random weights where torchvision keeps the real ones."""
    torch.manual_seed(0)
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(alexnet().state_dict(), folder / "alexnet-owt-7be5be79.pth")
    return folder / "alexnet-owt-7be5be79.pth"


def put_face(name, make):
    torch.manual_seed(0)
    face_weights(name).parent.mkdir(parents=True, exist_ok=True)
    torch.save(make().state_dict(), face_weights(name))


def pictures(size=64):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [64, 300])
def test_lpips_uses_the_backbone_that_is_there(backbone, size):
    network = load_perceptual("lpips-alex", CPU)
    a = pictures(size)
    b = (a + 0.3 * pictures(size).flip(0)).clamp(-1, 1)
    assert torch.allclose(network.distance(a, a), torch.zeros(2), atol=1e-6)
    assert bool((network.distance(a, b) > 0).all())
    first = torch.load(backbone, weights_only=True)["features.0.weight"]
    assert any(torch.equal(p, first) for p in network.parameters())


@pytest.mark.parametrize(("net", "make"), [("alex", alexnet), ("vgg", vgg16)])
def test_lpips_is_that_of_the_public_package(net, make):
    torch.manual_seed(0)
    backbone = make().state_dict()
    with warnings.catch_warnings(action="ignore"):
        public = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    for part in public.net.children():
        part.load_state_dict({name: backbone[f"features.{name}"] for name in part.state_dict()})
    ours = Lpips(net, backbone)
    a, b = (pictures().requires_grad_() for _ in range(2))
    other = 0.5 * pictures().flip(0, 3)
    found, expected = ours.distance(a, other), public(b, other).flatten()
    torch.testing.assert_close(found, expected)
    for distance in (found, expected):
        distance.sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3 * float(b.grad.abs().max()))


def test_missing_weights_are_told_with_the_place_to_put_them(home):
    with pytest.raises(ModelError, match="alexnet") as caught:
        load_perceptual("lpips-alex", CPU)
    assert str(home / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth") in caught.value.hint
    with pytest.raises(ModelError, match="arcface") as caught:
        load_identity("arcface", CPU)
    assert str(face_weights("arcface")) in caught.value.hint


def test_a_failed_fetch_is_told_like_a_missing_file(monkeypatch):
    def fail(*arguments):
        raise OSError("no route")

    monkeypatch.delenv("INV3D_OFFLINE")
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ModelError, match="cannot be downloaded"):
        load_perceptual("lpips-vgg", CPU)


def test_damaged_or_wrong_weights_are_refused(backbone):
    backbone.write_bytes(backbone.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        load_perceptual("lpips-alex", CPU)
    put_face("arcface", ir_101)
    with pytest.raises(ModelError, match="another network"):
        load_identity("arcface", CPU)


def test_the_face_network_that_the_fit_does_not_use_measures(demo):
    put_face("arcface", ir_se50)
    alone = with_helpers(demo, "own", "arcface", CPU)
    assert alone.names.identity == "arcface" and alone.judge is demo.judge and alone.perceptual is demo.perceptual
    put_face("curricularface", ir_101)
    both = with_helpers(demo, "own", "arcface", CPU)
    assert both.names.judge == "curricularface" and both.judge is not demo.judge
    a = pictures()
    assert torch.allclose(both.identity.similarity(a, a), torch.ones(2), atol=1e-5)
    assert with_helpers(demo, "own", "own", CPU).names == demo.names


def test_pictures_are_compared_by_lpips_if_its_weights_are_here(demo, home, backbone):
    assert best_perceptual() == "lpips-alex"
    found = with_helpers(demo, best_perceptual(), "own", CPU)
    assert found.names.perceptual == "lpips-alex" and found.perceptual_scale == pytest.approx(1.0)
    assert with_helpers(demo, "auto", "own", CPU).perceptual is demo.perceptual  # until the pictures are known
    backbone.unlink()
    assert best_perceptual() == "own"


def test_unknown_networks_are_told():
    for load in (load_perceptual, load_identity):
        with pytest.raises(UsageError, match="nonsense"):
            load("nonsense", CPU)
    assert helpers.PERCEPTUAL[:2] == ("auto", "own") and helpers.IDENTITY[0] == "own"
