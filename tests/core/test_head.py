import json

import pytest
import torch

from inv3d.core.errors import InputError, ModelError
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack


def test_a_saved_head_renders_the_same_bits(head, tmp_path):
    head.save(tmp_path / "out" / "head")
    camera = head.camera(torch.tensor([0.3]), torch.tensor([0.1]))
    for folder in (tmp_path / "out", tmp_path / "out" / "head"):
        again = Head.load(folder)
        assert torch.equal(again.render(camera, 24).image, head.render(camera, 24).image)
        assert again.yaw_range == pytest.approx(head.yaw_range, abs=1e-4)


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
    assert head.grid is head.grid


def test_one_code_makes_its_planes_once(head, monkeypatch):
    single = Head(head.generator, LatentTrack(head.track.codes[:1], torch.zeros(1)), head.bundle, head.yaw_range)
    made, planes = [], head.generator.planes
    monkeypatch.setattr(head.generator, "planes", lambda codes: made.append(len(codes)) or planes(codes))
    camera = head.camera(torch.tensor([0.2, 0.4]), torch.zeros(2))
    both, one = single.render(camera, 16).image, single.render(camera[0], 16).image
    assert made == [1] and torch.allclose(both[:1], one, atol=1e-4)


def test_renders_side_by_side_are_those_made_one_by_one(head):
    cameras = head.camera(torch.tensor([-0.9, -0.2, 0.3, 0.8]), torch.zeros(4))
    threads = torch.get_num_threads()
    images = head.render_each(cameras, lambda render: render.image, 24)
    for i, image in enumerate(images):
        assert torch.allclose(image, head.render(cameras[i], 24).image, atol=1e-4)
    assert torch.get_num_threads() == threads


def test_a_folder_without_a_head_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no head"):
        Head.load(tmp_path)


def test_a_damaged_head_is_refused(head, tmp_path):
    head.save(tmp_path)
    (tmp_path / "codes.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="damaged"):
        Head.load(tmp_path)


def test_a_head_of_another_model_version_is_refused(head, tmp_path):
    head.save(tmp_path)
    description = json.loads((tmp_path / "head.json").read_text())
    (tmp_path / "head.json").write_text(json.dumps({**description, "model_fingerprint": "0" * 16}))
    with pytest.raises(ModelError, match="another version"):
        Head.load(tmp_path)
