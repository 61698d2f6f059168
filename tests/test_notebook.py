import subprocess
import sys

import numpy as np
import pytest
import torch

import inv3d
from inv3d.core.errors import InputError, UsageError


@pytest.fixture(scope="module")
def loaded(head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    head.save(folder / "head")
    return inv3d.load(folder)


def test_a_head_is_rendered_as_a_picture(loaded, head):
    image = loaded.render(yaw=30, resolution=32)
    own = head.render(head.camera(torch.tensor([30.0]).deg2rad(), torch.zeros(1)), 32).image[0]
    assert image.size == (32, 32) and image.mode == "RGB"
    assert np.abs(np.asarray(image) / 127.5 - 1 - own.permute(1, 2, 0).numpy()).max() < 0.05
    assert np.asarray(loaded.render(show="grey", resolution=32)).std() > 10
    assert loaded.yaw_range == pytest.approx((-45.8, 51.6), abs=0.1) and loaded.photos is None


def test_a_notebook_shows_a_head(loaded):
    assert loaded._repr_png_().startswith(b"\x89PNG")


def test_meshes_and_films(loaded, tmp_path):
    mesh = loaded.mesh(triangles=900, resolution=40)
    assert mesh.is_watertight and len(mesh.faces) <= 900
    made = loaded.export(tmp_path / "a.stl", triangles=900, resolution=40, head_width=150.0)
    assert made.units == "millimetres" and (tmp_path / "a.stl").stat().st_size == 84 + 50 * made.triangles
    loaded.film(tmp_path / "a.gif", path="circle", frames=2, resolution=16)
    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF89a")


def test_mistakes_are_explained(loaded, tmp_path):
    with pytest.raises(ValueError, match="show='colour' is not one of color, depth"):
        loaded.render(show="colour")
    with pytest.raises(UsageError, match="not an export format"):
        loaded.export(tmp_path / "a.fbx")
    with pytest.raises(InputError, match="contains no head"):
        inv3d.load(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        inv3d.lod  # noqa: B018


def test_importing_inv3d_is_light():
    code = "import sys, inv3d; print('torch' in sys.modules, inv3d.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", inv3d.__version__]
