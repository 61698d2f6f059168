import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.tone import Tone

SIZE = 24
TINTS = st.tuples(st.floats(0.9, 1.1), st.floats(0.8, 1.0), st.floats(0.5, 1.0))


def pictures(colours: torch.Tensor) -> torch.Tensor:
    """Colours [3,S,S] in [0,1] as a picture [1,4,S,S] that shows a head everywhere."""
    return torch.cat([colours, torch.ones(1, SIZE, SIZE)]).mul(255.0).round().byte()[None]


def shades() -> torch.Tensor:
    return torch.linspace(0.1, 0.9, SIZE * SIZE).reshape(1, SIZE, SIZE)


@settings(deadline=None, max_examples=20)
@given(TINTS)
def test_pictures_of_one_tone_stay_what_they_are_in_it(tint):
    shown = shades() * torch.tensor(tint)[:, None, None]
    tone = Tone.of(pictures(shown))
    assert tone is not None
    assert (tone.over(2.0 * shown[None] - 1.0) / 2.0 + 0.5 - shown).abs().max() < 0.02


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_black_and_white_leaves_no_colours(seed):
    tone = Tone.of(pictures(shades().expand(3, -1, -1)))
    assert tone is not None
    images = tone.over(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0)
    assert (images.amax(1) - images.amin(1)).max() < 0.02


def test_noise_of_a_scan_is_no_colour():
    noise = 0.01 * torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert Tone.of(pictures((shades() + noise).clamp(0.0, 1.0))) is not None


def test_a_photograph_in_colours_has_no_tone():
    skin, hair, shirt = torch.tensor([[0.8, 0.6, 0.5], [0.3, 0.2, 0.15], [0.3, 0.4, 0.6]])
    rows = torch.arange(SIZE)[:, None].expand(SIZE, SIZE)
    colours = torch.where(rows < 8, hair[:, None, None], torch.where(rows < 16, skin[:, None, None], shirt[:, None, None]))
    assert Tone.of(pictures(colours)) is None


def test_only_what_shows_the_head_tells():
    shown = pictures(shades().expand(3, -1, -1))
    shown[:, :3, :8] = torch.tensor([0, 200, 0], dtype=torch.uint8)[:, None, None]  # a green room
    assert Tone.of(shown) is None
    shown[:, 3, :8] = 0
    assert Tone.of(shown) is not None
    shown[:, 3] = 0
    assert Tone.of(shown) is None  # nobody is seen


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_picture_of_one_shade_has_a_tone_that_is_finite(value):
    tone = Tone.of(pictures(torch.full((3, SIZE, SIZE), value)))
    if tone is not None:
        assert tone.over(torch.rand(1, 3, SIZE, SIZE)).isfinite().all()
