from types import SimpleNamespace

import numpy as np
import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.core.errors import InputError, UsageError
from inv3d.core.faces import has_dlib
from inv3d.core.generator import Render
from inv3d.export import pupils as module
from inv3d.export.mesh import extract_mesh, head_width
from inv3d.export.pupils import pupil_distance

SIZE = 64
EYES = np.array([[-0.06, 0.02, 0.15], [0.06, 0.02, 0.17]])


def finder(pupils):
    return lambda: SimpleNamespace(find=lambda image: None if pupils is None else SimpleNamespace(pupils=pupils))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A head whose depth is that of one eye on each half of its front, with the pupils at `EYES`."""
    camera = look_at(torch.zeros(1), torch.zeros(1))
    places, distances = camera.project(torch.from_numpy(EYES).float()[None])
    left, right = distances[0]
    depth = torch.where(torch.arange(SIZE) < SIZE // 2, left, right).expand(1, 1, SIZE, SIZE)
    image = torch.zeros(1, 3, SIZE, SIZE)
    made = SimpleNamespace(
        generator=SimpleNamespace(device=torch.device("cpu")),
        finest=None,
        camera=look_at,
        alpha=torch.ones(1, 1, SIZE, SIZE),
    )
    made.frontal = lambda: SimpleNamespace(render=lambda *_: Render(image, image, depth, made.alpha))
    monkeypatch.setattr(module, "has_dlib", lambda: True)
    monkeypatch.setattr(module, "FaceFinder", finder(places[0].double().numpy()))
    return made


def test_pupils_are_as_far_apart_as_in_space(drawn):
    assert pupil_distance(drawn) == pytest.approx(np.linalg.norm(EYES[0] - EYES[1]), rel=1e-4)


def test_a_head_without_a_face_is_told(drawn, monkeypatch):
    drawn.alpha = torch.zeros(1, 1, SIZE, SIZE)  # pupils on the background are none
    with pytest.raises(InputError, match="no eyes were found"):
        pupil_distance(drawn)
    monkeypatch.setattr(module, "FaceFinder", finder(None))
    with pytest.raises(InputError) as lost:
        pupil_distance(drawn)
    assert "--head-width" in lost.value.hint


def test_without_the_packages_the_error_says_what_to_do(drawn, monkeypatch):
    monkeypatch.setattr(module, "has_dlib", lambda: False)
    with pytest.raises(UsageError) as refused:
        pupil_distance(drawn)
    assert "inv3d[photos]" in refused.value.hint and "--head-width" in refused.value.hint


@pytest.mark.skipif(not has_dlib(), reason="dlib-bin and face_recognition_models are not installed")
def test_the_pupils_of_a_head_are_as_far_apart_as_people_have_them(head):
    """Of adults, 63 mm at a width of 155 mm."""
    assert 0.3 < pupil_distance(head) / head_width(extract_mesh(head, 40, 2000)) < 0.5
