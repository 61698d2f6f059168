import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.camera import look_at
from inv3d.core.chairs.chair import CHAIR
from inv3d.core.chairs.clip import ChairTurn
from inv3d.core.chairs.parameters import (
    EXPRESSION_DIM,
    FLOOR,
    IDENTITY_DIM,
    IDENTITY_NAMES,
    PARAMETER_NAMES,
    SHAPE_NAMES,
    Parameters,
    chair_parameters,
)
from inv3d.core.procedural.mesh import head_mesh
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.samples import sample_heads
from tests.core.procedural.figures import colours, draw, field, points


def chair(**identity: float) -> torch.Tensor:
    """The average chair, apart from these latents."""
    z = torch.zeros(1, IDENTITY_DIM)
    for name, value in identity.items():
        z[:, IDENTITY_NAMES.index(name)] = value
    return chair_parameters(z, torch.zeros(1, EXPRESSION_DIM))


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    return HeadRenderer(kind=CHAIR)


def pieces(renderer: HeadRenderer, parameters: torch.Tensor, height: float) -> int:
    """How many pieces a level cut shows."""
    from scipy.ndimage import label

    axis = torch.linspace(-0.3, 0.3, 151)
    z, x = torch.meshgrid(axis, axis, indexing="ij")
    places = torch.stack([x, torch.full_like(x, height), z], -1).reshape(1, -1, 3)
    inside = renderer.distance(places, parameters).reshape(151, 151) < 0
    return int(label(inside.numpy())[1])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_the_field_never_overstates_distances_by_much(seed):
    """Sphere tracing relies on it: a step of 0.85 times the field must not jump through a surface."""
    parameters, start = draw(CHAIR, seed), points(seed)
    random = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(start.shape, generator=random), dim=-1)
    d = field(CHAIR, start, parameters)
    after = field(CHAIR, start + direction * (0.7 * d.clamp(min=0))[..., None], parameters)
    assert (after[d > 0] < -0.004).float().mean() < 0.002


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_colours_are_colours(seed):
    for channel in colours(CHAIR, points(seed), draw(CHAIR, seed)):
        assert (channel >= 0.0).all() and (channel <= 1.0).all()


def test_chairs_stand_on_the_floor_inside_of_the_volume():
    parameters = draw(CHAIR, 1, 200)
    x, z = (c.reshape(1, -1).expand(200, -1) for c in torch.meshgrid(*[torch.linspace(-0.3, 0.3, 40)] * 2, indexing="ij"))

    def nearest(y: float) -> torch.Tensor:
        return CHAIR.signed_distance(x, torch.full_like(x, y), z, parameters).amin(1)

    assert (nearest(FLOOR + 0.008) < 0.005).all()  # a foot is nearer than the grid is wide
    assert (nearest(FLOOR - 0.02) > 0).all() and (nearest(0.32) > 0).all()


@pytest.mark.parametrize(
    ("latents", "height", "count"),
    [
        ({}, 0.050, 4), ({"rockers": 2.0}, 0.006, 2), ({"base": -2.0}, 0.010, 2),
        ({"base": 2.0, "star": -2.0}, 0.010, 1), ({"base": 2.0, "star": 2.0}, 0.006, 6),
    ],
)  # fmt: skip
def test_every_kind_of_base_stands_on_its_feet(renderer, latents, height, count):
    """Four legs, two rockers, two runners, a disc, or five casters around the end of the column."""
    assert pieces(renderer, chair(stretchers=-2.0, **latents), FLOOR + height) == count


@pytest.mark.parametrize(
    ("latents", "posts"), [({"back": -2.5}, 0), ({"fill": 2.0}, 7), ({"fill": -2.0, "padded": -2.0}, 1), ({"padded": 2.0}, 1)]
)
def test_backs_are_missing_or_solid_or_of_bars(renderer, latents, posts):
    """A cut above the arms meets the bars, or the panel between the posts."""
    assert abs(pieces(renderer, chair(**latents), 0.14) - posts) <= (2 if posts > 1 else 0)


def test_slats_have_gaps_between_them(renderer):
    parameters = chair(fill=0.0, padded=-2.0, wrapped=-3.0)
    p = Parameters(parameters)
    up = torch.linspace(0.08, 0.9, 200)[None] * p.back_height
    z = -0.86 * p.half_depth - p.back_lean * up
    inside = CHAIR.signed_distance(torch.zeros_like(up), p.seat_height + up, z, parameters)[0] < 0
    assert 3 <= int((inside[1:] & ~inside[:-1]).sum()) <= 6


def test_arms_come_with_backs_alone():
    arms = [float(Parameters(chair(arms=2.0, back=back)).arm) for back in (2.0, -2.5)]
    assert arms[0] > 0 > arms[1]


def test_no_chair_falls_apart(renderer):
    """Of whatever parts a chair consists, they hang together."""
    import trimesh

    for seed in range(6):
        vertices, triangles = head_mesh(renderer, draw(CHAIR, seed, 1), resolution=110)
        parts = trimesh.Trimesh(vertices, triangles).split(only_watertight=False)
        volumes = sorted((abs(part.volume) for part in parts), reverse=True)
        assert sum(volumes[1:]) < 0.03 * volumes[0], seed


def test_light_and_background_leave_the_chair_as_it_is():
    z, rest = torch.zeros(2, IDENTITY_DIM), torch.zeros(2, EXPRESSION_DIM)
    rest[1] = 1.5
    parameters = chair_parameters(z, rest)
    moved = {name for i, name in enumerate(PARAMETER_NAMES) if parameters[0, i] != parameters[1, i]}
    assert {"light_x", "light_warmth", "background_r", "backdrop_b"} <= moved
    assert all(name.startswith(("light_", "background", "backdrop")) for name in moved)


def test_only_shape_parameters_move_the_surface():
    one, other = draw(CHAIR, 4)[:1], draw(CHAIR, 5)[:1]
    mixed = torch.cat([one[:, : len(SHAPE_NAMES)], other[:, len(SHAPE_NAMES) :]], 1)
    places = points(2)[:1]
    assert torch.equal(field(CHAIR, places, mixed), field(CHAIR, places, one))
    assert not torch.equal(field(CHAIR, places, mixed), field(CHAIR, places, other))


@pytest.mark.parametrize(
    ("latent", "low", "high"),
    [("wood", -1.5, 1.5), ("paint", -2.0, 2.0), ("metal", -2.0, 2.0), ("fabric_tone", -2.0, 2.0), ("stripes", -2.0, 2.5)],
)
def test_every_material_shows(renderer, latent, low, high):
    at = look_at(torch.tensor([-0.5]), torch.tensor([0.2]))
    one, other = (
        renderer.render(chair(cushion=1.0, fabric_hue=0.4, **{latent: value}), at, 48, supersample=1).image[0]
        for value in (low, high)
    )
    assert ((one - other).abs().amax(0) > 0.12).float().mean() > 0.02


def test_training_samples_are_where_chairs_are():
    parameters = draw(CHAIR, 6, 3)
    places = CHAIR.targets(parameters, 400, torch.Generator().manual_seed(0))
    assert places.shape == (3, 400, 3)
    near = field(CHAIR, places[:, 120:], parameters).abs()
    assert float((near < 0.03).float().mean()) > 0.6 and places.abs().max() < 0.5


def test_training_samples_tell_what_a_chair_lacks(renderer):
    """A stool is also sampled where another chair of the batch has its back."""
    stool, other = chair(back=-2.5), chair(fill=-2.0)
    queries = [
        sample_heads(renderer, parameters, 3000, torch.Generator().manual_seed(2)).queries[0]
        for parameters in (torch.cat([stool, other]), torch.cat([stool, stool]))
    ]
    near = [field(CHAIR, places[None], other)[0].abs() < 0.006 for places in queries]
    high = [float((one & (places[:, 1] > 0.08)).float().mean()) for one, places in zip(near, queries, strict=True)]
    assert high[0] > 2 * high[1] > 0, high


def test_a_turning_chair_stays_the_same():
    turn = ChairTurn(seed=9, frames=101)
    assert torch.equal(turn.parameters(0), turn.parameters(40))
    assert not torch.equal(turn.parameters(0), ChairTurn(seed=10, frames=101).parameters(0))
