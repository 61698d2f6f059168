import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.cats.cat import CAT
from inv3d.core.cats.clip import CatTurn
from inv3d.core.cats.parameters import (
    EXPRESSION_DIM,
    FACE_NAMES,
    IDENTITY_DIM,
    IDENTITY_NAMES,
    PARAMETER_NAMES,
    SHAPE_NAMES,
    Parameters,
    cat_parameters,
)
from inv3d.core.procedural.renderer import HeadRenderer
from tests.core.procedural.figures import colours, draw, field, points


def cat(expression: dict[str, float] | None = None, **identity: float) -> torch.Tensor:
    """The average cat, apart from these latents."""
    z, rest = torch.zeros(1, IDENTITY_DIM), torch.zeros(1, EXPRESSION_DIM)
    for name, value in identity.items():
        z[:, IDENTITY_NAMES.index(name)] = value
    for name, value in (expression or {}).items():
        rest[:, FACE_NAMES.index(name)] = value
    return cat_parameters(z, rest)


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    return HeadRenderer(kind=CAT)


def picture(renderer: HeadRenderer, parameters: torch.Tensor, yaw: float = 0.0, size: int = 48) -> torch.Tensor:
    return renderer.render(parameters, look_at(torch.tensor([yaw]), torch.zeros(1)), size, supersample=1).image[0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_the_field_never_overstates_distances_by_much(seed):
    """Sphere tracing relies on it: a step of 0.85 times the field must not jump through a surface."""
    parameters, start = draw(CAT, seed), points(seed)
    random = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(start.shape, generator=random), dim=-1)
    d = field(CAT, start, parameters)
    after = field(CAT, start + direction * (0.7 * d.clamp(min=0))[..., None], parameters)
    assert (after[d > 0] < -0.004).float().mean() < 0.002


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_colours_are_colours(seed):
    for channel in colours(CAT, points(seed), draw(CAT, seed)):
        assert (channel > -0.3).all() and (channel < 1.3).all()


def test_cats_fill_the_middle_of_the_volume_and_their_ears_stay_inside():
    parameters = draw(CAT, 1, 200)
    zero = torch.zeros(200, 1)
    assert (CAT.signed_distance(zero, zero, zero, parameters) < 0).all()
    x = torch.linspace(-0.37, 0.37, 40).expand(200, -1)
    assert (CAT.signed_distance(x, zero + 0.33, zero - 0.02, parameters) > 0).all()


def test_cats_have_two_ears_with_air_between_them(renderer):
    alpha = renderer.render(cat(), look_at(torch.zeros(1), torch.zeros(1)), 96, supersample=1).alpha[0, 0] > 0.5
    runs = [int((row[1:] & ~row[:-1]).sum()) for row in alpha]
    top = next(i for i, count in enumerate(runs) if count)
    assert runs[top + 3 : top + 8] == [2] * 5 and runs[48] == 1


def test_what_the_face_does_moves_neither_body_nor_coat():
    random = torch.Generator().manual_seed(3)
    z = torch.randn(1, IDENTITY_DIM, generator=random).repeat(2, 1)
    rest = torch.zeros(2, EXPRESSION_DIM)
    rest[1, : len(FACE_NAMES)] = 2.0
    parameters = cat_parameters(z, rest)
    moved = {name for i, name in enumerate(PARAMETER_NAMES) if parameters[0, i] != parameters[1, i]}
    assert moved == {"mouth_open", "eyes_open", "ear_turn", "gaze_x", "gaze_y", "pupil"}


def test_light_and_background_leave_the_cat_as_it_is():
    z, rest = torch.zeros(2, IDENTITY_DIM), torch.zeros(2, EXPRESSION_DIM)
    rest[1, len(FACE_NAMES) :] = 1.5
    parameters = cat_parameters(z, rest)
    moved = {name for i, name in enumerate(PARAMETER_NAMES) if parameters[0, i] != parameters[1, i]}
    assert {"light_x", "light_warmth", "background_r", "backdrop_b"} <= moved
    assert all(name.startswith(("light_", "back")) for name in moved)


def test_only_shape_parameters_move_the_surface():
    one, other = draw(CAT, 4)[:1], draw(CAT, 5)[:1]
    mixed = torch.cat([one[:, : len(SHAPE_NAMES)], other[:, len(SHAPE_NAMES) :]], 1)
    places = points(2)[:1]
    assert torch.equal(field(CAT, places, mixed), field(CAT, places, one))
    assert not torch.equal(field(CAT, places, mixed), field(CAT, places, other))


@pytest.mark.parametrize(
    ("latent", "low", "high"),
    [("tabby", -2.0, 2.0), ("white", -2.0, 2.0), ("points", -2.0, 2.5), ("patched", -2.0, 2.5), ("coat", -1.5, 1.5)],
)
def test_every_kind_of_coat_shows(renderer, latent, low, high):
    one, other = (picture(renderer, cat(**{latent: value})) for value in (low, high))
    assert ((one - other).abs().amax(0) > 0.15).float().mean() > 0.03


def test_eyes_close(renderer):
    shown, shut = (cat({"lids": lids}) for lids in (1.0, -3.0))
    p = Parameters(shown)
    at = look_at(torch.zeros(1), torch.zeros(1))
    pictures = [renderer.render(each, at, 96, supersample=1).image[0] for each in (shown, shut)]
    changed = ((pictures[0] - pictures[1]).abs().amax(0) > 0.2).nonzero().float()
    assert len(changed) > 40
    # within a few pixels of the eyes' height and distance
    across = ((changed[:, 1] + 0.5) / 96 - 0.5).abs() * 0.633 / 1.15
    assert (across - float(p.eye_spacing)).abs().max() < 0.06


def test_nearby_latents_make_nearby_cats():
    random = torch.Generator().manual_seed(5)
    z, e = torch.randn(50, IDENTITY_DIM, generator=random), torch.zeros(50, EXPRESSION_DIM)
    change = (cat_parameters(z + 1e-3, e) - cat_parameters(z, e)).abs().amax(0)
    assert (change < 0.05).all()


def test_training_samples_are_where_people_look():
    parameters = draw(CAT, 6, 3)
    places = CAT.targets(parameters, 400, torch.Generator().manual_seed(0))
    assert places.shape == (3, 400, 3)
    near = field(CAT, places[:, 120:], parameters).abs()
    assert float((near < 0.03).float().mean()) > 0.6 and places.abs().max() < 0.5


def test_a_turning_cat_blinks_and_looks_around_but_stays_the_same_cat():
    turn = CatTurn(seed=9, frames=101)
    identity = [turn.latents(frame)[0] for frame in (0, 40)]
    assert torch.equal(*identity)
    opened = [float(Parameters(turn.parameters(frame)).eyes_open) for frame in (50, 62)]
    assert opened[1] < opened[0] - 0.3
    setting = [turn.latents(frame)[1][:, len(FACE_NAMES) :] for frame in (0, 40)]
    assert torch.equal(*setting)
