import dataclasses
import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from inv3d.core.editing.edits import make_edit, style_edit
from inv3d.core.errors import InputError, ModelError
from inv3d.core.generator import Detail, LocalFeatures
from inv3d.core.generator.detail import DetailFilm
from inv3d.core.head import CODES, DETAIL, EDITS, FRAMES, WEIGHTS, Head
from inv3d.core.latents import LatentTrack
from inv3d.core.lumigraph import Lumigraph
from inv3d.core.views import Views


def test_a_saved_head_renders_the_same_bits(head, tmp_path):
    head.save(tmp_path / "out" / "head")
    camera = head.camera(torch.tensor([0.3]), torch.tensor([0.1]))
    for folder in (tmp_path / "out", tmp_path / "out" / "head"):
        again = Head.load(folder)
        assert torch.equal(again.render(camera, 24).image, head.render(camera, 24).image)
        assert again.yaw_range == pytest.approx(head.yaw_range, abs=1e-4)


def with_detail(head: Head) -> Head:
    """The head with local features of a picture, and of another one aligned to it."""
    torch.manual_seed(0)
    film = DetailFilm(7, head.generator.decoded_features, 8).requires_grad_(False)
    film.out.weight.normal_(0.0, 0.3)

    def local(yaw: float) -> LocalFeatures:
        camera = head.camera(torch.tensor([yaw]), torch.tensor([0.1]))
        return LocalFeatures(torch.randn(1, 3, 16, 16), torch.randn(1, 4, 8, 8), torch.full((1, 1, 4, 4), 3.0), camera)

    return dataclasses.replace(head, detail=Detail(local(0.2), film, (local(-0.7), local(0.7)))).rounded()


def test_a_head_with_detail_comes_back_and_renders_the_same_bits(head, tmp_path):
    detailed, camera = with_detail(head), head.camera(torch.tensor([0.3]), torch.tensor([0.1]))
    detailed.save(tmp_path)
    again = Head.load(tmp_path)
    assert again.detail is not None and detailed.detail is not None
    assert torch.equal(again.detail.seen.camera.cam2world, detailed.detail.seen.camera.cam2world)
    assert len(again.detail.aligned) == 2
    image = again.render(camera, 24).image
    assert torch.equal(image, detailed.render(camera, 24).image)
    assert not torch.allclose(image, head.render(camera, 24).image, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": 31}, "decodes colours from 32 numbers, not 31"),
        ({"channels": 3}, "no features"),
        ({"channels": 9}, "has shape"),
        ({"hidden": 10**9}, "hidden should be"),
        ({"more": 1}, "more is unknown"),
    ],
)
def test_a_detail_of_another_model_or_of_wrong_sizes_is_refused(head, tmp_path, change, said):
    with_detail(head).save(tmp_path)
    path = tmp_path / DETAIL
    sizes = {"channels": 7, "features": 32, "hidden": 8} | change
    save_file(load_file(path), path, metadata={"detail": json.dumps(sizes)})
    with pytest.raises(InputError, match=said):
        Head.load(tmp_path)


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


def test_a_folder_without_a_head_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(InputError, match=r"contains no head|cannot be read"):
            Head.load(folder)


def changed_json(folder, change):
    description = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps(description | change))


def changed_tensors(path, change):
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 4}, "newer version"),
        ({"model": 3}, "model should be"),
        ({"model_fingerprint": "../../x"}, "model_fingerprint"),
        ({"latents": 0}, "latents should be"),
        ({"latents": 4}, "3 codes and 3 yaws where head.json lists 4"),
        ({"yaw_range_degrees": [10.0]}, "yaw_range_degrees"),
        ({"yaw_range_degrees": [10.0, float("nan")]}, "yaw_range_degrees.1 should be a finite number"),
        ({"yaw_range_degrees": [10.0, -10.0]}, "should ascend"),
        ({"yaw_range_degrees": [0.0, 1e9]}, "yaw_range_degrees.1 should be"),
        ({"pitch": 0.0}, "pitch is unknown"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change, said, head, tmp_path):
    head.save(tmp_path)
    changed_json(tmp_path, change)
    with pytest.raises(InputError, match=said):
        Head.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {"codes": t["codes"]}, "yaws is missing"),
        (lambda t: t | {"more": t["yaws"] + 1}, "more is unknown"),
        (lambda t: t | {"codes": t["codes"][:, :-1]}, "codes has shape"),
        (lambda t: t | {"codes": t["codes"][..., :-1]}, "codes has shape"),
        (lambda t: t | {"codes": t["codes"][0]}, "codes has shape"),
        (lambda t: {"wtri": t["codes"], "yaws": t["yaws"]}, r"wtri has shape \[3, 10, 256\], not"),
        (lambda t: t | {"wtri": t["codes"].clone()}, "codes is unknown"),
        (lambda t: t | {"codes": t["codes"].int()}, "codes contains I32"),
        (lambda t: t | {"codes": t["codes"] * torch.nan}, "codes contains NaN"),
        (lambda t: t | {"codes": t["codes"] * 1e20}, "codes contains larger values"),
        (lambda t: t | {"codes": t["codes"][:2]}, "2 codes and 3 yaws"),
        (lambda t: {name: tensor[:0] for name, tensor in t.items()}, "0 codes and 0 yaws"),
        (lambda t: t | {"yaws": t["yaws"].flip(0)}, "yaws should ascend"),
        (lambda t: t | {"yaws": t["yaws"] / 0.0}, "yaws contains NaN"),
        (lambda t: t | {"yaws": t["yaws"] * 100}, "within one full turn"),
        (lambda t: t | {"yaws": t["yaws"][:, None]}, "yaws has shape"),
    ],
)
def test_codes_that_do_not_fit_the_model_are_refused(change, said, head, tmp_path):
    head.save(tmp_path)
    changed_tensors(tmp_path / "codes.safetensors", change)
    with pytest.raises(InputError, match=said):
        Head.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {"generator." + name: tensor for name, tensor in t.items()}, "is unknown"),
        (lambda t: {name: tensor[:-1] for name, tensor in t.items()}, "has shape"),
        (lambda t: {name: tensor / 0.0 for name, tensor in t.items()}, "contains NaN or infinity"),
        (lambda t: {name: tensor.float() * 1e30 for name, tensor in t.items()}, "contains larger values"),
        (lambda t: {name: tensor.bool() for name, tensor in t.items()}, "contains BOOL"),
    ],
)
def test_weight_changes_that_do_not_fit_the_model_are_refused(change, said, head, tmp_path):
    head.save(tmp_path)
    changed_tensors(tmp_path / "weights.safetensors", change)
    with pytest.raises(InputError, match=said):
        Head.load(tmp_path)


@pytest.mark.parametrize("file", ["head.json", "codes.safetensors", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "nonsense", "folder", "pipe"])
def test_a_damaged_head_is_refused(file, damage, head, tmp_path):
    head.save(tmp_path)
    path = tmp_path / file
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else b"nonsense")
    with pytest.raises(InputError, match=file):
        Head.load(tmp_path)


def test_a_head_of_another_model_version_is_refused(head, tmp_path):
    head.save(tmp_path)
    changed_json(tmp_path, {"model_fingerprint": "0" * 16})
    with pytest.raises(ModelError, match="another version"):
        Head.load(tmp_path)


def test_a_head_of_a_missing_model_is_refused(head, tmp_path):
    head.save(tmp_path)
    changed_json(tmp_path, {"model": "../demo"})
    with pytest.raises(ModelError, match="not a valid model name"):
        Head.load(tmp_path)


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


def test_a_saved_head_with_frames_renders_the_same_bits(head, tmp_path):
    shown, camera = framed(head), head.camera(torch.tensor([0.1]), torch.zeros(1))
    shown.save(tmp_path)
    assert torch.equal(Head.load(tmp_path).render(camera, 24).image, shown.render(camera, 24).image)


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


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pictures", lambda tensor: tensor.float()),
        ("pictures", lambda tensor: tensor[:2]),
        ("pictures", lambda tensor: tensor[:, :3]),
        ("depth", lambda tensor: tensor * torch.nan),
        ("cam2world", lambda tensor: tensor[:, :3]),
        ("intrinsics", lambda tensor: None),
    ],
)
def test_damaged_frames_are_refused(head, tmp_path, name, change):
    framed(head).save(tmp_path)
    tensors = load_file(tmp_path / FRAMES)
    changed = change(tensors[name])
    rest = {key: tensor for key, tensor in tensors.items() if key != name}
    save_file(rest if changed is None else {**rest, name: changed.contiguous()}, tmp_path / FRAMES)
    with pytest.raises(InputError, match=FRAMES.replace(".", r"\.")):
        Head.load(tmp_path)


def test_a_head_without_any_frame_in_its_file_is_refused(head, tmp_path):
    framed(head).save(tmp_path)
    tensors = load_file(tmp_path / FRAMES)
    save_file({name: tensor[:0] for name, tensor in tensors.items()}, tmp_path / FRAMES)
    with pytest.raises(InputError, match="0 pictures"):
        Head.load(tmp_path)


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


def test_an_edited_head_comes_back_with_the_codes_of_the_fit(head, tmp_path):
    edited = smiling(smiling(head), -0.5)
    edited.save(tmp_path)
    assert torch.equal(load_file(tmp_path / CODES)["codes"], head.track.codes)
    again = Head.load(tmp_path)
    assert torch.allclose(again.track.codes, edited.track.codes, atol=1e-6)
    assert not torch.allclose(again.track.codes, head.track.codes, atol=1e-2)
    assert [str(edit) for edit in again.edits] == ["smile=+1", "smile=-0.5"]


def test_without_its_edits_a_head_is_the_one_that_was_fitted(head, tmp_path):
    smiling(head).save(tmp_path)
    again = Head.load(tmp_path)
    assert torch.equal(again.edited(()).track.codes, head.track.codes) and again.edited(()).origin is None
    once = smiling(smiling(head)).edited(smiling(head).edits)
    assert torch.allclose(once.track.codes, smiling(head).track.codes) and once.origin is head


def apart(head: Head) -> Head:
    """The head with codes in W_tri, whose planes differ."""
    space = head.generator.wtri_space
    assert space is not None
    codes = space.widened(head.track.codes)
    codes = codes + 0.1 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(5))
    return dataclasses.replace(head, track=head.track.with_codes(codes))


def test_a_head_in_w_tri_comes_back_with_its_edits(head, tmp_path):
    own = smiling(apart(head))
    own.save(tmp_path)
    again = Head.load(tmp_path)
    camera = head.camera(torch.tensor([0.3]), torch.zeros(1))
    assert again.origin is not None and own.origin is not None
    assert torch.equal(again.origin.track.codes, own.origin.track.codes)
    assert torch.equal(again.render(camera, 24).image, own.render(camera, 24).image)


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


def styled(head: Head, strength: float = 1.0) -> Head:
    return head.edited([*head.edits, style_edit(head.bundle.style("toon"), strength, head.edits, head.wplus)])


def test_a_styled_head_comes_back_with_the_weights_of_the_fit(head, tmp_path):
    own, camera = styled(smiling(head), 0.5), head.camera(torch.tensor([0.3]), torch.zeros(1))
    own.save(tmp_path / "styled")
    head.save(tmp_path / "fitted")
    tuned = [load_file(tmp_path / name / WEIGHTS) for name in ("styled", "fitted")]
    assert all(torch.equal(tuned[0][name], tuned[1][name]) for name in tuned[1]) and len(tuned[0]) == len(tuned[1])
    again = Head.load(tmp_path / "styled")
    assert [str(edit) for edit in again.edits] == ["smile=+1", "toon=+0.5"] and again.photographic == 0.5
    image = own.render(camera, 24).image
    assert torch.equal(again.render(camera, 24).image, image)
    assert not torch.allclose(image, smiling(head).render(camera, 24).image, atol=0.05)
    undone = again.edited(again.edits[:1]).render(camera, 24).image
    assert torch.equal(undone, smiling(head).render(camera, 24).image)


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


def test_a_head_in_a_style_that_the_model_lacks_is_refused(head, tmp_path):
    styled(head).save(tmp_path)
    record = json.loads((tmp_path / "head.json").read_text())
    record["edits"][0]["name"] = "oil"
    (tmp_path / "head.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="has no style 'oil'"):
        Head.load(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"displacements": torch.zeros(2, 10, 256)}, "2 edits where head.json lists 1"),
        ({"displacements": torch.zeros(1, 9, 256)}, "has shape"),
        ({"displacements": torch.full((1, 10, 256), torch.nan)}, "NaN or infinity"),
        ({"displacements": torch.full((1, 10, 256), 1e30)}, "larger values than any head"),
        (None, "it is missing"),
    ],
)
def test_damaged_edits_are_refused(tensors, said, head, tmp_path):
    smiling(head).save(tmp_path)
    (tmp_path / EDITS).unlink()
    if tensors is not None:
        save_file(tensors, tmp_path / EDITS)
    with pytest.raises(InputError, match=said):
        Head.load(tmp_path)
