import dataclasses

import pytest
import torch
from torch import Tensor

from inv3d.core.editing.edits import make_edit, style_edit
from inv3d.core.errors import InputError
from inv3d.core.generator import Detail, LocalFeatures
from inv3d.core.generator.detail import DetailFilm
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.core.lumigraph import Lumigraph
from inv3d.core.views import Views


def with_detail(head: Head) -> Head:
    """The head with local features of a picture, and of another one aligned to it."""
    torch.manual_seed(0)
    film = DetailFilm(7, head.generator.decoded_features, 8).requires_grad_(False)
    film.out.weight.normal_(0.0, 0.3)

    def local(yaw: float) -> LocalFeatures:
        camera = head.camera(torch.tensor([yaw]), torch.tensor([0.1]))
        return LocalFeatures(torch.randn(1, 3, 16, 16), torch.randn(1, 4, 8, 8), torch.full((1, 1, 4, 4), 3.0), camera)

    return dataclasses.replace(head, detail=Detail(local(0.2), film, (local(-0.7), local(0.7)))).rounded()


def test_every_camera_gets_its_own_code(head):
    cameras = head.camera(torch.tensor([-0.8, 0.9]), torch.zeros(2))
    both = head.render(cameras, 16).image
    own, other = head.render(cameras[1], 16).image, head.render(cameras[0], 16).image
    assert (both[1:] - own).abs().mean() < 1e-3 < (both[1:] - other).abs().mean()


def test_the_grid_of_all_codes_serves_every_render(head):
    camera = head.camera(torch.tensor([0.2]), torch.zeros(1))
    with torch.no_grad():
        exact = head.generator(head.track.at(camera), camera, 48).image
    assert (head.render(camera, 48).image - exact).square().mean() < 1e-3
    assert head.scene(head.track.codes).grid.shape[0] == 1


def test_one_code_makes_its_planes_once(head, monkeypatch):
    single = Head(head.generator, LatentTrack(head.track.codes[:1], torch.zeros(1)), head.bundle, head.yaw_range)
    made, planes = [], head.generator.planes

    def noted(codes, detail=None):
        made.append(len(codes))
        return planes(codes)

    monkeypatch.setattr(head.generator, "planes", noted)
    camera = head.camera(torch.tensor([0.2, 0.4]), torch.zeros(2))
    both = single.render(camera, 16).image
    made.clear()
    assert torch.allclose(both[:1], single.render(camera[0], 16).image, atol=1e-4) and not made


def test_renders_side_by_side_are_those_made_one_by_one(head):
    cameras = head.camera(torch.tensor([-0.9, -0.2, 0.3, 0.8]), torch.zeros(4))
    threads = torch.get_num_threads()
    images = head.render_each(cameras, lambda render: render.image, 24)
    for i, image in enumerate(images):
        assert torch.allclose(image, head.render(cameras[i], 24).image, atol=1e-4)
    assert torch.get_num_threads() == threads


def test_a_head_that_renders_no_numbers_is_refused(head):
    wild = LatentTrack(head.track.codes * torch.inf, head.track.yaws)
    with pytest.raises(InputError, match="renders NaN or infinity"):
        dataclasses.replace(head, track=wild).render(head.camera(torch.zeros(1), torch.zeros(1)), 16)


def framed(head: Head) -> Head:
    """The head with three frames that show noise."""
    images = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    cameras = head.camera(torch.tensor([-0.4, 0.0, 0.4]), torch.zeros(3))
    return head.showing(Views(images, cameras, (0, 1, 2), (0.0, 0.1, 0.2)))


def test_frames_lend_their_colours_unless_the_generator_is_asked_alone(head):
    camera, shown = head.camera(torch.tensor([0.1]), torch.zeros(1)), framed(head)
    alone, lent = shown.render(camera, 24, frames=False), shown.render(camera, 24)
    assert torch.equal(alone.image, head.render(camera, 24).image)
    assert (lent.image - alone.image).abs().mean() > 0.05
    assert torch.equal(lent.depth, alone.depth)


def test_a_view_is_predicted_without_its_own_frame(head):
    shown = framed(head)
    assert shown.lumigraph is not None
    cameras = shown.lumigraph.camera
    alone = shown.render_each(cameras, lambda render: render, 24, frames=False)
    as_it_is = shown.with_frames(alone, cameras)
    predicted = shown.with_frames(alone, cameras, each_without_its_own=True)
    expected = shown.lumigraph.without(1).onto(alone[1], cameras[1])
    assert torch.equal(predicted[1].image, expected.image)
    assert not torch.equal(predicted[1].image, as_it_is[1].image)


def test_a_picture_beyond_the_models_own_size_takes_no_more_rays(head):
    """With frames, more pixels are the frames'; without, they are rays."""
    shown, camera, own = framed(head), head.camera(torch.tensor([0.1]), torch.zeros(1)), head.generator.resolution
    large = shown.render(camera, 2 * own)
    assert large.behind is not None and large.image.shape[-1] == 2 * own and large.depth.shape[-1] == own == large.behind.shape[-1] // 2
    assert shown.render(camera, 2 * own, frames=False).depth.shape[-1] == 2 * own


def test_a_head_with_frames_is_shown_from_both_sides(head):
    one_sided = dataclasses.replace(head, yaw_range=(-1.0, 0.2))
    assert one_sided.shown_range == (-1.0, 0.2) and framed(one_sided).shown_range == (-1.0, 1.0)
    assert framed(dataclasses.replace(head, yaw_range=(-0.3, 0.7))).shown_range == (-0.7, 0.7)


def test_only_frames_finer_than_the_model_ask_for_larger_pictures(head):
    assert head.finest is None and framed(head).finest is None
    own = head.generator.resolution
    views = Views(
        torch.zeros(1, 3, own, own), head.camera(torch.zeros(1), torch.zeros(1)), (0,), (0.0,),
        fine=torch.zeros(1, 3, 2 * own, 2 * own, dtype=torch.uint8),
    )  # fmt: skip
    assert head.showing(views).finest == 2 * own


def smiling(head: Head, strength: float = 1.0) -> Head:
    assert head.bundle.directions is not None
    smile = head.bundle.directions["smile"]
    return head.edited([*head.edits, make_edit(smile, strength, head.wplus, head.generator.code_space)])


def apart(head: Head) -> Head:
    """The head with codes in W_tri, whose planes differ."""
    space = head.generator.wtri_space
    assert space is not None
    codes = space.widened(head.track.codes)
    codes = codes + 0.1 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(5))
    return dataclasses.replace(head, track=head.track.with_codes(codes))


def test_an_edit_moves_the_vectors_of_all_planes_alike(head):
    own, space = apart(head), head.generator.wtri_space
    darker = make_edit(head.bundle.directions["dark-skin"], 2.0, own.wplus, head.generator.code_space)
    edited = own.edited([darker])
    moved = edited.track.codes - own.track.codes
    assert torch.allclose(moved, space.widened(darker.displacement).expand_as(moved), atol=1e-5)
    xy, xz, yz = (space.take(moved, name) for name in ("xy", "xz", "yz"))
    assert torch.allclose(xy, xz, atol=1e-5) and torch.allclose(xz, yz, atol=1e-5) and float(xy.abs().max()) > 0.05
    assert torch.allclose(edited.wplus - own.wplus, darker.displacement.expand_as(own.wplus), atol=1e-5)


def test_the_front_of_an_edited_head_is_edited(head):
    front = smiling(head).frontal()
    assert torch.allclose(front.track.codes, smiling(head.frontal()).track.codes, atol=1e-5)
    assert front.origin is not None and len(front.origin.track) == 1


def test_the_frames_of_a_front_have_its_light(head):
    lamp = make_edit(head.bundle.directions["light-left"], 2.0, head.wplus, head.generator.code_space).displacement
    code, yaws = head.track.codes[:1], torch.tensor([-0.4, 0.0, 0.4])
    lit = dataclasses.replace(head, track=LatentTrack(torch.cat([code - lamp, code, code + lamp]), yaws))
    cameras = head.camera(yaws, torch.zeros(3))
    views = Views(torch.cat(lit.render_each(cameras, lambda render: render.image)), cameras, (0, 1, 2), (0.0, 1.0, 2.0))
    shown = lit.showing(views)
    front = shown.frontal()
    truth = Lumigraph.of(
        dataclasses.replace(views, images=torch.cat(front.render_each(cameras, lambda render: render.image, frames=False))),
        shown.lumigraph.depth,
    )
    before, after = (
        (each.lumigraph.pictures[:, :3].float() - truth.pictures[:, :3].float()).abs().mean((1, 2, 3))
        for each in (shown, front)
    )
    assert after[0] < 0.5 * before[0] and after[2] < 0.5 * before[2] and before[[0, 2]].min() > 2.0
    change = (front.lumigraph.pictures.float() - shown.lumigraph.pictures.float()).abs().mean((1, 2, 3))
    assert change[1] < 0.2 * change[[0, 2]].min()  # the front itself keeps its light


def test_renders_of_edits_are_those_of_edited_heads(head):
    camera = head.camera(torch.tensor([0.3]), torch.zeros(1))
    framed = head.showing(Views(head.render(camera).image, camera, (0,), (0.0,)))
    choices = [(), smiling(head, 2.0).edits]
    for one in (head, framed):
        plain, edited = one.render_edits(choices, camera, lambda render: render.image, 32)
        assert torch.allclose(plain, one.facing(camera).render(camera, 32, sparse=True).image, atol=1e-5)
        assert torch.allclose(edited, one.facing(camera).edited(choices[1]).render(camera, 32, sparse=True).image, atol=1e-5)
        assert not torch.allclose(edited, plain, atol=0.02)


def test_a_head_that_faces_a_camera_has_the_code_of_that_view(head):
    camera = head.camera(torch.tensor([0.9]), torch.zeros(1))
    facing = smiling(head).facing(camera)
    assert torch.allclose(facing.track.codes[0], smiling(head).track.codes[2], atol=1e-5)
    assert facing.origin is not None and torch.allclose(facing.origin.track.codes[0], head.track.codes[2], atol=1e-5)


def test_an_edited_head_keeps_what_frames_add(head):
    camera = head.camera(torch.tensor([0.1]), torch.zeros(1))
    size = head.generator.raw_resolution
    spotted = head.render(camera, size).image.clone()
    spotted[:, :, 30:34, 126:130] += 0.8  # in the hair, which a smile does not move
    framed = head.showing(Views(spotted, camera, (0,), (0.0,)))
    edited = smiling(framed)
    own, shown = edited.render(camera, 96, frames=False).image, edited.render(camera, 96).image
    spot = (shown - own)[0, :, 10:14, 46:50]
    assert float(spot.max()) > 0.2
    assert torch.allclose(own, smiling(head).render(camera, 96).image, atol=1e-5)


def test_a_head_of_black_and_white_frames_stays_so_when_it_smiles(head):
    camera = head.camera(torch.tensor([0.1]), torch.zeros(1))
    grey = head.render(camera).image.mean(1, keepdim=True).expand(1, 3, -1, -1)
    edited = smiling(head.showing(Views(grey, camera, (0,), (0.0,))), 2.0)
    aside = head.camera(torch.tensor([0.6]), torch.zeros(1))

    def coloured(image: Tensor) -> float:
        return float((image.amax(1) - image.amin(1)).max())

    assert coloured(edited.render(aside, 48, frames=False).image) > 0.2
    assert coloured(edited.render(aside, 48).image) < 0.02
    (several,) = edited.render_edits([edited.edits], aside, lambda render: render.image, 48)
    assert coloured(several) < 0.02


def styled(head: Head, strength: float = 1.0) -> Head:
    return head.edited([*head.edits, style_edit(head.bundle.style("toon"), strength, head.edits, head.wplus)])


def test_a_style_takes_the_place_of_half_of_what_tuning_has_changed(head):
    name = "decoder.net.0.bias"
    own, base = head.generator.state_dict()[name], head.bundle.generator.state_dict()[name]
    untuned = styled(dataclasses.replace(head, generator=head.bundle.generator)).generator.state_dict()[name]
    worn = styled(head).generator.state_dict()[name]
    assert torch.allclose(worn - untuned, 0.5 * (own - base), atol=1e-5) and float((own - base).abs().max()) > 1e-3


def test_styles_add_up(head):
    camera = head.camera(torch.tensor([0.3]), torch.zeros(1))
    twice, once = styled(styled(head, 0.25), 0.75), styled(head)
    assert torch.allclose(twice.render(camera, 24).image, once.render(camera, 24).image, atol=1e-3)


def test_what_is_photographic_gives_way_to_a_style(head):
    camera = head.camera(torch.tensor([0.1]), torch.zeros(1))
    for own in (framed(head), with_detail(head)):
        whole, none = styled(own), styled(own, 0.5)
        assert torch.allclose(whole.render(camera, 24).image, styled(head).render(camera, 24).image, atol=1e-4)
        assert not torch.allclose(none.render(camera, 24).image, styled(head, 0.5).render(camera, 24).image, atol=1e-2)
    sharp = styled(framed(head))
    choices = [(), sharp.edits]
    plain, worn = sharp.render_edits(choices, camera, lambda render: render.image, 24)
    assert torch.allclose(plain, framed(head).facing(camera).render(camera, 24, sparse=True).image, atol=1e-5)
    assert torch.allclose(worn, sharp.facing(camera).render(camera, 24, sparse=True).image, atol=1e-4)
