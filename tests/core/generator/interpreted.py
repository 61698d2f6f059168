"""The field's kernels in Triton's interpreter, which `test_fused` starts in a process of its own: Triton decides whether it
interprets when it is imported."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import _disable_current_modes
from triton.runtime.interpreter import InterpretedFunction

from inv3d.core import generator
from inv3d.core.bundle import load_bundle
from inv3d.core.errors import Inv3dWarning
from inv3d.core.generator import fused, kernels
from inv3d.core.generator.config import DecoderConfig, GeneratorConfig
from inv3d.core.generator.field import Decoder, plainly_decoded
from tests import tiny
from tests.pretend import DEVICE, pretended

from ..conftest import relative

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Fewer programs and points, in as many turns."""
    monkeypatch.setattr(fused, "_PROGRAMS", 2)
    monkeypatch.setattr(fused, "_CHECKED", 35)


def problem(channels, hidden, colors, codes, points, side):
    decoder = Decoder(channels, GeneratorConfig(color_channels=colors, decoder=DecoderConfig(hidden)))
    places = torch.rand(codes, 3, points, 2) * 2.4 - 1.2
    return torch.randn(codes, 3, channels, side, side).requires_grad_(), places.requires_grad_(), decoder


def results(decode, planes, places, decoder):
    """Density, colours, and all gradients of one number made of them."""
    sigma, color = decode(planes, places, decoder)
    shares = torch.linspace(-1.0, 1.0, color.numel()).reshape(color.shape)
    wanted = [each for each in (planes, places, *decoder.parameters()) if each.requires_grad]
    return sigma, color, *torch.autograd.grad(sigma.square().sum() + (shares * color).sum(), wanted)


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 64), st.integers(3, 33), st.integers(1, 3), st.integers(1, 70), st.integers(1, 6),
    st.integers(0, 99),
)  # fmt: skip
def test_kernels_compute_the_same_whatever_the_sizes(channels, hidden, colors, codes, points, side, seed):
    torch.manual_seed(seed)
    inputs = problem(channels, hidden, colors, codes, points, side)
    for found, right in zip(results(fused._by_kernels, *inputs), results(plainly_decoded, *inputs), strict=True):
        assert found.shape == right.shape and torch.allclose(found, right, rtol=1e-4, atol=1e-4)


def test_planes_may_lie_in_memory_anyhow_and_weights_may_be_fixed():
    planes, places, decoder = problem(5, 6, 3, 2, 40, 8)
    decoder.requires_grad_(False)
    strided = planes.detach().flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (2, 3)).requires_grad_()
    flat = places.detach()[:, :, :1].expand(-1, -1, 40, -1).requires_grad_()
    for found, right in zip(results(fused._by_kernels, strided, flat, decoder), results(plainly_decoded, planes, flat, decoder), strict=True):
        assert relative(found.detach(), right.detach()) < 1e-5


@pytest.mark.filterwarnings("ignore:invalid value")
def test_places_without_a_number_and_far_away_read_zeros():
    planes, places, decoder = problem(5, 6, 3, 1, 4, 8)
    odd = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30])[None, None, :, None].expand_as(places)
    (sigma, color), (right, _) = fused._by_kernels(planes, odd, decoder), plainly_decoded(planes, torch.full_like(places, 9.0), decoder)
    assert torch.allclose(sigma, right) and color.isfinite().all()
    (of_planes,) = torch.autograd.grad(sigma.sum(), planes)
    assert not of_planes.any()


def test_no_points_are_no_problem():
    planes, places, decoder = problem(5, 6, 3, 2, 0, 8)
    sigma, color, *gradients = results(fused._by_kernels, planes, places, decoder)
    assert sigma.shape == (2, 0) and color.shape == (2, 0, 3) and not any(each.any() for each in gradients)


def trusted(device=CPU):
    return fused._computes_the_same.__wrapped__(device, 5, 6, 3)


def test_the_check_passes_and_leaves_no_trace():
    before = torch.get_rng_state()
    with torch.no_grad():
        assert trusted()
    assert torch.get_rng_state().equal(before)
    assert max(fused._errors(CPU, 32, 64, 32).values()) < 1e-6


FAULTS = {  # none of them looks outside the memory
    "a column less on the left": ("(column >= 0)", "(column >= 1)"),
    "a column less on the right": ("(column < side)", "(column < side - 1)"),
    "texels mixed up": ("to(tl.int32) * side +", "to(tl.int32) * (side - 1) +"),
    "axes mixed up": ("return ((x + 1.0) * side - 1.0) * 0.5, ((y + 1.0)", "return ((y + 1.0) * side - 1.0) * 0.5, ((x + 1.0)"),
    "places half a texel away": ("((x + 1.0) * side - 1.0) * 0.5, ", "(x + 1.0) * side * 0.5, "),
    "one code for all": ("code, point = row // count, row % count", "code, point = row * 0, row % count"),
    "an incomplete block": ("known = row < total", "known = row < total - total % ROWS"),
    "sum for mean": ("return total * (1.0 / 3.0)", "return total"),
    "another softplus": ("tl.log(1.0 + tl.exp(-tl.abs(x)))", "0.0"),
    "colours a little narrower": ("tl.sigmoid(out) * 1.002 - 0.001", "tl.sigmoid(out)"),
    "the slope of narrower colours": ("* (1.002 * share", "* (share"),
    "only the last turn of a program": ("sum_b1 += tl.sum", "sum_b1 = tl.sum"),
    "a gradient without density": ("sum_sigma += of_dense", "sum_sigma += 0.0 * of_dense"),
    "gradients that overwrite each other": ("atomic_add(of_planes + offset, (wide * high)[:, None] * gradient, mask=there, sem=\"relaxed\")",
                                            "store(of_planes + offset, (wide * high)[:, None] * gradient, mask=there)"),
    "slopes the wrong way": ("slope * wide * (2 * (corner // 2) - 1)", "slope * wide * (1 - 2 * (corner // 2))"),
    "code that does not compile": ("tl.floor(y)", "tl.flor(y)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_the_check_finds_planted_faults(tmp_path, monkeypatch, name):
    right, wrong = FAULTS[name]
    source = Path(kernels.__file__).read_text()
    assert right in source
    (tmp_path / "faulty.py").write_text(source.replace(right, wrong))
    spec = importlib.util.spec_from_file_location("faulty", tmp_path / "faulty.py")
    assert spec is not None and spec.loader is not None
    faulty = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "faulty", faulty)  # Triton looks up the names of a kernel's module
    spec.loader.exec_module(faulty)
    monkeypatch.setattr(generator, "kernels", faulty)
    with pytest.warns(Inv3dWarning, match="the fused kernel of the field is not used on cpu: ") as told:
        assert not trusted()
    assert len(told) == 1 and "\n" not in str(told[0].message)


def rendered(made, info, codes, yaw, chunk=None):
    """A picture and depths, and gradients of codes, cameras and weights."""
    camera, random = info.camera(yaw, 0 * yaw), torch.Generator(yaw.device).manual_seed(0)
    render = made.render(made.scene(codes), camera, 8, random, chunk)
    loss = render.image.square().mean() + render.depth.mean()
    return render.image, render.depth, *torch.autograd.grad(loss, [codes, yaw, *made.decoder.parameters()])


def start(made, device=CPU):
    codes = made.mean_w + 0.1 * torch.randn(2, made.code_space.num_ws, made.config.w_dim).to(device)
    return codes.requires_grad_(), torch.tensor([0.3, -0.2]).to(device).requires_grad_()


def agree(found, right):
    errors = [relative(a.detach(), b.detach()) for a, b in zip(found, right, strict=True)]
    assert max(errors) < 1e-3, errors


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(fused, "_ROWS", 1024)  # the interpreter takes as long for a block of any size


def test_a_generator_on_a_device_renders_with_kernels(monkeypatch, large):
    run, launched = InterpretedFunction.run, []

    def unseen(self, *values, **options):
        launched.append(self.fn.__name__)
        with _disable_current_modes():  # the interpreter is no part of what is pretended
            return run(self, *values, **options)

    monkeypatch.setattr(InterpretedFunction, "run", unseen)
    fused._computes_the_same.cache_clear()
    with pretended() as there:
        bundle = tiny.with_generator(load_bundle("demo", DEVICE), tiny.CONFIG, DEVICE)
        made = bundle.generator.requires_grad_(True)
        assert isinstance(made, generator.TriplaneGenerator)
        made.suit(DEVICE)
        assert made.field.decode is fused.decoded_at_once
        inputs = made, bundle.info, *start(made, DEVICE)
        launched.clear()
        there.waits.clear()
        found = rendered(*inputs)
        assert set(launched) == {"forward", "decoder_backward", "planes_backward"}
        assert not [place for place in there.waits if "camera.py" not in place]
        made.field.decode = plainly_decoded
        agree(found, [each.detach() for each in rendered(*inputs)])


def test_checkpoints_compute_the_same_again(large):
    """Of many rays; on the CPU, as a checkpoint does not see that a device is pretended."""
    bundle = tiny.with_generator(load_bundle("demo"))
    made = bundle.generator.requires_grad_(True)
    inputs = made, bundle.info, *start(made), 16
    right = rendered(*inputs)
    assert isinstance(made, generator.TriplaneGenerator)
    made.field.decode = fused._by_kernels
    agree(rendered(*inputs), right)
