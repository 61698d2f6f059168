import dataclasses
import math

import pytest
import torch

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, Rays, look_at
from inv3d.core.generator import Generator, volume
from inv3d.core.inversion import stages
from inv3d.core.inversion.poses import correct
from inv3d.core.inversion.reconstruction import Reconstruction
from inv3d.core.inversion.settings import FAST, PAPER, PAPER_FAST, PRESETS, preset_for
from inv3d.core.inversion.stages import (
    Problem,
    _sampled_pass,
    _whole_passes,
    fit_latents,
    fit_pose,
    fit_wplus,
    search_pose,
    tune,
)
from inv3d.core.inversion.warping import depth_smoothness
from inv3d.core.latents import LatentTrack
from inv3d.core.metrics.consistency import mean_deviation
from inv3d.core.views import Views
from tests import tiny


@pytest.fixture(scope="module")
def problem(demo: Bundle) -> Problem:
    """Three views and two in between of a head that the generator can make."""
    yaw = torch.tensor([-0.6, -0.3, 0.0, 0.3, 0.6])
    cameras = look_at(yaw, torch.zeros(5))
    codes = demo.generator.mapping(
        torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(8))
    )
    images = torch.cat([demo.generator(codes, cameras[i], 32).image for i in range(5)])
    views = Views(images, cameras, tuple(range(5)), tuple(i / 10 for i in range(5)))
    settings = dataclasses.replace(
        FAST,
        wplus_steps=12,
        latent_steps=4,
        tuning_steps=4,
        rays_per_view=128,
        whole_resolution=32,
        depth_rays=64,
    )
    return Problem(demo, views[[0, 2, 4]], views[[1, 3]], settings, seed=0)


@pytest.fixture(scope="module")
def upscaled(problem: Problem) -> Problem:
    """The same of a small generator with super-resolution, for which the views mean nothing."""
    return dataclasses.replace(problem, bundle=tiny.with_generator(problem.bundle))


def error(problem: Problem, generator: Generator, track: LatentTrack) -> float:
    views = problem.views
    with torch.no_grad():
        renders = torch.cat(
            [generator(track.at(views.cameras[i]), views.cameras[i], 32).image for i in range(len(views))]
        )
    return float((renders - views.images).square().mean())


@pytest.fixture(scope="module")
def fitted(problem):
    return fit_wplus(problem)


def test_wplus_comes_nearer_to_the_views(problem, fitted):
    code, offsets, noise = fitted
    assert noise == {}  # the model has no noise maps
    generator = problem.bundle.generator
    mean = LatentTrack(generator.code_space.repeat(generator.mean_w[None]), torch.zeros(1))
    assert error(problem, generator, LatentTrack(code, torch.zeros(1))) < 0.6 * error(problem, generator, mean)
    assert offsets.shape == (3, 6) and offsets.abs().max() < 0.05


def test_the_same_seed_gives_the_same_code(problem, fitted):
    again, *_ = fit_wplus(problem)
    assert torch.equal(again, fitted[0])
    other, *_ = fit_wplus(dataclasses.replace(problem, seed=1))
    assert not torch.equal(other, fitted[0])


def test_latents_leave_the_single_code_one_by_one(problem, fitted):
    track = fit_latents(problem, fitted[0])
    assert len(track) == 3 and torch.equal(track.yaws, problem.yaws)
    assert (track.codes - fitted[0]).flatten(1).norm(dim=1).min() > 0
    assert track.neighbour_distance() > 0


def test_distance_regularisation_keeps_codes_together(problem, fitted):
    def spread(weight: float) -> float:
        settings = dataclasses.replace(problem.settings, distance=weight, latent_steps=8, latent_lr=0.02)
        return fit_latents(dataclasses.replace(problem, settings=settings), fitted[0]).neighbour_distance()

    assert spread(100.0) < 0.7 * spread(0.0)


def test_tuning_changes_a_copy_and_lowers_the_error(problem, fitted):
    track = LatentTrack(fitted[0], torch.zeros(1))
    before = {name: tensor.clone() for name, tensor in problem.bundle.generator.state_dict().items()}
    settings = dataclasses.replace(problem.settings, tuning_steps=15)
    tuned = tune(dataclasses.replace(problem, settings=settings), track)
    assert all(torch.equal(before[name], tensor) for name, tensor in problem.bundle.generator.state_dict().items())
    assert error(problem, tuned, track) < error(problem, problem.bundle.generator, track)
    assert not any(p.requires_grad for p in tuned.parameters())


def test_whole_images_go_the_papers_way(upscaled):
    paper = dataclasses.replace(upscaled, settings=dataclasses.replace(PAPER, wplus_steps=1, latent_steps=1))
    code, offsets, _ = fit_wplus(paper)
    assert not offsets.any()  # the paper keeps its cameras
    seen = []
    fit_latents(paper, code, lambda stage, step, steps, losses: seen.append(set(losses)))
    assert {"perceptual", "pixel", "identity", "depth", "distance"} <= seen[0]


def test_whole_images_share_what_a_code_looks_like(upscaled, monkeypatch):
    """Planes are made once a step: of a single code for all views, of several for a view and for the depth term."""
    calls = []
    synthesis = upscaled.bundle.generator.backbone.synthesis
    own = synthesis.forward

    def forward(codes, *options):
        calls.append(len(codes))
        return own(codes, *options)

    monkeypatch.setattr(synthesis, "forward", forward)
    paper = dataclasses.replace(upscaled, settings=dataclasses.replace(PAPER, wplus_steps=1, latent_steps=1))
    told = []

    def count(stage, step, steps, losses):
        told.append((len(calls), losses.get("depth")))
        calls.clear()

    fit_latents(paper, fit_wplus(paper, count).code, count)
    assert [calls for calls, _ in told] == [1, 5]
    assert told[0][1] is None and told[1][1] > 0.0


def test_the_fast_presets_learn_what_super_resolution_shows(upscaled):
    settings = dataclasses.replace(upscaled.settings, tuning_steps=1)
    track = LatentTrack(upscaled.bundle.generator.mapping(torch.zeros(1, 8)), torch.zeros(1))
    tuned = tune(dataclasses.replace(upscaled, settings=settings), track).get_submodule("superresolution").state_dict()
    before = upscaled.bundle.generator.superresolution.state_dict()
    assert not torch.equal(tuned["block1.conv1.weight"], before["block1.conv1.weight"])


def test_a_window_is_compared_with_what_the_image_shows_there(upscaled, monkeypatch):
    monkeypatch.setattr(volume, "_uniform", lambda shape, random, device: torch.full(shape, 0.5))
    generator, random = upscaled.bundle.generator, torch.Generator().manual_seed(3)
    scene, camera = generator.scene(generator.mapping(torch.ones(1, 8))), upscaled.views.cameras[0]
    image = generator.render(scene, camera, random=random).image
    reconstruction = Reconstruction(upscaled.bundle, dataclasses.replace(FAST, window=12), random)

    def losses(image: torch.Tensor, mattes: torch.Tensor | None = None) -> dict[str, float]:
        found = reconstruction.window(generator, scene, camera, image, torch.ones(1), generator.window_margin, mattes)
        return {name: float(loss) for name, loss in found.items()}

    assert max(losses(image).values()) < 1e-5
    assert losses(image.flip(3))["pixel"] > 1e-5 and losses(image.transpose(2, 3))["pixel"] > 1e-5
    mattes = torch.zeros_like(image[:, :1])
    mattes[..., ::2] = 1.0  # in any window
    painted = torch.lerp(torch.ones(()), image, mattes)
    assert losses(painted, mattes)["pixel"] > 1e-3
    reconstruction.head_alone = True
    assert max(losses(painted, mattes).values()) < 1e-5 and losses(painted)["pixel"] > 1e-3


@pytest.mark.parametrize("sampled", [True, False])
def test_a_camera_alone_is_not_drawn_to_a_heads_outline(problem, sampled):
    """The code has more hair than the photo, which ends where its matte does: a smaller face would not mend that."""
    generator = problem.bundle.generator
    code = generator.mapping(torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(8)))
    place = torch.linspace(-1.0, 1.0, 32)
    matte = (torch.hypot(place, place[:, None]) < 0.6).float()[None, None]
    camera = look_at(torch.zeros(1), torch.zeros(1))
    image = torch.lerp(torch.ones(()), generator(code, camera, 32).image, matte)
    settings = dataclasses.replace(FAST, pose_steps=20, whole_resolution=32, rays_per_view=128 if sampled else None)

    def magnified(mattes: torch.Tensor | None) -> float:
        view = Views(image, camera, (0,), (0.0,), mattes)
        return float(fit_pose(dataclasses.replace(problem, views=view, between=None, settings=settings), code)[0, 5])

    free = magnified(None)
    assert free < -0.02 and abs(magnified(matte)) < 0.3 * abs(free)


def test_drawn_whole_views_stand_for_all(problem, fitted, monkeypatch):
    steps, compared = 300, []
    drawn: dict[float, float] = {}
    settings = dataclasses.replace(PAPER_FAST, views_per_step=2, between_per_step=1)
    problem = dataclasses.replace(problem, settings=settings)
    reconstruction = Reconstruction(problem.bundle, settings, problem.random(3))
    track = LatentTrack(fitted[0].repeat(3, 1, 1), problem.yaws)

    def whole(self, generator, scene, cameras, images, weights, **options):
        yaw = round(float(cameras.yaw), 3)
        drawn[yaw] = drawn.get(yaw, 0.0) + float(weights) / steps
        return {"pixel": torch.zeros((), requires_grad=True)}

    def depth(self, generator, scene, rays):
        compared.append(scene)
        return torch.zeros(1)

    class Flat:
        def held(self):
            return self, lambda: None

    monkeypatch.setattr(Reconstruction, "scene", lambda self, generator, codes: Flat())
    monkeypatch.setattr(Reconstruction, "whole", whole)
    monkeypatch.setattr(Reconstruction, "depth", depth)
    for _ in range(steps):
        list(_whole_passes(problem, reconstruction, problem.bundle.generator, track, None))
    assert drawn == pytest.approx({-0.6: 1 / 3, 0.0: 1 / 3, 0.6: 1 / 3, -0.3: 1 / 2, 0.3: 1 / 2}, rel=0.15)
    assert len(compared) == 2 * steps and len({id(scene) for scene in compared[:2]}) == 2


def test_frames_in_between_teach_several_codes_alone(problem):
    def learned(problem: Problem, several_codes: bool) -> list[tuple[tuple[int, ...], float]]:
        return [(lesson.views.frames, lesson.weight) for lesson in problem.lessons(several_codes)]

    halved = dataclasses.replace(problem, settings=dataclasses.replace(problem.settings, interpolation=0.5))
    assert learned(halved, several_codes=False) == [((0, 2, 4), 1.0)]
    assert learned(halved, several_codes=True) == [((0, 2, 4), 1.0), ((1, 3), 0.5)]
    alone = dataclasses.replace(problem, settings=dataclasses.replace(problem.settings, interpolation=0.0))
    assert learned(alone, several_codes=True) == [((0, 2, 4), 1.0)]


def test_mirror_images_teach_the_sides_that_nobody_filmed(problem):
    """Of views to the left alone, those far from the middle: when tuning, with one code too, and never whole."""
    mirrored = dataclasses.replace(problem, between=None, settings=dataclasses.replace(problem.settings, symmetry=0.25))
    assert [len(lesson.views) for lesson in mirrored.lessons(True)] == [3]  # both sides were filmed
    left = dataclasses.replace(mirrored, views=problem.views[[0, 1]], between=problem.between[[0]])
    *_, lesson = left.lessons(False)
    assert lesson.views.frames == (0,) and lesson.weight == 0.25 and not lesson.whole
    assert float(lesson.views.cameras.yaw) == pytest.approx(0.6, abs=1e-4)
    assert lesson.views.images.equal(problem.views.images[[0]].flip(3))
    assert len(left.searching.lessons(True)) == 2  # mirror images have no offsets of their own


def test_a_head_that_was_filmed_from_one_side_is_searched_for_and_tuned(problem):
    settings = dataclasses.replace(problem.settings, wplus_steps=4, latent_steps=1, tuning_steps=2, symmetry=0.25)
    left = Problem(problem.bundle, problem.views[[0, 1]], problem.between[[0]], settings, seed=0)
    code = fit_wplus(left).code
    track = fit_latents(left, code)
    drawn = []
    tune(left, track, lambda stage, step, steps, losses: drawn.append(losses["pixel"]))
    assert len(drawn) == 2 and all(loss == loss for loss in drawn)


def test_drawn_views_stand_for_all(problem, fitted, monkeypatch):
    """Over many steps every view weighs what it would if each step took them all; the whole ones likewise."""
    steps = 600
    drawn: dict[float, float] = {}
    whole: dict[float, float] = {}

    def record(where, cameras, weights):
        for yaw, weight in zip(cameras.yaw.tolist(), weights.tolist(), strict=True):
            where[round(yaw, 3)] = where.get(round(yaw, 3), 0.0) + weight / steps
        return {"pixel": torch.zeros(())}

    def rays(self, generator, scene, cameras, images, weights, mattes, filmed):
        assert len(scene) == len(cameras) == 3
        return record(drawn, cameras, weights)

    def whole_view(self, generator, scene, cameras, images, weights, *rest):
        assert len(scene) == len(cameras) == 2
        return record(whole, cameras, weights)

    monkeypatch.setattr(Reconstruction, "scene", lambda self, generator, codes: codes)  # counts like a scene
    monkeypatch.setattr(Reconstruction, "rays", rays)
    monkeypatch.setattr(Reconstruction, "whole", whole_view)
    settings = dataclasses.replace(problem.settings, views_per_step=2, between_per_step=1, depth=0.0)
    problem = dataclasses.replace(problem, settings=settings)
    reconstruction = Reconstruction(problem.bundle, settings, problem.random(3))
    track = LatentTrack(fitted[0].repeat(3, 1, 1), problem.yaws)
    for _ in range(steps):
        _sampled_pass(problem, reconstruction, problem.bundle.generator, track, None)
    expected = {-0.6: 1 / 3, 0.0: 1 / 3, 0.6: 1 / 3, -0.3: 1 / 2, 0.3: 1 / 2}
    assert drawn == pytest.approx(expected, rel=0.15)
    assert whole == pytest.approx(expected, rel=0.25)


def test_depths_of_two_targets_are_compared_in_every_step(problem, fitted):
    seen = []
    settings = dataclasses.replace(problem.settings, views_per_step=2, tuning_steps=4, depth=1.0)
    track = LatentTrack(fitted[0] + 0.1 * torch.arange(3.0)[:, None, None], problem.yaws)
    tune(dataclasses.replace(problem, settings=settings), track, lambda *a: seen.append(a[3]))
    assert all(losses["depth"] > 0 for losses in seen)


def test_tuning_looks_at_whole_views_of_its_own_size(problem, fitted, monkeypatch):
    sizes = []
    between = problem.bundle.perceptual.between

    def noted(a, b):
        sizes.append(2 * a[0].shape[-1])
        return between(a, b)

    monkeypatch.setattr(problem.bundle.perceptual, "between", noted)
    settings = dataclasses.replace(problem.settings, wplus_steps=1, tuning_steps=1, tuning_resolution=40)
    fit_wplus(dataclasses.replace(problem, settings=settings))
    tune(dataclasses.replace(problem, settings=settings), LatentTrack(fitted[0], torch.zeros(1)))
    assert sizes == [problem.settings.whole_resolution, 40]


def test_a_disturbed_camera_comes_back(problem):
    wrong = correct(problem.views.cameras, torch.tensor([[0.0, 0.06, 0.0, 0.0, 0.0, 0.0]] * 3))
    settings = dataclasses.replace(problem.settings, wplus_steps=40, warping=0.3)
    views = dataclasses.replace(problem.views, cameras=wrong)
    _, offsets, _ = fit_wplus(dataclasses.replace(problem, views=views, settings=settings))
    before = (wrong.yaw - problem.yaws).abs().mean()
    assert (correct(wrong, offsets).yaw - problem.yaws).abs().mean() < 0.7 * before


def searched(problem: Problem, code: torch.Tensor, by: float, steps: int, axis: int = 1) -> tuple[Camera, float]:
    """The camera of the middle view, turned by so many degrees about an axis, as it is found for a `code`, and how far that is from
    the right one, in degrees."""
    view, turn = problem.views[[1]], torch.zeros(1, 6)
    turn[0, axis] = math.radians(by)
    wrong = correct(view.cameras, turn)
    settings = dataclasses.replace(problem.settings, pose_steps=steps, alone_lr=0.015)
    task = dataclasses.replace(problem, views=dataclasses.replace(view, cameras=wrong), settings=settings)
    found = correct(wrong, search_pose(task, code))
    cosine = ((found.cam2world * view.cameras.cam2world)[0, :3, :3].sum() - 1.0) / 2.0
    return found, math.degrees(math.acos(min(1.0, float(cosine))))


def test_a_camera_is_found_from_afar(problem, fitted):
    """Coarse turns bring it near, steps nearer, from the side and from a tilt."""
    assert 3.5 < searched(problem, fitted.code, 34.0, 1)[1] < 8.0
    assert searched(problem, fitted.code, 34.0, 30)[1] < 3.5
    assert searched(problem, fitted.code, 15.0, 30, axis=2)[1] < 3.5


def test_a_search_turns_cameras_alone_and_asks_neither_networks_nor_outlines(problem, fitted, monkeypatch):
    def seen(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Reconstruction, "whole", seen)
    views = dataclasses.replace(problem.views, mattes=torch.zeros_like(problem.views.images[:, :1]))
    found, _ = searched(dataclasses.replace(problem, views=views), fitted.code, 15.0, 3)
    assert torch.equal(found.cam2world, searched(problem, fitted.code, 15.0, 3)[0].cam2world)
    assert torch.equal(found.intrinsics, problem.views.cameras[1].intrinsics)


@pytest.mark.parametrize(("nearer", "moves"), [(0.0, False), (10.0, True)])
def test_a_camera_from_afar_has_to_be_clearly_nearer(problem, fitted, monkeypatch, nearer, moves):
    monkeypatch.setattr(stages, "_NEARER", nearer)
    assert (searched(problem, fitted.code, 37.0, 1)[1] < 6.0) == moves


def test_a_camera_is_found_whatever_the_colours(problem, fitted):
    views = dataclasses.replace(problem.views, images=problem.views.images + torch.tensor([0.4, -0.3, 0.2])[:, None, None])
    found, _ = searched(dataclasses.replace(problem, views=views), fitted.code, 15.0, 3)
    assert torch.allclose(found.cam2world, searched(problem, fitted.code, 15.0, 3)[0].cam2world, atol=0.01)


def test_the_points_of_a_face_count_of_a_single_view(problem):
    few = dataclasses.replace(problem, settings=dataclasses.replace(problem.settings, wplus_steps=2))
    told = []
    for views in (few.views[[1]], few.views):
        fit_wplus(dataclasses.replace(few, views=views, between=None), lambda stage, step, steps, losses: told.append(dict(losses)))
    alone, several = told[0], told[-1]
    assert alone["features"] > 0.0 and "features" not in several
    without = dataclasses.replace(few, bundle=dataclasses.replace(few.bundle, face=None), views=few.views[[1]], between=None)
    fit_wplus(without, lambda stage, step, steps, losses: told.append(dict(losses)))
    assert "features" not in told[-1]


def test_in_w_all_layers_read_the_same_vector(problem):
    code, *_ = fit_wplus(dataclasses.replace(problem, settings=dataclasses.replace(problem.settings, space="w", wplus_steps=2)))
    assert torch.equal(code, code[:, :1].expand_as(code)) and not torch.equal(code[0, 0], problem.bundle.mean_code)


WAITS = [
    ((0.0, 0.9), False, False, True),
    ((0.9, 0.0), False, False, False),
    ((0.9, 0.9), True, False, True),
    ((0.0, 0.9), True, True, False),
    ((0.9, 0.0), True, True, True),
]


@pytest.mark.parametrize(("wait", "encoded", "searched", "moves"), WAITS)
def test_cameras_wait_for_a_code_that_starts_at_the_mean_or_that_they_were_searched_without(problem, wait, encoded, searched, moves):
    first, again = wait
    settings = dataclasses.replace(problem.settings, wplus_steps=2, pose_start=first, pose_return=again, pose_search=searched)
    start = problem.bundle.generator.code_space.repeat(problem.bundle.mean_code[None]) if encoded else None
    assert bool(fit_wplus(dataclasses.replace(problem, settings=settings), start=start).offsets.any()) == moves


def test_tuning_alone_smooths_and_has_its_own_weight_of_pixels(problem, fitted):
    """A search would smooth the surface by leaving the person."""
    settings = dataclasses.replace(problem.settings, wplus_steps=1, tuning_steps=1, smoothness=1.0, pixel=0.0, tuning_pixel=2.0)
    few, told = dataclasses.replace(problem, settings=settings), []
    fit_wplus(few, lambda stage, step, steps, losses: told.append(dict(losses)))
    tune(few, LatentTrack(fitted[0], torch.zeros(1)), lambda stage, step, steps, losses: told.append(dict(losses)))
    search, tuning = told
    assert "smoothness" not in search and search["pixel"] == 0.0
    assert tuning["smoothness"] > 0.0 and tuning["pixel"] > 0.0


ONLY = {"perceptual": 0.0, "pixel": 0.0, "absolute": 0.0, "identity": 0.0, "prior": 0.0, "pose_lr": 0.0}


def test_smoothness_flattens_depth_during_tuning(problem):
    settings = dataclasses.replace(problem.settings, **ONLY, tuning_steps=40, smoothness=1.0)
    z = torch.randn(1, problem.bundle.generator.z_dim, generator=torch.Generator().manual_seed(8))
    code = problem.bundle.generator.mapping(z)

    def roughness(generator: Generator) -> float:
        with torch.no_grad():
            render = generator(code, problem.views.cameras, 32)
            return float(depth_smoothness(render.depth, render.alpha).mean())

    tuned = tune(dataclasses.replace(problem, settings=settings), LatentTrack(code, torch.zeros(1)))
    assert roughness(tuned) < 0.95 * roughness(problem.bundle.generator)


def test_identity_alone_makes_the_person_more_alike(problem):
    settings = dataclasses.replace(problem.settings, **{**ONLY, "identity": 1.0}, wplus_steps=10)
    generator, views = problem.bundle.generator, problem.views

    def likeness(code: torch.Tensor) -> float:
        with torch.no_grad():
            renders = generator(code, views.cameras, 32).image
            return float(problem.bundle.identity.similarity(renders, views.images).mean())

    code, *_ = fit_wplus(dataclasses.replace(problem, settings=settings))
    assert likeness(code) > likeness(generator.code_space.repeat(generator.mean_w[None])) + 0.05


def test_the_prior_holds_the_code_to_the_mean(problem):
    mean = problem.bundle.mean_code

    def moved(prior: float) -> float:
        settings = dataclasses.replace(problem.settings, prior=prior)
        code, *_ = fit_wplus(dataclasses.replace(problem, settings=settings))
        return float((code - mean).square().mean())

    assert moved(30.0) < 0.3 * moved(0.0)


def test_the_depth_term_makes_codes_agree(problem, fitted):
    track = LatentTrack(fitted[0] + 0.15 * torch.linspace(-1.0, 1.0, 3)[:, None, None], problem.yaws)

    def disagreement(weight: float, seed: int) -> float:
        settings = dataclasses.replace(problem.settings, **ONLY, interpolation=0.0, tuning_steps=16, depth=weight)
        generator = tune(dataclasses.replace(problem, settings=settings, seed=seed), track)
        with torch.no_grad():
            scene = generator.scene(track.codes)
            rays = Rays(*(r.expand(3, -1, -1) for r in problem.views.cameras[1].rays(24)))
            return mean_deviation(generator.render_rays(scene, rays).depth[None])

    with_term, without = (sum(disagreement(weight, seed) for seed in range(3)) for weight in (50.0, 0.0))
    assert with_term < 0.8 * without


@pytest.mark.parametrize("sampled", [True, False])
def test_mattes_empty_what_they_do_not_cover(problem, fitted, sampled):
    """With nothing but mattes that say "empty", the head becomes more transparent, by pixels and by whole views."""
    alone = dataclasses.replace(
        problem.settings, perceptual=0.0, pixel=0.0, absolute=0.0, identity=0.0, coverage=1.0, tuning_steps=2, tuning_lr=3e-3,
        rays_per_view=128 if sampled else None, whole_resolution=None if sampled else 32,
    )  # fmt: skip
    views = dataclasses.replace(problem.views[[1]], mattes=torch.zeros(1, 1, 32, 32))
    track = LatentTrack(fitted[0], torch.zeros(1))

    def covered(generator: Generator) -> float:
        with torch.no_grad():
            return float(generator(fitted[0], views.cameras, 32).alpha.mean())

    changed = tune(dataclasses.replace(problem, views=views, between=None, settings=alone), track)
    assert covered(changed) < 0.95 * covered(problem.bundle.generator)


@pytest.mark.parametrize("sampled", [True, False])
def test_what_was_not_filmed_does_not_count(problem, fitted, sampled):
    """Whatever the upper half of the pictures shows, which was made up: the weights end alike, but for what the seam mixes."""
    settings = dataclasses.replace(
        problem.settings, perceptual=0.0, identity=0.0, coverage=1.0, tuning_steps=2, rays_per_view=64 if sampled else None,
        whole_resolution=32 if sampled else None,
    )  # fmt: skip
    count, above = len(problem.views), torch.zeros(1, 1, 32, 32)
    above[..., :16, :] = 0.1

    def tuned(shade: float, outside: torch.Tensor | None) -> torch.Tensor:
        images = torch.where(above > 0.0, shade, problem.views.images)
        mattes = torch.where(above > 0.0, 0.5 - shade, 0.5).expand(count, -1, -1, -1)
        views = dataclasses.replace(problem.views, images=images, mattes=mattes, outside=outside)
        task = dataclasses.replace(problem, views=views, between=None, settings=settings)
        return torch.cat([each.flatten() for each in tune(task, LatentTrack(fitted[0], torch.zeros(1))).parameters()])

    made_up = above.expand(count, -1, -1, -1)
    apart, before = (float((tuned(0.4, known) - tuned(-0.4, known)).norm()) for known in (made_up, None))
    assert apart < 0.2 * before


def test_tuning_fills_up_what_was_not_filmed_with_what_the_codes_show(problem, fitted):
    """Left to itself, it grew: a head that the frame cut off got a tower of hair."""
    track, generator = LatentTrack(fitted[0], torch.zeros(1)), problem.bundle.generator
    above = torch.zeros(len(problem.views), 1, 32, 32)
    above[..., :16, :] = 0.1
    views = dataclasses.replace(problem.views, mattes=torch.zeros_like(above), outside=above)
    completed = dataclasses.replace(problem, views=views, between=views[[]]).completed(track)
    filled = completed.views
    assert completed.between is not None and not len(completed.between)  # a photo has none
    assert filled.outside is None and filled.mattes is not None
    assert torch.equal(filled.images[..., 16:, :], views.images[..., 16:, :]) and not filled.mattes[..., 16:, :].any()
    with torch.no_grad():
        own = generator(fitted[0], views.cameras[0], 32)
    assert (filled.images[0, :, :15] - own.image[0, :, :15]).abs().mean() < 0.05
    assert (filled.mattes[0, :, :15] - own.alpha[0, :, :15]).abs().mean() < 0.05 < own.alpha[0, :, :15].mean()
    assert problem.completed(track).views.images is problem.views.images


def test_presets_follow_the_device():
    assert preset_for(torch.device("cpu")).name == "fast"
    assert preset_for(torch.device("cuda")).name == "paper"
    assert all(name == preset.name for name, preset in PRESETS.items())
    assert (PAPER.perceptual, PAPER.pixel, PAPER.prior, PAPER.identity, PAPER.wplus_lr, PAPER.wplus_steps) == (
        1.0,
        0.1,
        1.0,
        1.0,
        0.1,
        500,
    )
    assert FAST.weighing(2.0).perceptual == FAST.perceptual / 2 and FAST.weighing(2.0).identity == FAST.identity
    assert FAST.scaled(0.5).wplus_steps == FAST.wplus_steps // 2


@pytest.mark.parametrize("most", [1 << 29, 0])
def test_networks_look_at_a_target_once_for_all_steps_if_there_is_memory(problem, monkeypatch, most):
    class Counting:
        def __init__(self, network):
            self.network, self.looks = network, 0

        def features(self, images):
            self.looks += not images.requires_grad
            return self.network.features(images)

        def between(self, a, b):
            return self.network.between(a, b)

    perceptual = Counting(problem.bundle.perceptual)
    counted = dataclasses.replace(problem, bundle=dataclasses.replace(problem.bundle, perceptual=perceptual))
    monkeypatch.setattr("inv3d.core.inversion.reconstruction._MOST_KNOWN", most)
    known = fit_latents(counted, problem.bundle.generator.code_space.repeat(problem.bundle.mean_code[None]))
    views, steps = len(problem.views) + len(problem.between), problem.settings.latent_steps
    assert perceptual.looks == views + 2 if most else perceptual.looks == 2 * steps + 2
    again = fit_latents(problem, problem.bundle.generator.code_space.repeat(problem.bundle.mean_code[None]))
    torch.testing.assert_close(known.codes, again.codes, rtol=1e-4, atol=1e-4)
