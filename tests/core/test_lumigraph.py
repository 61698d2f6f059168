"""A ball with a painted surface stands for the head: its depth, its colours and what hides them are known exactly."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from inv3d.core import body
from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Render
from inv3d.core.lumigraph import Lumigraph
from inv3d.core.membrane import Membrane
from inv3d.core.tone import Tone
from inv3d.core.views import Views

RADIUS, SIZE, GREY, SPOT = 0.25, 96, 0.1, 0.02


def ball(camera: Camera, size: int = SIZE) -> tuple[Tensor, Tensor, Tensor]:
    """Depth and coverage [1,1,size,size] of the ball from one camera, and the points [1,3,size,size] that it shows."""
    rays = camera.rays(size)
    middle = -(rays.origins * rays.directions).sum(-1)
    root = middle.square() - rays.origins.square().sum(-1) + RADIUS**2
    depth = torch.where(root > 0, middle - root.clamp(min=0).sqrt(), middle)
    points = rays.origins + rays.directions * depth[..., None]
    shape = (1, 1, size, size)
    return depth.reshape(shape), (root > 0).float().reshape(shape), points.transpose(1, 2).reshape(1, 3, size, size)


def paint(points: Tensor) -> Tensor:
    """Colours [1,3,H,W] in [-1,1] that change slowly over the ball, and are the same on both sides."""
    return 0.8 * torch.sin(3.0 * points / RADIUS + torch.tensor([0.5 * torch.pi, 1.0, 2.0])[:, None, None])


def camera(yaw: float, pitch: float = 0.0) -> Camera:
    return look_at(torch.tensor([yaw]), torch.tensor([pitch]))


def frames(*yaws: float) -> Lumigraph:
    parts = [ball(camera(yaw)) for yaw in yaws]
    images = torch.cat([torch.where(alpha > 0, paint(points), torch.ones(())) for _, alpha, points in parts])
    cameras = look_at(torch.tensor(yaws), torch.zeros(len(yaws)))
    numbers = tuple(range(len(yaws)))
    mattes = torch.cat([alpha for _, alpha, _ in parts])
    views = Views(images, cameras, numbers, tuple(map(float, numbers)), mattes)
    return Lumigraph.of(views, torch.cat([depth for depth, _, _ in parts]))


def blank(seen_from: Camera) -> Render:
    """The ball in one colour before white, as a generator that knows its shape alone would render it."""
    depth, alpha, _ = ball(seen_from)
    image = torch.where(alpha > 0, torch.full((1, 3, SIZE, SIZE), GREY), torch.ones(()))
    return Render(image, image, depth, alpha)


def inner(seen_from: Camera, within: float = 0.8) -> Tensor:
    """Where the ball is seen well inside its silhouette [SIZE,SIZE]."""
    axis = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    edge = 4.2647 * RADIUS / 2.7
    return (axis[:, None].square() + axis.square()).sqrt() < within * edge


def error(image: Tensor, seen_from: Camera) -> float:
    """The mean difference to the true colours, well inside the silhouette."""
    where = inner(seen_from)
    return float((image - paint(ball(seen_from)[2])).abs().mean(1)[0][where].mean())


def spotted(lumigraph: Lumigraph, heights: tuple[float, ...]) -> Lumigraph:
    """The frames with a dark spot each, in front, at these heights (world units): something that moved between them."""
    pictures = lumigraph.pictures.clone()
    for i, height in enumerate(heights):
        points = ball(lumigraph.camera[i])[2][0]
        spot = points.sub(torch.tensor([0.0, height, RADIUS])[:, None, None]).square().sum(0)
        pictures[i, :3] = (pictures[i, :3] * (1.0 - torch.exp(-spot / SPOT**2))).round().byte()
    return dataclasses.replace(lumigraph, pictures=pictures)


def test_what_moved_between_two_frames_shows_once():
    heights = (-0.01, 0.01)
    two, middle = frames(-0.15, 0.15), camera(0.0)
    clean = two.onto(blank(middle), middle).image
    dark = (clean - spotted(two, heights).onto(blank(middle), middle).image)[0].mean(0)
    once = (clean - spotted(two, (0.0, 0.0)).onto(blank(middle), middle).image)[0].mean(0)
    assert dark.max() > 0.9 * once.max()
    row = float((dark.sum(1) * torch.arange(SIZE)).sum() / dark.sum())
    assert abs(row - (SIZE - 1) / 2) < 1.0


def test_other_light_changes_frames_coarsely():
    lit = frames(0.0, 0.3)
    fine = torch.ones(SIZE, SIZE)
    fine[::2, ::2], fine[1::2, 1::2] = -1.0, -1.0
    change = torch.full((2, 3, SIZE, SIZE), -0.1) + 0.3 * fine
    changed = (lit.relit(change).pictures.float() - lit.pictures.float()) / 255.0
    within = (lit.pictures[0, 0] > 40) & inner(camera(0.0))
    assert (changed[0, 0][within] + 0.1).abs().max() < 0.02
    assert torch.equal(changed[:, 3], torch.zeros(2, SIZE, SIZE))


def test_a_camera_between_frames_sees_their_colours():
    between = camera(0.15)
    render = blank(between)
    before = error(render.image, between)
    assert error(frames(0.0, 0.3).onto(render, between).image, between) < 0.06 * before


def test_a_frames_own_camera_sees_that_frame():
    three = frames(-0.5, 0.0, 0.5)
    found = three.onto(blank(camera(0.0)), camera(0.0)).image
    pictured = three.pictures[1, :3] / 127.5 - 1.0
    assert (found[0] - pictured)[:, inner(camera(0.0))].abs().mean() < 0.01


def test_what_no_frame_saw_stays_as_rendered():
    aside = camera(2.0)
    render = blank(aside)
    assert torch.equal(frames(-0.3, 0.0, 0.3).onto(render, aside).image[0][:, inner(aside)], render.image[0][:, inner(aside)])


@pytest.fixture
def as_they_are(monkeypatch):
    """Colours are not brought into line with each other."""
    monkeypatch.setattr(Membrane, "correction", lambda self, *_: torch.zeros(3, len(self.pixels)))


@pytest.mark.usefixtures("as_they_are")
def test_only_the_part_that_a_frame_saw_changes():
    """From 1 radian aside the frame's horizon lies at 0.54 of the ball's radius, and beyond it nothing is known."""
    aside = camera(1.0)
    found = frames(0.0).onto(blank(aside), aside).image
    changed = (found - blank(aside).image).abs().amax(1)[0]
    across = ((torch.arange(SIZE) + 0.5) / SIZE - 0.5) / (4.2647 * RADIUS / 2.7)
    known, beyond = inner(aside) & (across < 0.2), inner(aside, 0.9) & (across > 0.75)
    assert changed[known].mean() > 0.1 > 0.05 > changed[beyond].max()
    assert found[0][:, inner(aside)].amax() < 0.95  # nothing of the frame's white background


def test_the_other_side_looks_like_the_mirror_image():
    """A frame from the left tells the colours on the right, as far as no frame saw those."""
    right = camera(0.9)
    assert error(frames(-0.9).onto(blank(right), right).image, right) < 0.02 < 0.3 < error(blank(right).image, right)
    wrong = frames(-0.9, 0.9)
    wrong.pictures[0, :3] = 0
    assert error(wrong.onto(blank(right), right).image, right) < 0.02


def plain(lumigraph: Lumigraph, *levels: float) -> Lumigraph:
    """The frames with the ball in greys of these levels in [-1,1]."""
    pictures = lumigraph.pictures.clone()
    for picture, level in zip(pictures, levels, strict=True):
        picture[:3][:, picture[3] > 0] = round((level + 1) * 127.5)
    return dataclasses.replace(lumigraph, pictures=pictures)


def test_colours_that_no_frame_saw_come_into_line_with_those_around():
    """A generator that shows the ball too dark is put right beyond the frame's horizon too."""
    aside = camera(1.0)
    across = ((torch.arange(SIZE) + 0.5) / SIZE - 0.5) / (4.2647 * RADIUS / 2.7)
    beyond = inner(aside, 0.9) & (across > 0.6)
    found = plain(frames(0.0), GREY + 0.3).onto(blank(aside), aside).image
    assert (found[0][:, beyond] - GREY - 0.3).abs().mean() < 0.18  # of 0.3: it fades with the distance


def test_a_mirror_image_takes_on_the_light_of_the_frames_around_it():
    """The frame from the left is lit; what it tells about the right side, beyond the other frame, is no brighter than that
    side is where the other frame saw it."""
    aside = camera(0.9)
    across = ((torch.arange(SIZE) + 0.5) / SIZE - 0.5) / (4.2647 * RADIUS / 2.7)
    right = inner(aside) & (across > 0.5)
    found = plain(frames(-0.9, 0.1), 0.5, -0.1).onto(blank(aside), aside).image
    assert found[0][:, right].mean() < 0.2


@pytest.mark.usefixtures("as_they_are")
def test_what_a_frame_saw_too_flatly_counts_little_from_aside():
    """From 0.6 radians aside, what the frame saw at 75 degrees or more lies beyond 0.65 of the ball's radius."""
    aside = camera(0.6)
    truth = (paint(ball(aside)[2]) - GREY).abs().mean(1)[0]
    changed = (frames(0.0).onto(blank(aside), aside).image - blank(aside).image).abs().mean(1)[0]
    across = ((torch.arange(SIZE) + 0.5) / SIZE - 0.5) / (4.2647 * RADIUS / 2.7)
    row = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    flat, direct = (across > 0.65) & (across < 0.78), across.abs() < 0.2
    shares = [float((changed[row, part] / truth[row, part].clamp(min=0.1)).mean()) for part in (flat, direct)]
    assert shares[0] < 0.4 < 0.8 < shares[1]


def test_points_behind_the_frames_surface_are_not_painted():
    near = frames(0.0, 0.3)
    hidden = dataclasses.replace(near, depth=near.depth - 0.5)
    between = camera(0.15)
    found = hidden.onto(blank(between), between).image
    assert (found - blank(between).image)[0][:, inner(between)].abs().max() < 1e-3


def test_the_coverage_ends_where_that_of_a_near_frame_ends():
    """The generator's ball is too large; the frame's matte says so."""
    one = frames(0.0)
    small = one.pictures.clone()
    small[:, 3, :, : SIZE // 2] = 0
    found = dataclasses.replace(one, pictures=small).onto(blank(camera(0.0)), camera(0.0))
    where = inner(camera(0.0))
    assert found.alpha[0, 0, :, : SIZE // 2 - 2][where[:, : SIZE // 2 - 2]].max() < 0.05
    assert found.alpha[0, 0, :, SIZE // 2 + 2 :][where[:, SIZE // 2 + 2 :]].min() > 0.95


def test_of_two_frames_the_nearer_one_says_where_the_head_ends():
    """A shape that is too wide there must not show what a frame further aside has in that place."""
    lumigraph, cam = frames(0.0, 0.16), camera(0.02)
    pictures = lumigraph.pictures.clone()
    left = torch.arange(SIZE) < SIZE // 2
    pictures[0, :3, :, left], pictures[0, 3, :, left] = 255, 0  # the frame that is nearly at the camera shows nothing there
    narrower = dataclasses.replace(lumigraph, pictures=pictures)
    shown = narrower.onto(blank(cam), cam)
    where = inner(cam) & left
    assert float(shown.alpha[0, 0][where].mean()) < 0.3
    assert float(shown.alpha[0, 0][inner(cam) & ~left][SIZE:].mean()) > 0.9


def bordered(lumigraph: Lumigraph) -> tuple[Lumigraph, Tensor]:
    """The frames with a black rim around the ball, and where a picture has it [SIZE,SIZE]."""
    border = inner(camera(0.0), 1.1) & ~inner(camera(0.0), 1.03)
    pictures = lumigraph.pictures.clone()
    pictures[:, :3, border], pictures[:, 3, border] = 0, 255
    return dataclasses.replace(lumigraph, pictures=pictures), border


def foggy(seen_from: Camera, fog: float) -> Render:
    """The ball, and around it a little of what the generator takes for the head, partly as deep as the room behind."""
    render = blank(seen_from)
    alpha = render.alpha.clamp(min=fog)
    return dataclasses.replace(render, alpha=alpha, depth=torch.where(alpha < 1.0, 3.3, render.depth))


@pytest.mark.parametrize("fog", [0.0, 0.1])
def test_near_frames_show_what_the_generator_lacks_beyond_its_outline(fog):
    lumigraph, border = bordered(frames(-0.05, 0.05))
    shown = lumigraph.onto(foggy(camera(0.0), fog), camera(0.0))
    assert shown.image[0][:, border].mean() < -0.5 and shown.alpha[0, 0][border].mean() > 0.75
    further = ~inner(camera(0.0), 1.2) & inner(camera(0.0), 1.25)
    assert shown.image[0][:, further].mean() > 0.8 and shown.alpha[0, 0][further].mean() < 0.1


@pytest.mark.parametrize("fog", [0.0, 0.1])
def test_frames_from_other_sides_show_nothing_there(fog):
    """What they show in its place is the ball itself."""
    lumigraph, border = bordered(frames(-0.5, 0.5))
    shown = lumigraph.onto(foggy(camera(0.0), fog), camera(0.0))
    assert shown.image[0][:, border].mean() > 0.9 and shown.alpha[0, 0][border].mean() < 0.2


def test_without_a_frame_the_others_tell():
    three = frames(-0.4, 0.0, 0.4)
    rest = three.without(1)
    assert torch.equal(rest.camera.yaw, three.camera.yaw[[0, 2]])
    render = blank(camera(0.0))
    assert 0.0 < error(rest.onto(render, camera(0.0)).image, camera(0.0)) < 0.1
    assert frames(0.0).without(0).onto(render, camera(0.0)) is render


def test_several_cameras_are_served_in_order():
    two, cameras = frames(0.0, 0.4), look_at(torch.tensor([0.1, 0.3]), torch.zeros(2))
    ones = [blank(cameras[i]) for i in range(2)]
    both = Render(*(torch.cat(pair) for pair in zip(*((r.image, r.image_raw, r.depth, r.alpha) for r in ones), strict=True)))
    found = two.onto(both, cameras).image
    for i in range(2):
        assert torch.allclose(found[[i]], two.onto(ones[i], cameras[i]).image, atol=1e-5)


def fine_frames(yaw: float) -> Lumigraph:
    """One frame with twice the pixels: white where the model's own picture of it is black."""
    depth, alpha, _ = ball(camera(yaw))
    black = -torch.ones(1, 3, SIZE, SIZE)
    fine = torch.full((1, 3, 2 * SIZE, 2 * SIZE), 255, dtype=torch.uint8)
    return Lumigraph.of(Views(black, camera(yaw), (0,), (0.0,), alpha, fine), depth)


def test_finer_pictures_are_taken_where_there_are_any():
    fine = fine_frames(0.0)
    assert fine.size == 2 * SIZE
    found = fine.onto(blank(camera(0.0)), camera(0.0)).image[0]
    assert found.shape == (3, SIZE, SIZE) and found[:, inner(camera(0.0))].min() > 0.98


def test_finer_pictures_are_not_blurred_in_the_models_size():
    """Waves of four pixels of the model keep their height, also where its pixels are no whole number of the frame's."""

    def waves(size: int) -> Tensor:
        across = (torch.arange(size) + 0.5) / size * SIZE / 4.0
        return torch.sin(2.0 * torch.pi * across).expand(1, 3, size, size)

    depth, alpha, _ = ball(camera(0.0))
    fine = waves(SIZE * 11 // 8).add(1.0).mul(127.5).round().byte()
    frame = Lumigraph.of(Views(waves(SIZE), camera(0.0), (0,), (0.0,), alpha, fine), depth)
    found = frame.onto(blank(camera(0.0)), camera(0.0)).image
    within = inner(camera(0.0))
    assert (found - waves(SIZE))[0][:, within].abs().mean() < 0.09


def test_an_image_may_be_larger_than_its_render():
    """Stripes of one pixel of the frame come through where the render has half as many pixels."""
    stripes = fine_frames(0.0)
    stripes.pictures[:, :3, :, ::2] = 0
    large = stripes.onto(blank(camera(0.0)), camera(0.0), 2 * SIZE)
    middle = large.image[0, 0, SIZE, SIZE - 20 : SIZE + 20]
    assert large.image.shape[-1] == 2 * SIZE and large.depth.shape[-1] == SIZE
    assert (middle[1:] - middle[:-1]).abs().min() > 1.0


def test_at_rest_the_front_shows_the_same_from_all_sides():
    """Frames of different greys tell which of them a point has its colour from."""
    yaws, greys = (-0.6, 0.0, 0.6), (40, 120, 200)
    seen = frames(*yaws)
    pictures = seen.pictures.clone()
    pictures[:, :3] = torch.tensor(greys, dtype=torch.uint8)[:, None, None, None]
    turning = dataclasses.replace(seen, pictures=pictures)
    at_rest, aside = dataclasses.replace(turning, at_rest=True), camera(0.6)

    def shown(lumigraph: Lumigraph, yaw: float) -> float:
        """The grey of the point of the ball at a yaw."""
        point = RADIUS * torch.tensor([math.sin(yaw), 0.0, math.cos(yaw)])
        (column, row), _ = (each[0, 0] for each in aside.project(point.reshape(1, 1, 3)))
        image = lumigraph.onto(blank(aside), aside).image[0, 0] * 127.5 + 127.5
        return float(image[int(row * SIZE), int(column * SIZE)])

    assert shown(turning, 0.0) > 180 and shown(turning, 1.2) > 180
    assert abs(shown(at_rest, 0.0) - 120) < 25 and shown(at_rest, 1.2) > 180


def test_the_level_is_the_pitch_of_the_frames_nearby_or_of_their_mirror_images():
    cameras = look_at(torch.tensor([-1.0, -0.4, 0.2]), torch.tensor([-0.2, 0.0, 0.1]))
    tilted = dataclasses.replace(frames(-1.0, -0.4, 0.2), camera=cameras)
    levels = tilted.level(torch.tensor([-1.0, -0.4, 0.2, 1.0, 2.0, -0.1]))
    assert levels[:3].tolist() == pytest.approx([-0.2, 0.0, 0.1], abs=0.01)
    assert levels[3] == pytest.approx(-0.2, abs=0.01) and levels[4] == pytest.approx(-0.2, abs=0.01)
    assert 0.02 < levels[5] < 0.08


def test_a_body_that_stays_is_where_the_frames_show_it(monkeypatch):
    """A spot at the same place of all frames, low on the ball: not on it, if all below its middle stays where it is."""
    monkeypatch.setattr(body, "_NECK", (0.0, 0.02))
    two, middle = frames(-0.25, 0.25), camera(0.0)
    spot = torch.zeros(SIZE, SIZE)
    spot[58:64, 44:52] = 1.0
    pictures = torch.where(spot.bool() & (torch.arange(4)[:, None, None] < 3), 0, two.pictures)

    def dark(stays: bool) -> float:
        """How much darker the place is in a render from between the frames."""
        clean, spotty = (
            dataclasses.replace(two, pictures=each, body_stays=stays).onto(blank(middle), middle).image
            for each in (two.pictures, pictures)
        )
        return float((clean - spotty).mean(1)[0][spot.bool()].mean())

    assert dark(True) > 2.0 * dark(False)


def test_mirror_images_tell_the_outline_of_a_side_that_no_frame_shows():
    lumigraph, border = bordered(frames(-0.6, -0.5))
    aside = camera(0.5)
    shown = lumigraph.onto(blank(aside), aside)
    assert shown.image[0][:, border].mean() < -0.5 and shown.alpha[0, 0][border].mean() > 0.75


def test_the_light_of_mirror_images_is_mended_on_the_head_alone():
    """The mirror image is lighter than the frame beside it; the room behind both is not."""
    lit = plain(frames(-0.5, 0.1), 0.5, -0.1)
    aside = camera(0.5)
    outside = ~inner(aside, 1.1) & inner(aside, 1.2)
    assert (lit.onto(blank(aside), aside).image[0][:, outside] - 1.0).abs().max() < 0.01


@pytest.mark.parametrize("how_far", [0.2, 0.05])
def test_what_lies_outside_of_the_photo_tells_nothing(how_far):
    """The upper half of the picture was made up."""
    far = torch.zeros(1, 1, SIZE, SIZE)
    far[..., : SIZE // 2, :] = how_far
    front = frames(0.0)
    made_up = dataclasses.replace(front, outside=far).onto(blank(camera(0.0)), camera(0.0)).image[0]
    found = front.onto(blank(camera(0.0)), camera(0.0)).image[0]
    upper, lower = inner(camera(0.0)), inner(camera(0.0))
    upper[SIZE // 2 - 3 :], lower[: SIZE // 2 + 3] = False, False
    assert (made_up - found)[:, lower].abs().max() < 0.05 < 0.2 < (made_up - found)[:, upper].abs().mean()


def test_behind_the_head_shows_the_room_of_the_frames():
    """Frames lie on white, and the generator, which was not fitted to that, has a blue room."""
    near = camera(0.02)
    blue = torch.tensor([-1.0, -0.5, 0.5])[:, None, None].expand(1, 3, SIZE, SIZE)
    plain = blank(near)
    render = dataclasses.replace(plain, image=torch.where(plain.alpha > 0, plain.image, blue), behind=blue)
    shown = frames(0.0, 0.1).onto(render, near)
    assert (shown.image[0] - 1.0)[:, ~inner(near, 1.1)].abs().max() < 0.02
    assert shown.behind is not None and torch.allclose(shown.behind, torch.ones(1, 3, SIZE, SIZE), atol=1e-3)


@pytest.mark.parametrize("stays", [False, True])
def test_a_body_that_stays_shows_also_far_from_what_the_generator_takes_for_it(monkeypatch, stays):
    monkeypatch.setattr(body, "_NECK", (-0.02, 0.0))
    two, near = frames(-0.05, 0.05), camera(0.0)
    corner = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    corner[-16:, -16:] = True
    pictures = two.pictures.clone()
    pictures[:, :3, corner], pictures[:, 3, corner] = 0, 255
    shown = dataclasses.replace(two, pictures=pictures, body_stays=stays).onto(blank(near), near)
    assert (shown.image[0][:, corner].mean() < -0.5) == stays and (shown.alpha[0, 0][corner].mean() > 0.75) == stays


@pytest.mark.parametrize("yaw, frame", [(0.1, 1), (0.04, 0), (-0.1, 1)])
def test_mirror_images_take_over_where_only_they_are_near(yaw, frame):
    """Of the last frame and of one whose mirror image looks from beyond it, one shows a rim around the ball."""
    plain_frames = frames(0.05, -0.12)
    bordered_frames, border = bordered(plain_frames)
    for row in (0, 1):
        pictures = plain_frames.pictures.clone()
        pictures[row] = bordered_frames.pictures[row]
        seen = dataclasses.replace(plain_frames, pictures=pictures)
        rim = float(seen.onto(blank(camera(yaw)), camera(yaw)).alpha[0, 0][border].mean())
        assert rim > 0.5 if row == frame else rim < 0.3, row


@pytest.mark.parametrize("yaw", [0.0, 0.02])
@pytest.mark.parametrize("aside", [-0.5, 0.5])
def test_a_photo_from_the_front_is_not_mixed_with_its_mirror_image(yaw, aside):
    """What is on one side only, as a parting is, shows there, and not on both sides by half."""
    seen = frames(yaw)
    x = ball(camera(yaw))[2][0, 0]
    spot = torch.exp(-((x - 0.3 * RADIUS) / SPOT).square())
    parted = dataclasses.replace(seen, pictures=torch.cat([(seen.pictures[:, :3] * (1.0 - spot)).byte(), seen.pictures[:, 3:]], 1))
    beside = camera(aside)
    dark = (seen.onto(blank(beside), beside).image - parted.onto(blank(beside), beside).image)[0].mean(0)
    x = ball(beside)[2][0, 0]
    own, other = ((x - side * 0.3 * RADIUS).abs() < 0.5 * SPOT for side in (1.0, -1.0))
    shown = inner(beside, 0.9)
    assert dark[other & shown].mean() < 0.05 * dark[own & shown].mean()


def test_at_rest_no_cameras_side_chooses_mirror_images():
    seen = frames(0.05, -0.12)
    assert seen._left_behind(camera(0.1)) and not dataclasses.replace(seen, at_rest=True)._left_behind(camera(0.1))


def test_between_frames_mirror_images_never_take_over():
    """Though one may be nearer."""
    seen = spotted(frames(-0.3, -0.1, 0.02), (0.3, 0.3, 0.0))
    with_spot = seen.onto(blank(camera(0.0)), camera(0.0)).image
    without = frames(-0.3, -0.1, 0.02).onto(blank(camera(0.0)), camera(0.0)).image
    middle = inner(camera(0.0), 0.15)
    assert float((without - with_spot)[0, :, middle].mean()) > 0.1


def test_frames_in_black_and_white_make_renders_so():
    """Where no frame saw the ball, too."""
    seen = frames(0.0)
    grey = dataclasses.replace(seen, tone=Tone.of(torch.cat([seen.pictures[:, :1].expand(-1, 3, -1, -1), seen.pictures[:, 3:]], 1)))
    aside = camera(1.5)
    red = dataclasses.replace(blank(aside), image=blank(aside).image * torch.tensor([1.0, -1.0, -1.0])[:, None, None])
    assert grey.tone is not None and seen.tone is None
    shown = grey.toned(red).image
    assert (shown.amax(1) - shown.amin(1)).max() < 0.02 < (red.image.amax(1) - red.image.amin(1)).max()
    assert torch.equal(seen.toned(red).image, red.image)
