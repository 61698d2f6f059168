import torch

from inv3d.core.encoders import store
from inv3d.core.encoders.inverter import EncoderInverter, common_start, load_inverter
from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D
from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.encoders.store import has_encoder
from inv3d.core.views import Views


def test_an_encoder_reads_every_view_on_its_own(demo):
    encoder = build_encoder(small_config(10, 128)).eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cameras = demo.info.camera(torch.zeros(2), torch.zeros(2))
    start = EncoderInverter(encoder)(Views(images, cameras, (0, 1), (0.0, 0.0)), demo)
    assert torch.equal(start.codes, encoder(images)) and start.read_detail is None
    assert not start.codes.requires_grad


def test_no_encoder_is_none(demo):
    assert load_inverter(demo, NO_ENCODER) is None


def test_the_views_of_a_head_start_at_the_mean_of_their_codes(demo, monkeypatch, tmp_path):
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cameras = demo.info.camera(torch.zeros(3), torch.zeros(3))
    views = Views(images, cameras, (0, 1, 2), (0.0, 0.0, 0.0))
    inverter = load_inverter(demo, PREIM3D)
    assert inverter is not None
    each = inverter(views, demo).codes
    start = common_start(views, demo)
    assert start.angles is None and torch.allclose(start.codes, each.mean(0, keepdim=True))
    assert has_encoder("demo", PREIM3D)
    monkeypatch.setattr(store, "encoder_file", lambda model, name: tmp_path / name)
    assert not has_encoder("demo", PREIM3D)
