import dataclasses

import pytest
import torch

from inv3d.core.camera import Camera
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import Start
from inv3d.core.errors import UsageError
from inv3d.core.headfile import load_head, save_head
from inv3d.core.helpers import OWN
from inv3d.core.inversion.invert import Footage, invert, without_outliers
from inv3d.core.inversion.settings import FAST
from inv3d.core.networks.aligner import Aligner
from inv3d.core.views import Views

YAWS = (-0.6, -0.2, 0.2, 0.6)
QUICK = dataclasses.replace(
    FAST, wplus_steps=15, latent_steps=1, tuning_steps=3, rays_per_view=64, samples=6, whole_resolution=24
)
NONE = dataclasses.replace(QUICK, wplus_steps=0, tuning_steps=0)


@pytest.fixture(scope="module")
def code(demo):
    z = torch.randn(1, demo.generator.z_dim, generator=torch.Generator().manual_seed(5))
    return demo.generator.mapping(z)


def views(demo, code, yaws, first, wrong=()):
    """Renders of a code from `yaws`; those of the rows `wrong` claim to be from the other side."""

    def cameras(angles: list[float]) -> Camera:
        return demo.info.camera(torch.tensor(angles), torch.zeros(len(angles)))

    with torch.no_grad():
        images = torch.cat([demo.generator(code, cameras([yaw]), 48).image for yaw in yaws])
    claimed = [yaw + 1.2 * (row in wrong) for row, yaw in enumerate(yaws)]
    return Views(images, cameras(claimed), tuple(range(first, first + len(yaws))), tuple(0.1 * yaw for yaw in yaws))


def footage(demo, code, wrong_targets, wrong_between):
    targets = views(demo, code, YAWS, 0, wrong_targets)
    return Footage(targets, views(demo, code, YAWS[:3], 4, wrong_between), targets[[]])


def test_views_with_wrong_poses_are_left_out_and_named(demo, code):
    left, lost = without_outliers(footage(demo, code, {1}, {2}), code, demo)
    assert left.targets.frames == (0, 2, 3) and left.between.frames == (4, 5)
    assert [frame for frame, _ in lost] == [1, 6] and [time for _, time in lost] == pytest.approx([-0.02, 0.02])


def test_views_that_agree_all_stay(demo, code):
    whole = footage(demo, code, (), ())
    left, lost = without_outliers(whole, code, demo)
    assert left.targets.frames == whole.targets.frames and left.between.frames == whole.between.frames
    assert lost == ()


def test_rooms_become_one_colour_where_mattes_are_known(demo, code):
    clip = footage(demo, code, (), ())

    class Left(Aligner):
        """Says that the left half of every picture is the head."""

        def matte(self, image):
            half = torch.zeros(len(image), 1, 64, 64)
            # the picture comes with its mirror image
            count = len(image) // 2
            half[:count, ..., :32], half[count:, ..., 32:] = 1.0, 1.0
            return half

    knowing = dataclasses.replace(demo, own_aligner=Left())
    laid = clip.without_room(cut_out_named(OWN, knowing))
    assert laid.targets.mattes.shape == (4, 1, 48, 48) and laid.between.mattes.shape == (3, 1, 48, 48)
    assert torch.allclose(laid.targets.images[..., :16], clip.targets.images[..., :16])
    right = laid.targets.images[..., 40:].transpose(0, 1).flatten(1)
    assert right.std(1).amax() < 1e-4 and torch.allclose(right[:, 0], laid.between.images[0, :, 0, -1], atol=1e-4)
    assert clip.without_room(cut_out_named(OWN, dataclasses.replace(demo, own_aligner=Aligner(matte=False)))) is clip


def test_the_first_code_is_shown_and_the_perceptual_weight_follows_the_network(demo, code):
    clip = footage(demo, code, (), ())
    quick = dataclasses.replace(QUICK, wplus_steps=1, latent_steps=0, tuning_steps=0)
    shown, weights = [], []
    for typical in (0.1, 0.2):
        first: list[float] = []
        invert(
            clip, dataclasses.replace(demo, helper_typical=typical), quick,
            look=lambda targets, code: shown.append((targets.frames, code.shape)),
            progress=lambda stage, step, steps, losses, first=first: first.append(losses["perceptual"]),
        )  # fmt: skip
        weights += first
    assert shown == [((0, 1, 2, 3), (1, *code.shape[1:]))] * 2
    assert weights[0] == pytest.approx(2 * weights[1], rel=1e-4)


def test_a_clip_gets_one_code_per_view_if_asked(demo, code):
    clip = footage(demo, code, (), ())
    quick = dataclasses.replace(QUICK, wplus_steps=2, tuning_steps=1)
    several, one = (invert(clip, demo, quick, latents=latents).head for latents in (True, False))
    assert len(several.track) == 4 and len(one.track) == 1
    assert several.yaw_range == pytest.approx((-0.6, 0.6), abs=0.05)


def test_no_steps_keep_code_camera_and_generator(demo, code):
    photo = Footage.of_one(views(demo, code, (0.2,), 0))
    made = invert(photo, demo, NONE, start=Start(code))
    assert torch.equal(made.head.track.codes, code)
    assert torch.equal(made.footage.targets.cameras.cam2world, photo.targets.cameras.cam2world)
    assert made.head.generator is demo.generator


def test_without_a_start_the_code_is_the_mean(demo, code):
    made = invert(Footage.of_one(views(demo, code, (0.2,), 0)), demo, NONE)
    assert torch.equal(made.head.track.codes[0, 3], demo.mean_code)


def test_in_w_an_encoders_code_begins_at_the_mean_of_its_vectors(demo, code):
    apart = code + torch.linspace(-1.0, 1.0, code.shape[1])[:, None]
    made = invert(Footage.of_one(views(demo, code, (0.2,), 0)), demo, dataclasses.replace(NONE, space="w"), start=Start(apart))
    assert torch.allclose(made.head.track.codes, code, atol=1e-5)


def apart(demo, code):
    """The code in W_tri, with planes that differ."""
    wide = demo.generator.wtri_space.widened(code)
    return wide + 0.1 * torch.randn(wide.shape, generator=torch.Generator().manual_seed(1))


def test_a_start_in_w_tri_stays_there_or_goes_where_the_settings_say(demo, code):
    photo, wide = Footage.of_one(views(demo, code, (0.2,), 0)), apart(demo, code)

    def track(space, start):
        return invert(photo, demo, dataclasses.replace(NONE, space=space), start=Start(start)).head.track.codes

    assert torch.equal(track("wtri", wide), wide)
    assert torch.equal(track("wtri", code), demo.generator.wtri_space.widened(code))
    assert torch.equal(track("w+", wide), demo.generator.wtri_space.narrowed(wide))
    w = track("w", wide)
    assert w.shape == code.shape and torch.equal(w, w[:, :1].expand_as(w))


def test_planes_move_apart_in_w_tri_and_the_head_comes_back(demo, code, tmp_path):
    photo = Footage.of_one(views(demo, code, (0.2,), 0))
    quick = dataclasses.replace(QUICK, space="wtri", wplus_steps=2, tuning_steps=1)
    stages = []
    made = invert(photo, demo, quick, progress=lambda stage, *step: stages.append(stage))
    space = demo.generator.wtri_space
    xy, yz = (space.take(made.head.track.codes, name) for name in ("xy", "yz"))
    assert stages == ["W_tri", "W_tri", "tuning"] and not torch.allclose(xy, yz)
    save_head(made.head, tmp_path)
    camera = demo.info.camera(torch.tensor([0.1]), torch.zeros(1))
    assert torch.equal(load_head(tmp_path).render(camera, 16).image, made.head.render(camera, 16).image)


def test_a_model_without_planes_has_no_w_tri(demo, code, monkeypatch):
    monkeypatch.setattr(type(demo.generator), "wtri_space", None)
    with pytest.raises(UsageError, match="no planes"):
        invert(Footage.of_one(views(demo, code, (0.2,), 0)), demo, dataclasses.replace(NONE, space="wtri"))


def test_steps_bring_a_photo_nearer_and_kept_stages_are_not_run_again(demo, code):
    photo = Footage.of_one(views(demo, code, (0.2,), 0))
    kept, told = {}, []

    def keep(name, make):
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def error(made):
        render = made.head.render(made.footage.targets.cameras, 48).image
        return float((render - photo.targets.images).square().mean())

    first = invert(photo, demo, QUICK, keep=keep)
    assert error(first) < 0.7 * error(invert(photo, demo, NONE))
    assert set(kept) == {"wplus", "tuned"}
    again = invert(photo, demo, QUICK, keep=keep, progress=lambda *step: told.append(step))
    assert not told and torch.equal(again.head.track.codes, first.head.track.codes)
    assert torch.equal(again.footage.targets.cameras.cam2world, first.footage.targets.cameras.cam2world)
