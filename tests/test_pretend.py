"""Every stage on a device that is not there (see `pretend`): nothing mixes devices, and steps do not make the host wait."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from inv3d import pipeline
from inv3d.core import cutout
from inv3d.core.bundle import load_bundle
from inv3d.core.encoders.e3dge import E3dge, E3dgeConfig
from inv3d.core.encoders.inverter import WtriInverter
from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D
from inv3d.core.encoders.local import small_local
from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.encoders.store import load_encoder
from inv3d.core.encoders.wtri import Wtri
from inv3d.core.generator import TriplaneGenerator, field, volume
from inv3d.core.headfile import save_head
from inv3d.core.helpers import OWN
from inv3d.core.inversion import reconstruction, stages
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.settings import PRESETS, OutputSettings
from inv3d.core.inversion.stages import Problem, fit_latents, fit_wplus, tune
from inv3d.core.metrics import judges
from inv3d.core.metrics.consistency import depth_consistency
from inv3d.core.repeatable import kind_of, refused
from inv3d.core.training.e3dge import SMALL_GLOBAL, GlobalTrainer
from inv3d.core.training.e3dge_local import SMALL_LOCAL, LocalTrainer
from inv3d.core.training.pictures import Pictures
from inv3d.core.training.preim3d import SMALL, EncoderTrainer
from inv3d.core.training.residuals import Residuals
from inv3d.core.training.wtri import SMALL_WTRI, WtriTrainer, config_for
from inv3d.core.views import Views
from inv3d.export.orbit import write_orbit
from inv3d.export.pictures import save_png
from inv3d.export.sides import shots
from inv3d.photos import PhotoJob, photos_to_heads
from inv3d.pipeline import VideoJob
from inv3d.video import track
from inv3d.video.material import Recording
from tests import tiny
from tests.people import portraits
from tests.pretend import DEVICE, DevicesMixedError, ordered, pretended

FEW = OutputSettings(orbit_frames=4, orbit_resolution=16, held_out=2, mesh_cells=12, texture=64)


@pytest.fixture(scope="module")
def there():
    with pretended() as made:
        yield made


def small(settings, steps=2):
    """A preset with few steps, rays and pixels."""
    rays = {"rays_per_view": 8, "whole_resolution": 16, "depth_rays": 8} if settings.rays_per_view else {}
    return replace(
        settings, wplus_steps=steps, latent_steps=steps, tuning_steps=steps, output=FEW, warping=0.1, smoothness=0.1, **rays
    )


@pytest.fixture(scope="module", params=["grid", "eg3d"])
def bundle(request, there, demo):
    config = tiny.like_demo(demo) if request.param == "grid" else tiny.CONFIG
    made = tiny.with_generator(load_bundle("demo", DEVICE), config, DEVICE)
    assert isinstance(made.generator, TriplaneGenerator)
    made.generator.compute_in_half_precision(True, True)  # as `load_bundle` does on CUDA
    return made


@pytest.fixture(scope="module")
def footage(bundle):
    """Flat pictures of a few sides, on the host, as they are cut out of a clip."""
    yaw = torch.linspace(-0.6, 0.6, 4)
    size = bundle.info.generator.resolution
    images, mattes = 0.1 * torch.randn(4, 3, size, size), torch.rand(4, 1, size, size)
    views = Views(images, bundle.info.camera(yaw, 0 * yaw), tuple(range(4)), tuple(map(float, range(4))), mattes)
    return Footage(views[[0, 3]], views[[1]], views[[2]])


@pytest.fixture
def repeating():
    with ordered():
        yield


@pytest.mark.parametrize("preset", PRESETS)
def test_all_presets_fit(bundle, footage, preset):
    head = invert(footage, bundle, small(PRESETS[preset]), latents=True).head
    assert head.generator.device == DEVICE and head.track.codes.device == DEVICE


def test_a_head_is_rendered_measured_and_exported(bundle, footage, tmp_path):
    settings = replace(small(PRESETS["fast"]), latent_steps=1, tuning_steps=0, wplus_steps=0)
    head = invert(footage, bundle, settings, latents=True).head.showing(footage.fitted)
    write_orbit(head, tmp_path / "orbit.mp4", 4, 16, 64)
    assert depth_consistency(head, 2, 8) >= 0.0
    assert len(shots(head, footage.targets, 16)) > 3
    save_head(head, tmp_path / "head")


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_deterministic_fits_use_no_kernel_without_an_order(bundle, footage, repeating, preset):
    """With super-resolution, moving cameras, several codes and tuning."""
    assert kind_of(DEVICE) == "cuda, deterministic" and kind_of(torch.device("cpu")) == "cpu"
    settings = replace(small(PRESETS[preset], 1), pose_start=0.0)
    invert(footage, bundle, settings, latents=True)


def test_a_kernel_without_an_order_is_refused(bundle, footage, repeating, monkeypatch):
    monkeypatch.setattr(field, "sample", lambda maps, grid, *_: torch.nn.functional.grid_sample(maps, grid, align_corners=False))
    with pytest.raises(RuntimeError) as caught:
        fit_wplus(Problem(bundle, footage.targets.to(DEVICE), None, small(PRESETS["fast"], 1), 0))
    told = refused(caught.value)
    assert told is not None and "kernel for grid_sampler_2d_backward_cuda" in told.message and "--device cpu" in told.hint


@pytest.mark.parametrize("preset", ["fast", "paper-fast", "paper"])
def test_steps_make_the_host_wait_for_nothing(bundle, footage, there, preset):
    """What the host reads, and what it sends from its own memory, stops the queue of kernels."""
    settings = replace(small(PRESETS[preset]), warping=0.0)  # no preset has it; its frontal render waits
    problem = Problem(bundle, footage.targets.to(DEVICE), footage.between.to(DEVICE), settings, 0)
    found = {}

    def note(stage, step, steps, losses):
        found[stage] = dict(there.waits)  # the first step prepares what all need
        there.waits.clear()

    code, *_ = fit_wplus(problem, note)
    track = fit_latents(problem, code, note)
    tune(problem, track, note)
    assert found == {"W+": {}, "latents": {}, "tuning": {}}


def test_reading_a_loss_is_counted(bundle, footage, there):
    problem = Problem(bundle, footage.targets.to(DEVICE), None, replace(small(PRESETS["fast"], 1)), 0)
    seen = []

    def read(stage, step, steps, losses):
        there.waits.clear()
        sum(losses.values())
        seen.append(dict(there.waits))

    fit_wplus(problem, read)
    (waits,) = seen
    assert len(waits) == 1 and "loop.py" in next(iter(waits)) and set(waits.values()) == {1}


FAULTS = {
    "pixels": (reconstruction, "pixel_centers", lambda made: made.cpu()),
    "targets": (reconstruction, "resize", lambda made: made.cpu()),
    "jitter": (volume, "_uniform", lambda made: made.cpu()),
    "prior": (stages, "latent_distance", lambda made: (made.cpu()[None] + made[None])[0]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_caught(bundle, footage, monkeypatch, name):
    where, function, spoil = FAULTS[name]
    own = getattr(where, function)
    monkeypatch.setattr(where, function, lambda *values: spoil(own(*values)))
    with pytest.raises(DevicesMixedError):
        fit_wplus(Problem(bundle, footage.targets.to(DEVICE), None, small(PRESETS["fast"], 1), 0))


def test_a_generator_of_the_host_draws_nothing_on_the_device(there):
    with pytest.raises(DevicesMixedError):
        torch.rand(2, generator=torch.Generator(), device=DEVICE)


def test_a_source_of_the_host_seeds_one_of_the_device(there):
    there.waits.clear()
    random, again = (torch.Generator().manual_seed(3) for _ in range(2))
    first, second = (volume._uniform((50,), random, DEVICE) for _ in range(2))
    assert first.device == DEVICE and not there.waits
    assert first.equal(volume._uniform((50,), again, DEVICE)) and not first.equal(second)


def test_what_a_gpu_refuses_is_refused(there):
    ours, others = torch.zeros(3, device=DEVICE), torch.ones(3)
    for mixed in (
        lambda: ours + others, lambda: torch.cat([ours, others]), lambda: torch.stack([ours.sum(), others.sum()]),
        lambda: others[ours.long()], lambda: torch.nn.functional.linear(ours, torch.eye(3)), ours.numpy,
    ):  # fmt: skip
        with pytest.raises(DevicesMixedError):
            mixed()
    assert (ours + others.sum()).device == DEVICE  # a number may come from the host


def test_gradients_cross_between_devices(there):
    leaf = torch.ones(3, requires_grad=True)
    (leaf.to(DEVICE) * torch.ones(3, device=DEVICE)).cumprod(0).sum().backward()
    assert leaf.grad is not None and leaf.grad.device == torch.device("cpu")


@pytest.mark.parametrize("bundle", ["grid"], indirect=True)
def test_a_clip_and_a_photo_become_heads(bundle, clip, tmp_path, monkeypatch):
    """Both commands with everything they write."""
    monkeypatch.setattr(pipeline, "load_bundle", lambda name, device: bundle)
    monkeypatch.setattr(track, "MAX_FRAMES", 5)
    monkeypatch.setattr(judges, "has_perceptual", lambda name: False)  # LPIPS cannot look at pictures so small
    monkeypatch.setattr(cutout, "has_encoder", lambda model, name: False)  # the encoder is that of `demo`
    settings = replace(small(PRESETS["fast"], 1), encoded=None, warping=0.0, smoothness=0.0)
    job = VideoJob(material=Recording.of(clip), out=tmp_path / "clip", views=2, latents=True, settings=settings, device=DEVICE, perceptual=OWN)
    assert pipeline.video_to_head(job)["device"] == DEVICE.type
    photo = tmp_path / "photo.png"
    save_png(photo, portraits("photo-900")[0])
    photo_job = PhotoJob(settings=settings, encoder=NO_ENCODER, refine=1, tune=1, device=DEVICE, perceptual=OWN)
    (result,) = photos_to_heads([photo], [tmp_path / "photo"], photo_job)
    assert result.error is None and (tmp_path / "photo" / "report.html").exists()


def test_the_encoder_reads_photos(there):
    codes = load_encoder("demo", PREIM3D, DEVICE)(torch.zeros(1, 3, 64, 64, device=DEVICE))
    assert codes.device == DEVICE


@pytest.mark.parametrize("ordered", [False, True])
def test_an_encoder_learns(bundle, there, request, ordered):
    """A round outside of the generator's domain, and one inside; samples along rays are not sent to the device."""
    if ordered:
        request.getfixturevalue("repeating")
    space, z = bundle.generator.code_space, torch.randn(3, bundle.generator.z_dim)
    images = torch.randint(256, (3, 3, 24, 24), dtype=torch.uint8)
    pictures = Pictures(images, torch.zeros(3), torch.zeros(3), z)
    recipe = replace(SMALL, batch=3, rendered=2, code_start=0, around_start=0, fit=small(SMALL.fit))
    encoder = build_encoder(small_config(space.num_ws, space.w_dim))
    trainer = EncoderTrainer(bundle, encoder, recipe, pictures, pictures, DEVICE)
    there.waits.clear()
    assert [{"pixel", "around"} <= set(trainer.advance()) for _ in range(2)] == [True, True]
    assert not [place for place in there.waits if "volume.py" in place]


def test_both_parts_of_e3dge_learn(bundle, repeating):
    """Codes, sides and shapes; then local detail, with its discriminator."""
    generator, space = bundle.generator, bundle.generator.code_space
    decoded = generator.decoded_features
    encoder = E3dge(E3dgeConfig(small_config(space.num_ws, space.w_dim), replace(small_local(decoded), render_size=16, input_size=32, aligner_size=32)))
    z, front = torch.randn(3, generator.z_dim), torch.zeros(3)

    def pictures(*views):
        return torch.randint(256, (3, *views, 3, 24, 24), dtype=torch.uint8)

    recipe = replace(SMALL_GLOBAL, batch=3, fit=small(SMALL_GLOBAL.fit), geometry_rays=8)
    first = GlobalTrainer(bundle, encoder, recipe, Pictures(pictures(), front, front, z), DEVICE)
    assert {"pixel", "code", "pose", "surface"} <= set(first.advance())
    codes = space.repeat(bundle.mean_code).cpu().expand(3, -1, -1)
    pairs = Residuals(pictures(2), pictures(2), torch.full((3, 2, 1, 16, 16), 2.7), torch.zeros(3, 2, 2), codes)
    second = LocalTrainer(bundle, first.average.local.requires_grad_(True), replace(SMALL_LOCAL, fit=small(SMALL_LOCAL.fit), patch=16), pairs, DEVICE)
    assert {"pixel", "alignment", "adversarial"} <= set(second.advance())


def test_an_encoder_into_w_tri_learns_and_reads_photos(bundle, repeating):
    pictures = Pictures(torch.randint(256, (3, 3, 24, 24), dtype=torch.uint8), torch.zeros(3), torch.zeros(3))
    recipe = replace(SMALL_WTRI, batch=2, cycled=2, fit=small(SMALL_WTRI.fit))
    config = config_for(bundle)
    sizes: dict[str, Any] = {"input_size": 64, "widths": (16,) * 4, "units": (1,) * 4, "style_width": 16, "code_width": 16}
    upper = config.superresolution and replace(config.superresolution, **sizes)
    config = replace(config, backbone=replace(config.backbone, **sizes), superresolution=upper, passes=2)
    trainer = WtriTrainer(bundle, Wtri(config), recipe, pictures, DEVICE)
    assert {"pixel", "cycle"} <= set(trainer.advance())
    view = Views(torch.zeros(1, 3, 24, 24), bundle.info.front, (0,), (0.0,))
    codes = WtriInverter(trainer.average)(view, bundle).codes
    assert codes.device == DEVICE and codes.shape[1] == bundle.generator.wtri_space.num_ws
