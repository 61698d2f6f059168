import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.crops import Crops, across, cut, out_of, outside, sampling_grid, softly_cut, within
from inv3d.core.networks.aligner import Alignment


def ramp(height: int, width: int) -> torch.Tensor:
    """An image whose channels hold x and y in pixels."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])


@settings(deadline=None, max_examples=30)
@given(st.floats(100, 200), st.floats(80, 120), st.floats(20, 150), st.floats(-0.5, 0.5))
def test_a_crop_holds_the_places_it_says(x, y, size, roll):
    crops = Crops(torch.tensor([[x, y]]), torch.tensor([size]), torch.tensor([roll]))
    out = cut(ramp(240, 320), crops, 8)[0]
    center = out[:2, 3:5, 3:5].mean((1, 2))
    assert torch.allclose(center, torch.tensor([x, y]), atol=0.6)
    right = out[:2, :, 7].mean(1) - out[:2, :, 0].mean(1)
    if abs(math.cos(roll)) * size < 80:  # stays inside, so the ramp is not cut off
        expected = 7 / 8 * size * torch.tensor([math.cos(roll), math.sin(roll)])
        assert torch.allclose(right, expected, atol=1.0)


def test_large_reductions_average_instead_of_skipping():
    stripes = torch.zeros(3, 400, 400)
    stripes[:, :, ::2] = 1.0
    out = cut(stripes, Crops(torch.tensor([[200.0, 200.0]]), torch.tensor([400.0]), torch.zeros(1)), 20)
    assert torch.allclose(out, torch.full_like(out, 0.5), atol=0.05)


def test_an_alignment_moves_a_crop_onto_its_target():
    crops = Crops(torch.tensor([[100.0, 50.0]]), torch.tensor([40.0]), torch.tensor([0.3]))
    moved = Alignment(
        torch.tensor([[0.5, 0.0]]),
        torch.tensor([math.log(2)]),
        torch.tensor([-0.3]),
        *(torch.zeros(1) for _ in range(3)),
    ).apply(crops)
    assert torch.allclose(moved.center, torch.tensor([[100 + 20 * math.cos(0.3), 50 + 20 * math.sin(0.3)]]))
    assert torch.allclose(moved.size, torch.tensor([80.0]))
    assert torch.allclose(moved.roll, torch.zeros(1), atol=1e-6)


def test_what_is_outside_of_an_image_has_no_stripes():
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    inner = Crops(torch.tensor([[32.0, 32.0]]), torch.tensor([64.0]), torch.zeros(1))
    assert torch.equal(softly_cut(image, inner, 64), cut(image, inner, 64))
    outer = Crops(torch.tensor([[32.0, 0.0]]), torch.tensor([64.0]), torch.zeros(1))
    plain, soft = cut(image, outer, 64), softly_cut(image, outer, 64)
    assert torch.equal(soft[..., 32:, :], plain[..., 32:, :])  # the image itself
    stripes = [seen[0, :, row].std() for seen in (plain, soft) for row in (2, 31)]
    assert stripes[0] > 0.2 and stripes[2] < 0.35 * stripes[0] and stripes[3] > 0.9 * stripes[1]
    assert torch.allclose(soft[..., :8, :].mean(), plain[..., :8, :].mean(), atol=0.02)


def test_how_far_pixels_lie_outside_is_told_in_widths_of_the_crop():
    crops = Crops(torch.tensor([[32.0, 0.0], [32.0, 32.0]]), torch.tensor([64.0, 64.0]), torch.zeros(2))
    upper, inner = outside(crops, 64, 64, 64)[:, 0]
    assert torch.equal(inner, torch.zeros(64, 64))
    rows = (32 - torch.arange(64.0) - 0.5).clamp(min=0.0) / 64
    assert torch.allclose(upper, rows[:, None].expand(-1, 64), atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.floats(-20, 20), st.floats(60, 120), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_crop_is_found_in_another(shift, size, roll, others_roll):
    image = ramp(240, 320)
    crop = Crops(torch.tensor([[160.0 + shift, 120.0]]), torch.tensor([size / 2]), torch.tensor([roll]))
    other = Crops(torch.tensor([[160.0, 120.0 + shift / 2]]), torch.tensor([2 * size]), torch.tensor([others_roll]))
    seen = torch.nn.functional.grid_sample(cut(image, other, 64), across(crop, other, 16), align_corners=False)
    if float(sampling_grid(other, 2, 240, 320).abs().max()) < 1:  # a ramp goes on as far as the image does
        assert torch.allclose(seen, cut(image, crop, 16), atol=0.05)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(20, 500), st.floats(20, 500))
def test_crops_of_what_a_crop_shows_are_crops_of_the_image(roll, outer_roll, size, outer_size):
    crop = Crops(torch.tensor([[130.0, 70.0]]), torch.tensor([size]), torch.tensor([roll]))
    outer = Crops(torch.tensor([[100.0, 90.0]]), torch.tensor([outer_size]), torch.tensor([outer_roll]))
    back = out_of(within(crop, outer, 64), outer, 64)
    assert torch.allclose(back.center, crop.center, atol=1e-2)
    assert float(back.size) == pytest.approx(size, rel=1e-4) and float(back.roll) == pytest.approx(roll, abs=1e-5)


def test_a_crop_of_a_crop_shows_the_same():
    image = ramp(120, 160) / 160
    outer = Crops(torch.tensor([[60.0, 50.0]]), torch.tensor([80.0]), torch.tensor([0.4]))
    crop = Crops(torch.tensor([[66.0, 47.0]]), torch.tensor([30.0]), torch.tensor([0.1]))
    shown = cut(cut(image, outer, 320)[0], within(crop, outer, 320), 24)
    assert float((shown - cut(image, crop, 24)).abs().mean()) < 0.03
