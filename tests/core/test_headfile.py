import dataclasses
import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from inv3d.core.errors import InputError, ModelError
from inv3d.core.generator import Bend, Hull
from inv3d.core.headfile import BEND, CODES, DETAIL, EDITS, FRAMES, HULL, WEIGHTS, load_head, save_head
from inv3d.core.views import Views
from tests.core.test_head import apart, framed, smiling, styled, with_detail


def test_a_saved_head_renders_the_same_bits(head, tmp_path):
    save_head(head, tmp_path / "out" / "head")
    camera = head.camera(torch.tensor([0.3]), torch.tensor([0.1]))
    for folder in (tmp_path / "out", tmp_path / "out" / "head"):
        again = load_head(folder)
        assert torch.equal(again.render(camera, 24).image, head.render(camera, 24).image)
        assert again.yaw_range == pytest.approx(head.yaw_range, abs=1e-4)


def test_a_head_with_detail_comes_back_and_renders_the_same_bits(head, tmp_path):
    detailed, camera = with_detail(head), head.camera(torch.tensor([0.3]), torch.tensor([0.1]))
    save_head(detailed, tmp_path)
    again = load_head(tmp_path)
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
    save_head(with_detail(head), tmp_path)
    path = tmp_path / DETAIL
    sizes = {"channels": 7, "features": 32, "hidden": 8} | change
    save_file(load_file(path), path, metadata={"detail": json.dumps(sizes)})
    with pytest.raises(InputError, match=said):
        load_head(tmp_path)


def test_a_folder_without_a_head_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(InputError, match=r"contains no head|cannot be read"):
            load_head(folder)


def changed_json(folder, change):
    description = json.loads((folder / "head.json").read_text())
    (folder / "head.json").write_text(json.dumps(description | change))


def changed_tensors(path, change):
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 6}, "newer version"),
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
    save_head(head, tmp_path)
    changed_json(tmp_path, change)
    with pytest.raises(InputError, match=said):
        load_head(tmp_path)


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
    save_head(head, tmp_path)
    changed_tensors(tmp_path / "codes.safetensors", change)
    with pytest.raises(InputError, match=said):
        load_head(tmp_path)


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
    save_head(head, tmp_path)
    changed_tensors(tmp_path / "weights.safetensors", change)
    with pytest.raises(InputError, match=said):
        load_head(tmp_path)


@pytest.mark.parametrize("file", ["head.json", "codes.safetensors", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "nonsense", "folder", "pipe"])
def test_a_damaged_head_is_refused(file, damage, head, tmp_path):
    save_head(head, tmp_path)
    path = tmp_path / file
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else b"nonsense")
    with pytest.raises(InputError, match=file):
        load_head(tmp_path)


def test_a_head_of_another_model_version_is_refused(head, tmp_path):
    save_head(head, tmp_path)
    changed_json(tmp_path, {"model_fingerprint": "0" * 16})
    with pytest.raises(ModelError, match="another version"):
        load_head(tmp_path)


def test_a_head_of_a_missing_model_is_refused(head, tmp_path):
    save_head(head, tmp_path)
    changed_json(tmp_path, {"model": "../demo"})
    with pytest.raises(ModelError, match="not a valid model name"):
        load_head(tmp_path)


def test_a_saved_head_with_frames_renders_the_same_bits(head, tmp_path):
    shown, camera = framed(head), head.camera(torch.tensor([0.1]), torch.zeros(1))
    save_head(shown, tmp_path)
    assert torch.equal(load_head(tmp_path).render(camera, 24).image, shown.render(camera, 24).image)


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
    save_head(framed(head), tmp_path)
    tensors = load_file(tmp_path / FRAMES)
    changed = change(tensors[name])
    rest = {key: tensor for key, tensor in tensors.items() if key != name}
    save_file(rest if changed is None else {**rest, name: changed.contiguous()}, tmp_path / FRAMES)
    with pytest.raises(InputError, match=FRAMES.replace(".", r"\.")):
        load_head(tmp_path)


@pytest.mark.parametrize("grey", [False, True])
def test_whether_frames_are_black_and_white_comes_back(head, tmp_path, grey):
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    image = head.render(camera).image
    shown = head.showing(Views(image.mean(1, keepdim=True).expand_as(image) if grey else image, camera, (0,), (0.0,)))
    save_head(shown, tmp_path)
    loaded = load_head(tmp_path).lumigraph
    assert loaded is not None and (loaded.tone is not None) is grey


@pytest.mark.parametrize("stays", [False, True])
def test_whether_the_body_stays_comes_back(head, tmp_path, stays):
    frames = framed(head).lumigraph
    assert frames is not None
    save_head(dataclasses.replace(head, lumigraph=dataclasses.replace(frames, body_stays=stays)), tmp_path)
    loaded = load_head(tmp_path).lumigraph
    assert loaded is not None and loaded.body_stays is stays


def a_bend(head):
    return Bend.of(lambda points: 0.1 * points, head.generator.box, "cpu")


def test_a_bent_head_comes_back_bent(head, tmp_path):
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    shown = dataclasses.replace(head, bend=a_bend(head))
    save_head(shown, tmp_path)
    again = load_head(tmp_path).render(camera, 32).image
    assert torch.equal(again, shown.render(camera, 32).image) and not torch.equal(again, head.render(camera, 32).image)
    (tmp_path / BEND).unlink()
    assert torch.equal(load_head(tmp_path).render(camera, 32).image, head.render(camera, 32).image)


@pytest.mark.parametrize(
    "change",
    [
        lambda moved: moved[:, :2],
        lambda moved: moved[..., :5],
        lambda moved: moved[..., :0, :0, :0],
        lambda moved: moved * torch.nan,
        lambda moved: moved + 100.0,
        lambda moved: moved[0],
    ],
)
def test_a_damaged_bend_is_refused(head, tmp_path, change):
    save_head(dataclasses.replace(head, bend=a_bend(head)), tmp_path)
    save_file({"moved": change(load_file(tmp_path / BEND)["moved"]).contiguous()}, tmp_path / BEND)
    with pytest.raises(InputError, match=BEND.replace(".", r"\.")):
        load_head(tmp_path)


def a_hull(head):
    """The right half of a picture."""
    return Hull((torch.arange(16) > 7).float().expand(1, 1, 16, 16), head.camera(torch.zeros(1), torch.zeros(1)))


def test_a_head_within_a_hull_comes_back_within_it(head, tmp_path):
    camera, shown = head.camera(torch.tensor([0.3]), torch.zeros(1)), dataclasses.replace(head, hull=a_hull(head))
    save_head(shown, tmp_path)
    again = load_head(tmp_path).render(camera, 32).image
    assert torch.equal(again, shown.render(camera, 32).image) and not torch.equal(again, head.render(camera, 32).image)
    save_head(smiling(shown), tmp_path / "edited")
    fitted = load_head(tmp_path / "edited").edited([])
    assert fitted.hull is not None and shown.hull is not None and torch.equal(fitted.hull.covered, shown.hull.covered)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors | {"covered": tensors["covered"].float()},
        lambda tensors: tensors | {"covered": tensors["covered"][:0]},
        lambda tensors: tensors | {"covered": tensors["covered"][..., :0]},
        lambda tensors: tensors | {"covered": tensors["covered"][0]},
        lambda tensors: tensors | {"cam2world": tensors["cam2world"] * torch.nan},
        lambda tensors: {name: tensors[name] for name in ("covered", "cam2world")},
    ],
)
def test_a_damaged_hull_is_refused(head, tmp_path, change):
    save_head(dataclasses.replace(head, hull=a_hull(head)), tmp_path)
    changed_tensors(tmp_path / HULL, change)
    with pytest.raises(InputError, match=HULL.replace(".", r"\.")):
        load_head(tmp_path)


def test_a_head_without_any_frame_in_its_file_is_refused(head, tmp_path):
    save_head(framed(head), tmp_path)
    tensors = load_file(tmp_path / FRAMES)
    save_file({name: tensor[:0] for name, tensor in tensors.items()}, tmp_path / FRAMES)
    with pytest.raises(InputError, match="0 pictures"):
        load_head(tmp_path)


def test_an_edited_head_comes_back_with_the_codes_of_the_fit(head, tmp_path):
    edited = smiling(smiling(head), -0.5)
    save_head(edited, tmp_path)
    assert torch.equal(load_file(tmp_path / CODES)["codes"], head.track.codes)
    again = load_head(tmp_path)
    assert torch.allclose(again.track.codes, edited.track.codes, atol=1e-6)
    assert not torch.allclose(again.track.codes, head.track.codes, atol=1e-2)
    assert [str(edit) for edit in again.edits] == ["smile=+1", "smile=-0.5"]


def test_without_its_edits_a_head_is_the_one_that_was_fitted(head, tmp_path):
    save_head(smiling(head), tmp_path)
    again = load_head(tmp_path)
    assert torch.equal(again.edited(()).track.codes, head.track.codes) and again.edited(()).origin is None
    once = smiling(smiling(head)).edited(smiling(head).edits)
    assert torch.allclose(once.track.codes, smiling(head).track.codes) and once.origin is head


def test_a_head_in_w_tri_comes_back_with_its_edits(head, tmp_path):
    own = smiling(apart(head))
    save_head(own, tmp_path)
    again = load_head(tmp_path)
    camera = head.camera(torch.tensor([0.3]), torch.zeros(1))
    assert again.origin is not None and own.origin is not None
    assert torch.equal(again.origin.track.codes, own.origin.track.codes)
    assert torch.equal(again.render(camera, 24).image, own.render(camera, 24).image)


def test_a_styled_head_comes_back_with_the_weights_of_the_fit(head, tmp_path):
    own, camera = styled(smiling(head), 0.5), head.camera(torch.tensor([0.3]), torch.zeros(1))
    save_head(own, tmp_path / "styled")
    save_head(head, tmp_path / "fitted")
    tuned = [load_file(tmp_path / name / WEIGHTS) for name in ("styled", "fitted")]
    assert all(torch.equal(tuned[0][name], tuned[1][name]) for name in tuned[1]) and len(tuned[0]) == len(tuned[1])
    again = load_head(tmp_path / "styled")
    assert [str(edit) for edit in again.edits] == ["smile=+1", "toon=+0.5"] and again.photographic == 0.5
    image = own.render(camera, 24).image
    assert torch.equal(again.render(camera, 24).image, image)
    assert not torch.allclose(image, smiling(head).render(camera, 24).image, atol=0.05)
    undone = again.edited(again.edits[:1]).render(camera, 24).image
    assert torch.equal(undone, smiling(head).render(camera, 24).image)


def test_a_head_in_a_style_that_the_model_lacks_is_refused(head, tmp_path):
    save_head(styled(head), tmp_path)
    record = json.loads((tmp_path / "head.json").read_text())
    record["edits"][0]["name"] = "oil"
    (tmp_path / "head.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="has no style 'oil'"):
        load_head(tmp_path)


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
    save_head(smiling(head), tmp_path)
    (tmp_path / EDITS).unlink()
    if tensors is not None:
        save_file(tensors, tmp_path / EDITS)
    with pytest.raises(InputError, match=said):
        load_head(tmp_path)
