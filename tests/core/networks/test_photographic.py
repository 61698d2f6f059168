"""The numbers are those of the files they come from, run by LiteRT (face, mesh) and by MediaPipe (person)."""

import numpy as np
import pytest
import torch
from skimage import data

from inv3d.core.errors import ModelError
from inv3d.core.networks import photographic
from inv3d.core.networks.blazeface import DETECTOR_INPUT
from inv3d.core.networks.facemesh import MESH_INPUT
from inv3d.core.networks.photographic import face_detector, face_mesh, person_matte

CPU = torch.device("cpu")


def waves(side: int) -> torch.Tensor:
    """A picture [1,3,side,side] that any code makes anew."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    picture = np.stack([np.sin(9 * x + 2 * y), np.cos(7 * y - 3 * x), np.sin(5 * x * y + 1)])
    return torch.from_numpy(picture.astype(np.float32))[None]


def astronaut() -> torch.Tensor:
    """A portrait [1,3,256,256], of which every second pixel is left out."""
    return torch.from_numpy(data.astronaut()[::2, ::2].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0


@torch.no_grad()
def test_the_mesh_gives_the_numbers_of_its_source():
    points, logit = face_mesh(CPU)(waves(MESH_INPUT))
    points = points.flatten() * MESH_INPUT
    assert points[:3].tolist() == pytest.approx([74.43466, 111.02173, -13.97965], abs=1e-3)
    assert points[-3:].tolist() == pytest.approx([120.34741, 61.77658, -4.19382], abs=1e-3)
    assert float(points.sum()) == pytest.approx(80395.515, abs=0.1) and float(logit) == pytest.approx(-8.16532, abs=1e-3)


@torch.no_grad()
def test_the_detector_gives_the_numbers_of_its_source():
    logits, told = face_detector(CPU)(waves(DETECTOR_INPUT))
    assert float(logits.sum()) == pytest.approx(-4271.597, abs=0.05)
    assert logits[0, -1].item() == pytest.approx(-20.33545, abs=1e-3)
    # the first candidate's place is half a cell from the corner, the last one's half a larger cell from the other
    offset = told[0] * DETECTOR_INPUT
    assert offset[0, :4].tolist() == pytest.approx([0.51088 + 4, 0.17453 + 4, 30.18368, 30.18333], abs=1e-3)
    assert offset[-1, -2:].tolist() == pytest.approx([33.40598 + 120, -17.41965 + 120], abs=1e-3)


@torch.no_grad()
def test_the_matte_gives_the_numbers_of_its_source():
    matte = person_matte(CPU)(astronaut()).sigmoid()[0, 0]
    assert float(matte.mean()) == pytest.approx(0.541848, abs=1e-4)
    outline = matte[[7, 64, 98, 146, 188], [114, 89, 59, 183, 236]]
    assert outline.tolist() == pytest.approx([0.23809, 0.59160, 0.76481, 0.38801, 0.46422], abs=2e-3)


@torch.no_grad()
def test_the_detector_finds_a_photographed_face():
    logits, told = face_detector(CPU)(torch.nn.functional.interpolate(astronaut(), (128, 128), mode="area"))
    best = int(logits[0].argmax())
    assert logits[0, best] > 2.0
    assert told[0, best, :2].tolist() == pytest.approx([0.44, 0.24], abs=0.03)


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(photographic, "FOLDER", tmp_path)
    (tmp_path / "face.safetensors").write_bytes(b"nothing")
    face_detector.cache_clear()
    with pytest.raises(ModelError, match=r"face\.safetensors cannot be loaded"):
        face_detector(CPU)
    face_detector.cache_clear()
