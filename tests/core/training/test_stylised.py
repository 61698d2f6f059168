import pytest
import torch

pytest.importorskip("warp", reason="people are drawn with the extra `train`")

from inv3d.core.people.parameters import LATENT_DIM, PARAMETER_NAMES
from inv3d.core.procedural.parameters import PARAMETER_NAMES as TOON_NAMES
from inv3d.core.procedural.parameters import SHAPE_NAMES as TOON_SHAPES
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training.source import PEOPLE
from inv3d.core.training.stylised import Likeness, StylisedArtist
from tests.core.people.standin import standin_basis


class Measured(Likeness):
    """Measures the parts of bodies that have names, as the stand-in has no places that a face has."""

    def _lengths(self, people: torch.Tensor) -> torch.Tensor:
        return people[:, : len(self._measures) + 3]


@pytest.fixture(scope="module")
def likeness() -> Likeness:
    return Measured(standin_basis())


def people(count: int = 1, seed: int = 0) -> torch.Tensor:
    z = torch.randn(count, LATENT_DIM, generator=torch.Generator().manual_seed(seed))
    return PEOPLE.parameters(z[:, : PEOPLE.identity_dim], z[:, PEOPLE.identity_dim :])


def with_(person: torch.Tensor, **values: float) -> torch.Tensor:
    changed = person.clone()
    for name, value in values.items():
        changed[:, PARAMETER_NAMES.index(name)] = value
    return changed


def column(likeness: Likeness, person: torch.Tensor, name: str) -> float:
    return float(likeness(person)[0, TOON_NAMES.index(name)])


BARE = {"hat": 0.0, "scarf": 0.0, "tied": 0.0, "crown": 0.0}


@pytest.mark.parametrize(
    ("name", "less", "more"),
    [
        ("skin_r", {"melanin": 0.8}, {"melanin": 0.1}),
        ("hair_g", {"hair_colour_g": 0.01}, {"hair_colour_g": 0.4}),
        ("glasses", {"glasses": 0.0}, {"glasses": 1.0}),
        ("beard", {"moustache": 0.0}, {"moustache": 0.01}),
        ("hat", {**BARE}, {**BARE, "hat": 1.0}),
        ("hair_length", {**BARE, "hair_side": 0.02}, {**BARE, "hair_side": 0.36}),
        ("hair_volume", {**BARE, "hair_top": 0.003, "crown": 1.0}, {**BARE, "hair_top": 0.06}),
        ("bun", {**BARE}, {**BARE, "tied": 1.0}),
        ("smile", {"smile": -0.3}, {"smile": 0.8}),
        ("jaw_open", {"jaw": 0.0}, {"jaw": 0.7}),
        ("eyes_open", {"blink": 1.0}, {"blink": 0.1}),
        ("light_x", {"key_x": -0.7}, {"key_x": 0.7}),
        ("wrinkles", {"wrinkles": 0.12}, {"wrinkles": 1.0}),
        ("cheek", {"weight": 0.5}, {"weight": 1.6}),
        ("head_width", {"shape_7": -1.0}, {"shape_7": 1.0}),
    ],
)
def test_attributes_are_kept(name, less, more, likeness):
    person = people()
    low, high = column(likeness, with_(person, **less), name), column(likeness, with_(person, **more), name)
    assert high > low + 1e-3


def test_a_moustache_alone_leaves_the_chin_bare(likeness):
    man = with_(people(), moustache=0.01, chin_beard=0.0, cheek_beard=0.0)
    assert column(likeness, man, "beard_top") > 0.2 > column(likeness, with_(man, chin_beard=0.02), "beard_top")


def test_the_form_depends_on_what_moves_a_persons_surface_alone(likeness):
    some, others = people(3, 1), people(3, 2)
    own, exchanged = likeness(some), likeness(PEOPLE.exchange_looks(some, others))
    moved = (own - exchanged).abs().amax(0) > 1e-5
    assert not moved[: len(TOON_SHAPES)].any() and moved[len(TOON_SHAPES) :].any()


def test_an_artist_draws_them_before_the_persons_background(likeness):
    artist, person = StylisedArtist(likeness, HeadRenderer()), people()
    from inv3d.core.camera import look_at

    image, alpha = artist.pictures(person, look_at(torch.zeros(1), torch.zeros(1)), 24, 1, torch.Generator())
    height = torch.linspace(1.0, -1.0, 24)[None, [0, 1]]
    expected = PEOPLE.backdrop(height, person)[0].mean(0)
    assert 0.2 < float(alpha.mean()) < 0.9 and float(alpha[..., 0, 0]) == 0.0
    assert torch.allclose((image[0, :, :2, 0].mean(1) + 1.0) / 2.0, expected, atol=0.1)
