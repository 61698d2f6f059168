import json
from pathlib import Path

import pytest
import torch

from inv3d.core.errors import InputError
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.views import Views
from inv3d.export.sides import sides
from inv3d.export.views import read_views, write_unseen, write_views
from inv3d.video.picture import read_picture


@pytest.fixture
def views(head: Head, tmp_path: Path) -> Views:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    targets = Views(images, sides(head, [(-30.0, 5.0), (40.0, 0.0)]), (3, 17), (0.1, 0.7))
    maps = torch.ones(1, 1, 64, 64)
    write_views(tmp_path / "views", targets, [Render(image[None], image[None], maps, maps) for image in images])
    return targets


def test_views_are_read_as_they_were_written(views, tmp_path):
    read = read_views(tmp_path)
    assert read is not None and (read.frames, read.times) == (views.frames, views.times)
    assert (read.images - views.images).abs().max() < 0.01
    assert torch.allclose(read.cameras.cam2world, views.cameras.cam2world)
    assert torch.allclose(read.cameras.intrinsics, views.cameras.intrinsics)
    assert len(list((tmp_path / "views").glob("*-pair.png"))) == 2


def test_some_unseen_frames_stand_beside_their_renders(head, tmp_path):
    images = torch.linspace(-1, 1, 20)[:, None, None, None].expand(20, 3, 64, 64)
    cameras = sides(head, [(float(yaw), 0.0) for yaw in range(-50, 50, 5)])
    held_out = Views(images, cameras, tuple(range(20)), tuple(float(i) for i in range(20)))
    write_unseen(tmp_path, held_out, [-image[None] for image in images])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"unseen-{i:02d}-frame{frame:05d}.png" for i, frame in enumerate((0, 4, 8, 11, 15, 19))]
    pair = read_picture(tmp_path / names[0]).image
    assert (pair[..., :64] < -0.99).all() and (pair[..., 64:] > 0.99).all()
    write_unseen(tmp_path / "none", held_out[[]], [])
    assert not (tmp_path / "none").exists()


def test_what_was_made_up_is_in_neither_picture_of_a_pair(head, tmp_path):
    outside = torch.zeros(1, 1, 64, 64)
    outside[..., :20, :] = 0.1
    view = Views(-torch.ones(1, 3, 64, 64), sides(head, [(0.0, 0.0)]), (0,), (0.0,), outside=outside)
    write_unseen(tmp_path, view, [torch.ones(1, 3, 64, 64)])
    pair = read_picture(tmp_path / "unseen-00-frame00000.png").image
    assert (pair[:, 20:, :64] < -0.99).all() and (pair[:, 20:, 64:] > 0.99).all()
    assert pair[:, :20].unique().numel() == 1


def test_a_head_without_views_has_none(tmp_path):
    assert read_views(tmp_path) is None


def test_damaged_views_are_refused(views, tmp_path):
    picture = tmp_path / "views" / "01-frame00017.png"
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(InputError):
        read_views(tmp_path)
    picture.unlink()
    with pytest.raises(InputError):
        read_views(tmp_path)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/b.png", ""])
def test_no_other_files_are_read(views, tmp_path, name):
    path = tmp_path / "views" / "cameras.json"
    record = json.loads(path.read_text())
    record["views"][0]["file"] = name
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="names a file that inv3d did not write"):
        read_views(tmp_path)
