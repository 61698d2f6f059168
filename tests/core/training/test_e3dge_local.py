import copy
import shutil
from dataclasses import replace

import pytest
import torch

from inv3d.core.training import e3dge_recipe
from inv3d.core.training.dataset import load_images
from inv3d.core.training.e3dge import SMALL_GLOBAL
from inv3d.core.training.e3dge_local import SMALL_LOCAL, LocalTrainer
from inv3d.core.training.renders import Renders
from inv3d.core.training.residuals import Residuals, draw_residuals
from tests.core.training.stopping import trained

CPU = torch.device("cpu")
SAMPLES = Renders("samples", 80_000, 2, 2, 24, 0.7, 0.3, 1.0)
TINY = replace(
    SMALL_LOCAL,
    steps=3,
    fit=replace(SMALL_LOCAL.fit, rays_per_view=16, samples=4, whole_resolution=16),
    patch=16,
)


@pytest.fixture(scope="module")
def encoder(demo):
    made = e3dge_recipe.make_encoder(demo, SMALL_GLOBAL).eval()
    made.mean_code = demo.generator.code_space.repeat(demo.mean_code)
    # small maps, so that a step takes little
    made.local.config = replace(made.local.config, render_size=16, input_size=32, aligner_size=32)
    return made


@pytest.fixture(scope="module")
def folder(demo, encoder, tmp_path_factory):
    """Pairs of two heads of the generator's own, and of two pictures from outside of its domain."""
    folder = tmp_path_factory.mktemp("pairs")
    SAMPLES.draw(demo, folder, 1, lambda line: None)
    inside = load_images(folder, "samples")
    outside = {**SAMPLES.shard(demo, 7), "expression": torch.zeros(2, 2, 1)}
    draw_residuals(demo, encoder, inside, outside, (9, 2), folder, lambda line: None)
    return folder


@pytest.fixture(scope="module")
def residuals(folder):
    return Residuals.load(folder)


def trainer(demo, encoder, residuals, recipe=TINY):
    torch.manual_seed(0)
    branch = copy.deepcopy(encoder.local).requires_grad_(True)
    return LocalTrainer(demo, branch, recipe, residuals, CPU)


def test_pairs_are_two_views_of_a_head_or_one_picture_twice(demo, encoder, folder, residuals):
    assert len(residuals) == 4 and residuals.images.shape == (4, 2, 3, 24, 24)
    inside = load_images(folder, "samples")
    assert torch.equal(residuals.images[:2], inside["image"])
    assert torch.equal(residuals.images[2:, 0], residuals.images[2:, 1])
    # the first side is the one that the encoder reads, the second the true one
    assert torch.allclose(residuals.angles[:2, 1, 0], inside["yaw"][:, 1])
    image = inside["image"][:1, 0].float() / 127.5 - 1.0
    assert torch.allclose(residuals.angles[0, 0], encoder(image).pose[0], atol=1e-4)
    assert torch.allclose(residuals.codes[0], encoder(image).codes[0], atol=1e-4)


def test_the_room_behind_drawn_heads_is_one_colour(residuals):
    corner = residuals.images[2, 0, :, :2, :2].flatten(1).float()
    assert float(corner.std(1).max()) < 1.0


def test_finished_pairs_are_kept_and_those_of_another_encoder_are_not(demo, encoder, folder, tmp_path):
    inside = load_images(folder, "samples")
    path = shutil.copy(folder / "residuals-0000.safetensors", tmp_path / "residuals-0000.safetensors")
    whole = path.read_bytes()

    def draw(own):
        draw_residuals(demo, own, inside, None, (1, 0), tmp_path, lambda line: None)
        return path.read_bytes() == whole

    assert draw(encoder)
    other = copy.deepcopy(encoder)
    other.codes.styles[0].linear.bias.data += 1.0
    assert not draw(other)


def test_ingredients_can_be_left_out(demo, encoder, residuals):
    def names(recipe):
        return trainer(demo, encoder, residuals, recipe).losses(torch.Generator().manual_seed(1)).keys()

    assert {"pixel", "perceptual", "identity", "alignment", "adversarial"} <= names(TINY)
    assert not {"alignment", "adversarial"} & names(replace(TINY, aligns=False, adversarial=0.0))
    without = frozenset(["alignment", "novel-views", "adversarial"])
    plain, full = (e3dge_recipe.local_recipe(demo, 1.0, left_out) for left_out in (without, frozenset()))
    assert not plain.aligns and plain.novel_views == plain.adversarial == 0.0
    assert full.aligns and full.novel_views > 0 and full.adversarial > 0
    assert not e3dge_recipe.config_for(demo, without).local.aligns and e3dge_recipe.config_for(demo).local.aligns
    assert not e3dge_recipe.config_for(demo, frozenset(["projection"])).local.projects


def test_without_projection_points_read_aligned_residuals_alone(demo, encoder, residuals):
    branch = copy.deepcopy(encoder.local)
    camera = demo.info.camera(torch.zeros(1), torch.zeros(1))
    codes = demo.generator.code_space.repeat(demo.mean_code[None])
    picture = torch.rand(1, 3, 24, 24)

    def read(projects):
        branch.config = replace(branch.config, projects=projects)
        detail = branch.detail(demo.generator, demo.generator.scene(codes), picture, camera, [camera])
        points = torch.tensor([[[0.0, 0.0, 0.4]]])  # before the face, so that nothing hides it
        return detail.seen.residual, *detail.seen.at(points), detail.aligned[0].at(points)[1]

    residual, found, visible, aligned = read(projects=True)
    assert float(found.abs().max()) > 0.0 and float(visible) == float(aligned) == 1.0
    same, found, visible, aligned = read(projects=False)
    assert float(found.abs().max()) == float(visible) == 0.0 and float(aligned) == 1.0
    assert torch.equal(residual, same)  # an edit aligns it anew


def test_only_networks_that_learn_get_gradients_and_all_of_them_do(demo, encoder, residuals):
    training = trainer(demo, encoder, residuals, replace(TINY, novel_views=1.0))
    film = training.network.film
    for layer in (film.out, film.fusion.scale[2], film.fusion.shift[2]):  # as if they had begun to learn
        torch.nn.init.normal_(layer.weight, 0.0, 0.1)
    torch.stack(list(training.losses(torch.Generator().manual_seed(1)).values())).sum().backward()
    assert [name for name, p in training.network.named_parameters() if p.grad is None] == []
    assert all(p.grad is None for p in demo.generator.parameters())


def test_a_stopped_training_ends_with_the_same_weights(demo, encoder, residuals, tmp_path):
    def weights(name, stops):
        training = trained(lambda: trainer(demo, encoder, residuals), tmp_path / name, stops)
        judge = training.adversary.network
        return [*training.average.state_dict().values(), *judge.state_dict().values()]

    whole, parts = weights("whole", [3]), weights("parts", [1, 3])
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_training_brings_renders_nearer_to_the_picture(demo, encoder, residuals):
    one = Residuals(*(tensor[2:3] for tensor in vars(residuals).values()))
    recipe = replace(TINY, steps=60, heads=1, lr=1e-2, aligns=False, adversarial=0.0)
    training = trainer(demo, encoder, one, recipe)
    training.recipe = replace(recipe, fit=replace(recipe.fit, perceptual=0.0, identity=0.0))
    losses = [float(training.advance()["pixel"].detach()) for _ in range(25)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_grid_shows_pictures_codes_and_detail(demo, encoder, residuals):
    assert trainer(demo, encoder, residuals).grid(pictures=1, sides=(0.0,)).shape == (3, 24, 4 * 24)
