"""ArcFace's networks against numbers of the public code, with weights that a formula fills."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from inv3d.core.networks.arcface import ArcFace, FaceBackbone, Thinned, face_of, ir_101, ir_se50
from tests.core.formula import filled, image

DATA = Path(__file__).parents[2] / "data" / "irse50"


def fill(network: FaceBackbone) -> FaceBackbone:
    network.load_state_dict({name: filled(name, tuple(t.shape)) for name, t in network.state_dict().items()})
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def se50() -> FaceBackbone:
    return fill(ir_se50())


@pytest.fixture(scope="module")
def references():
    arrays = np.load(DATA / "references.npz")
    return lambda name: torch.from_numpy(np.asarray(arrays[name], dtype=np.float32))


@pytest.mark.parametrize(("make", "file"), [(ir_se50, "state_dict.json"), (ir_101, "state_dict_ir101.json")])
def test_names_and_shapes_are_those_of_the_public_weights(make, file):
    with torch.device("meta"):
        own = {name: list(tensor.shape) for name, tensor in make().state_dict().items()}
    public = json.loads((DATA / file).read_text())
    assert own == {name: entry["shape"] if isinstance(entry, dict) else entry for name, entry in public.items()}


def test_every_stage_of_ir_se50_agrees(se50, references):
    x = se50.input_layer(image("input", 2, 3, 112, 112))
    assert torch.allclose(x[:, ::8, ::16, ::16], references("input_layer_stride16"), atol=1e-5)
    for i, layer in enumerate(se50.body):
        x = layer(x)
        if i in (0, 2, 6, 20, 23):
            expected = references(f"body{i}_meanstd")
            assert torch.allclose(torch.stack([x.mean(), x.std(correction=0)]), expected, rtol=1e-3, atol=1e-4), i
    embedding = F.normalize(se50.output_layer(x), dim=1)
    assert torch.allclose(embedding, references("embedding"), atol=1e-5)


def test_gradients_reach_the_picture_as_in_the_public_code(se50, references):
    picture = image("input", 2, 3, 112, 112).requires_grad_()
    a, b = se50(picture)
    (1.0 - (a * b).sum()).backward()
    expected = references("grad_of_1-cos01_stride8")
    assert float((a * b).sum().detach()) == pytest.approx(float(references("cos01")), abs=1e-5)
    assert picture.grad is not None and (picture.grad[..., ::8, ::8] - expected).norm() < 1e-3 * expected.norm()


def test_the_crop_of_the_face_agrees(se50, references):
    picture = image("input256", 1, 3, 256, 256)
    assert torch.allclose(face_of(picture)[0, 0, ::9, ::9], references("crop256_pooled_ch0_stride9"), atol=1e-5)
    assert torch.allclose(ArcFace(se50)(picture), references("crop256_embedding"), atol=1e-5)


def test_ir_101_agrees():
    network = fill(ir_101())
    embedding = network(image("input", 2, 3, 112, 112))
    expected = torch.from_numpy(np.load(DATA / "references_ir101.npz")["embedding"])
    assert torch.allclose(embedding, expected, atol=1e-5)


@pytest.mark.parametrize("size", [64, 256, 512])
def test_any_resolution_is_compared(se50, size):
    network = ArcFace(se50)
    a = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    similarity = network.similarity(a, a.flip(0))
    assert similarity.shape == (2,) and torch.allclose(network.similarity(a, a), torch.ones(2), atol=1e-5)
    assert bool((similarity < 0.999).all())


def test_a_thinned_convolution_and_its_gradient_are_those_of_one_with_a_stride():
    """In double precision, which oneDNN does not compute."""
    layer = Thinned(8, 16, 2)
    x = torch.randn(2, 8, 9, 8, generator=torch.Generator().manual_seed(2)).to(memory_format=torch.channels_last)
    one, other = x.clone().requires_grad_(), x.double().requires_grad_()
    found, strided = layer(one), F.conv2d(other, layer.weight.double(), stride=2)
    found.square().sum().backward()
    strided.square().sum().backward()
    assert torch.allclose(found.double(), strided, atol=1e-5)
    assert one.grad is not None and other.grad is not None
    assert torch.allclose(one.grad.double(), other.grad, atol=1e-4)
