from dataclasses import replace

import pytest
import torch

from inv3d.core import library
from inv3d.core.bundle import Bundle
from inv3d.core.editing.edits import Edit
from inv3d.core.encoders.e3dge import E3dge, pose_distance, small_config
from inv3d.core.encoders.inverter import E3dgeInverter, Start, load_inverter, read_detail
from inv3d.core.encoders.kinds import E3DGE
from inv3d.core.encoders.store import load_e3dge, save_encoder
from inv3d.core.generator import Bend, Detail
from inv3d.core.generator.triplane import TriplaneScene
from inv3d.core.head import Head
from inv3d.core.headfile import load_head, save_head
from inv3d.core.inversion.invert import Footage, invert
from inv3d.core.inversion.settings import FAST
from inv3d.core.views import Views


def small(num_ws: int = 10, w_dim: int = 16, decoded: int = 32) -> E3dge:
    torch.manual_seed(0)
    return E3dge(small_config(num_ws, w_dim, decoded)).eval()


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


@pytest.fixture(scope="module")
def inverter(demo):
    space = demo.generator.code_space
    return E3dgeInverter(small(space.num_ws, space.w_dim, demo.generator.decoded_features).requires_grad_(False))


def views(demo: Bundle, *yaws: float) -> Views:
    count = len(yaws)
    images = torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cameras = demo.info.camera(torch.tensor(yaws), torch.zeros(count))
    return Views(images, cameras, tuple(range(count)), (0.0,) * count)


def test_the_start_of_views_is_their_codes_and_sides(demo, inverter):
    start = inverter(views(demo, 0.1, 0.2), demo)
    space = demo.generator.code_space
    assert start.codes.shape == (2, space.num_ws, space.w_dim) and start.angles.shape == (2, 2)
    assert torch.equal(start[1].codes, start.codes[[1]]) and torch.equal(start[1].angles, start.angles[[1]])


def test_the_side_that_explains_the_picture_better_is_kept(demo, inverter):
    code = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=torch.Generator().manual_seed(3)))
    with torch.no_grad():
        image = demo.generator(code, demo.info.camera(torch.tensor([0.5]), torch.zeros(1)), 64).image
    right, wrong = torch.tensor([[0.5, 0.0]]), torch.tensor([[-0.1, 0.2]])
    for read, given in ((right, wrong), (wrong, right)):
        assert torch.equal(inverter._nearer(demo, code, image, read, given), right)


def test_a_head_keeps_the_detail_of_its_photo(demo, inverter, tmp_path):
    settings = replace(FAST, wplus_steps=0, tuning_steps=0)
    photo = views(demo, 0.2)
    start = inverter(photo, demo)
    made = invert(Footage.of_one(photo), demo, settings, start=start)
    assert float(made.footage.targets.cameras.yaw) == pytest.approx(float(start.angles[0, 0]), abs=1e-4)
    assert made.head.detail is not None
    assert torch.equal(made.head.detail.seen.camera.cam2world, made.footage.targets.cameras.cam2world)
    assert len(made.head.detail.aligned) == 3
    save_head(made.head, tmp_path)
    again, camera = load_head(tmp_path), demo.info.camera(torch.tensor([0.1]), torch.zeros(1))
    assert torch.equal(again.render(camera, 16).image, made.head.render(camera, 16).image)


def test_tuning_sees_the_detail(demo, inverter, monkeypatch):
    seen = []
    scene = type(demo.generator).scene

    def watched(self, codes, detail=None, *others, **named):
        seen.append(detail)
        return scene(self, codes, detail, *others, **named)

    monkeypatch.setattr(type(demo.generator), "scene", watched)
    settings = replace(FAST, wplus_steps=0, tuning_steps=1, rays_per_view=8, whole_resolution=16)
    photo = views(demo, 0.2)
    invert(Footage.of_one(photo), demo, settings, start=inverter(photo, demo))
    assert seen[-1] is not None


def test_the_pose_alone_can_be_refined(demo, inverter):
    """A head is seen a little from the side of where the encoder thinks: the camera moves towards it, the code stays."""
    random = torch.Generator().manual_seed(3)
    codes = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=random))
    with torch.no_grad():
        image = demo.generator(codes, demo.info.camera(torch.tensor([0.2]), torch.zeros(1)), 64).image
    photo = replace(views(demo, 0.1), images=image)
    settings = replace(FAST, pose_steps=30, wplus_steps=0, tuning_steps=0, rays_per_view=128, whole_resolution=32)
    start = Start(codes, torch.tensor([[0.1, 0.0]]))
    made = invert(Footage.of_one(photo), demo, settings, start=start)
    assert abs(float(made.footage.targets.cameras.yaw) - 0.2) < 0.05
    assert torch.equal(made.head.track.codes, codes)


def test_an_edit_aligns_the_detail_anew(demo, inverter):
    """Section 4.3: the aligner sees what the edited head looks like, with the networks that have read the detail."""
    settings, photo = replace(FAST, wplus_steps=0, tuning_steps=0), views(demo, 0.2)

    def aligned(head: Head, moved: float) -> tuple[Detail, Detail]:
        displacement = torch.full_like(head.wplus[0], moved)
        edited = head.edited([Edit("moved", 1.0, 0, len(displacement) - 1, displacement)])
        scene = edited.scene(edited.wplus)
        assert isinstance(scene, TriplaneScene) and scene.planes.detail is not None and head.detail is not None
        return head.detail, scene.planes.detail

    own = load_inverter(demo, E3DGE)
    assert isinstance(own, E3dgeInverter)
    made = invert(Footage.of_one(photo), demo, settings, start=own(photo, demo))
    head, up = made.head, Bend.of(lambda points: torch.tensor([0.0, 0.03, 0.0]).expand_as(points), demo.generator.box, "cpu")
    anew = read_detail(own.encoder.local, demo, made.footage.targets, head.track.codes, replace(head, bend=up).shaped)
    for each in (head, replace(head, bend=up, detail=anew).rounded()):
        before, after = aligned(each, 0.0)
        assert torch.allclose(before.aligned[1].residual, after.aligned[1].residual, atol=2e-3)
    before, after = aligned(head, 0.5)
    assert torch.equal(before.seen.residual, after.seen.residual)
    for a, b in zip(before.aligned, after.aligned, strict=True):
        assert not torch.allclose(a.residual, b.residual, atol=2e-3) and not torch.allclose(a.depth, b.depth, atol=2e-3)
    other = invert(Footage.of_one(photo), demo, settings, start=inverter(photo, demo)).head
    before, after = aligned(other, 0.5)  # read by networks that the model does not have
    assert torch.equal(before.aligned[1].residual, after.aligned[1].residual)
