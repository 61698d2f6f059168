import torch

from inv3d.core import library
from inv3d.core.encoders.e3dge import E3dge, pose_distance, small_config
from inv3d.core.encoders.inverter import E3dgeInverter
from inv3d.core.encoders.store import load_e3dge, save_encoder
from inv3d.core.views import Views


def small(num_ws: int = 10, w_dim: int = 16) -> E3dge:
    torch.manual_seed(0)
    return E3dge(small_config(num_ws, w_dim)).eval()


def test_a_picture_gives_a_code_and_a_side():
    encoder = small()
    encoder.mean_code = torch.full((10, 16), 5.0)
    with torch.no_grad():
        found = encoder(torch.rand(2, 3, 256, 256) * 2 - 1)
    assert found.codes.shape == (2, 10, 16) and found.pose.shape == (2, 2)
    assert abs(float(found.codes.mean()) - 5.0) < 1.0


def test_the_pose_head_leaves_the_features_of_codes_alone():
    encoder = small()
    pose_distance(encoder(torch.rand(1, 3, 128, 128)).pose, torch.zeros(1, 2)).backward()
    assert all(p.grad is None for p in encoder.codes.parameters())
    assert all(p.grad is not None for p in encoder.pose.parameters())


def test_the_encoder_comes_back_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.json").touch()
    encoder = small()
    encoder.mean_code.normal_(generator=torch.Generator().manual_seed(1))
    save_encoder(encoder, tmp_path / "small" / "e3dge.safetensors", torch.float32)
    again, picture = load_e3dge("small"), torch.rand(1, 3, 128, 128)
    assert again.config == encoder.config
    assert all(torch.equal(a, b) for a, b in zip(again(picture), encoder(picture), strict=True))


def test_the_start_of_a_view_is_its_code(demo):
    space = demo.generator.code_space
    encoder = small(space.num_ws, space.w_dim)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    views = Views(images, demo.info.camera(torch.zeros(2), torch.zeros(2)), (0, 1), (0.0, 0.0))
    start = E3dgeInverter(encoder)(views, demo)
    assert torch.equal(start.codes, encoder(images).codes) and not start.codes.requires_grad
