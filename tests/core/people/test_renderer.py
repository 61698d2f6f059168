"""Needs warp, which traces the rays (extra `train`); the basis is a stand-in."""

import pytest
import torch

from inv3d.core.camera import dollied, look_at
from inv3d.core.people.backdrop import backdrop, clutter
from tests.core.people.standin import standin_basis

pytest.importorskip("warp")

from inv3d.core.people.parameters import LATENT_DIM, PARAMETER_NAMES, people_parameters, split_latents
from inv3d.core.people.renderer import PeopleRenderer, Scene
from inv3d.core.people.samples import sample_people, sample_pixels
from inv3d.core.training.source import PEOPLE


@pytest.fixture(scope="module")
def renderer() -> PeopleRenderer:
    return PeopleRenderer(standin_basis())


def person(seed: int, **values: float) -> torch.Tensor:
    z = torch.randn(1, LATENT_DIM, generator=torch.Generator().manual_seed(seed))
    parameters = people_parameters(*split_latents(z))
    for name, value in values.items():
        parameters[:, PARAMETER_NAMES.index(name)] = value
    return parameters


def rays(yaw: float, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    origins, directions = look_at(torch.tensor([yaw]), torch.tensor([0.1])).rays(resolution)
    return origins[0], directions[0]


@pytest.fixture(scope="module")
def scene(renderer: PeopleRenderer) -> Scene:
    return renderer.scene(person(0, hair_top=0.2, hair_side=0.2, glasses=0.0, hat=0.0, scarf=0.0))


def test_hits_lie_on_the_surface(scene: Scene) -> None:
    origins, directions = rays(0.4, 32)
    hits = scene.hits(origins, directions)
    seen = hits.kind >= 0
    assert 0.2 < seen.float().mean() < 0.95
    points = (origins + directions * hits.depth[:, None])[seen]
    assert scene.distance(points).abs().max() < 0.003
    before = (origins + directions * (hits.depth[:, None] - 0.05))[seen]
    assert scene.distance(before).median() > 0.01


def test_inside_is_negative(scene: Scene) -> None:
    inside = torch.tensor([[0.0, 0.0, -0.02], [0.0, -0.5, -0.04]])
    assert (scene.distance(inside) < -0.02).all()
    assert scene.distance(torch.tensor([[0.0, 0.5, 0.5]])) > 0.2


def test_normals_face_the_camera(scene: Scene) -> None:
    origins, directions = rays(0.0, 32)
    hits = scene.hits(origins, directions)
    skin = hits.kind == 0
    facing = -(hits.normals * directions).sum(1)[skin]
    assert facing.min() > -0.3 and facing.mean() > 0.4


def test_the_same_person_gives_the_same_picture(renderer: PeopleRenderer) -> None:
    camera = look_at(torch.tensor([0.0, 0.8]), torch.zeros(2))
    parameters = person(1).expand(2, -1)
    one, other = (renderer.render(parameters, camera, 24) for _ in range(2))
    assert torch.equal(one.image, other.image)
    assert one.image.shape == (2, 3, 24, 24) and one.image.abs().max() <= 1.0
    assert not torch.equal(one.image[0], one.image[1])


def test_expression_and_light_change_the_picture_and_light_not_the_depth(renderer: PeopleRenderer) -> None:
    camera = look_at(torch.zeros(1), torch.zeros(1))
    one = renderer.render(person(2), camera, 24)
    dark = renderer.render(person(2, key_r=0.0, key_g=0.0, key_b=0.0), camera, 24)
    assert torch.equal(one.depth, dark.depth) and not torch.equal(one.image, dark.image)


def test_where_nobody_is_there_is_the_background(renderer: PeopleRenderer) -> None:
    camera = look_at(torch.zeros(1), torch.zeros(1))
    parameters = person(3, background_r=0.1, backdrop_r=0.1, hair_top=0.003, hair_side=0.003, scarf=0.0, hat=0.0)
    render = renderer.render(parameters, camera, 24)
    corner = render.image[0, :, 0, 0] / 2.0 + 0.5
    assert render.alpha[0, 0, 0, 0] == 0.0
    assert torch.allclose(corner[0], torch.tensor(0.1), atol=1e-4)
    assert backdrop(torch.zeros(1, 5), parameters).shape == (1, 5, 3)


def test_cameras_see_whole_people_from_wherever_wide_pictures_are_taken(renderer: PeopleRenderer) -> None:
    row, camera = person(1), look_at(torch.tensor([0.4]), torch.zeros(1))
    own, far = (renderer.render(row, dollied(camera, torch.tensor([f])), 48, 1) for f in (1.0, PEOPLE.distances[1]))
    assert float((own.alpha - far.alpha).abs().mean()) < 0.12 * float(own.alpha.mean())
    assert float(far.depth[far.alpha == 1].min()) > 6.0 and float(far.depth[far.alpha == 1].max()) < 8.0


def test_shadow_falls_behind_what_stands_in_the_light(renderer: PeopleRenderer) -> None:
    toward = {"key_x": 0.0, "key_y": 0.0, "key_z": 1.0, "key_size": 0.01, "key_r": 2.0, "key_g": 2.0, "key_b": 2.0}
    lit = renderer.scene(person(4, **toward, scarf=0.0, hat=0.0, hair_density=0.0))
    origins, directions = rays(0.0, 32)
    front = lit.hits(origins, directions)
    behind = lit.hits(*rays(3.14159, 32))
    skin = front.kind == 0
    assert front.colours[skin].mean() > 1.3 * behind.colours[behind.kind == 0].mean()


def test_samples_have_the_form_that_training_takes(renderer: PeopleRenderer) -> None:
    generator = torch.Generator().manual_seed(0)
    parameters = torch.cat([person(5), person(6)])
    samples = sample_people(renderer, parameters, 240, generator)
    assert samples.points.shape == (2, 240, 3) and samples.queries.shape == (*samples.distances.shape, 3)
    assert samples.hit.float().mean() > 0.4
    assert samples.colours.min() >= 0.0 and samples.colours.max() <= 1.0
    camera = look_at(torch.tensor([0.0, 1.0]), torch.zeros(2))
    pixels = sample_pixels(renderer, parameters, camera, 60, 64, generator)
    assert pixels.pixels.shape == (2, 60) and pixels.pixels.max() < 64 * 64
    assert ((pixels.depth > 0) == (pixels.alpha == 1.0)).all()


@pytest.mark.parametrize(
    "worn", [{"glasses": 1.0}, {"hat": 1.0, "brim": 1.0}, {"hat": 1.0, "brim": 0.0}, {"scarf": 1.0}, {"earring": 1.0}]
)
def test_what_is_worn_changes_the_surface(renderer: PeopleRenderer, worn: dict[str, float]) -> None:
    bare = {"glasses": 0.0, "hat": 0.0, "scarf": 0.0, "earring": 0.0, "hair_density": 0.0}
    camera = look_at(torch.tensor([0.5]), torch.zeros(1))
    without = renderer.render(person(7, **bare), camera, 48)
    with_it = renderer.render(person(7, **(bare | worn)), camera, 48)
    assert (without.depth != with_it.depth).any()


def test_clutter_lies_behind_people_alone(renderer: PeopleRenderer) -> None:
    camera, parameters = look_at(torch.zeros(1), torch.zeros(1)), person(8)
    room = clutter(1, (24, 24), torch.Generator().manual_seed(0))
    own, other = renderer.render(parameters, camera, 24), renderer.render(parameters, camera, 24, behind=room)
    covered, free = own.alpha[0, 0] == 1.0, own.alpha[0, 0] == 0.0
    assert torch.allclose(other.image[0, :, covered], own.image[0, :, covered], atol=1e-5)
    assert torch.allclose(other.image[0, :, free] / 2.0 + 0.5, room[0][:, free], atol=1e-5)
    assert room.std() > 0.03
