import dataclasses
from unittest import mock

import numpy as np
import pytest
import torch

from inv3d.core.bundle import Bundle, NetworkNames
from inv3d.core.faces import has_dlib
from inv3d.core.metrics import judges
from inv3d.core.metrics.judges import FaceDistance, FaceJudge, judges_for

CPU = torch.device("cpu")


def test_pictures_are_judged_by_whoever_is_here(demo, monkeypatch):
    monkeypatch.setattr(judges, "has_dlib", lambda: False)
    monkeypatch.setattr(judges, "has_perceptual", lambda name: False)
    found = judges_for(demo, False, CPU)
    assert found.own and found.faces is None and found.lpips is None
    lpips, faces = object(), object()
    monkeypatch.setattr(judges, "has_perceptual", lambda name: True)
    monkeypatch.setattr(judges, "load_perceptual", lambda name, device: lpips)
    monkeypatch.setattr(judges, "has_dlib", lambda: True)
    monkeypatch.setattr(judges, "FaceJudge", lambda: faces)
    found = judges_for(demo, True, CPU)
    assert found.lpips is lpips and found.faces is faces and not found.own  # outside of the model's world


def test_the_network_of_the_fit_is_not_loaded_twice(monkeypatch):
    monkeypatch.setattr(judges, "has_dlib", lambda: False)
    own = mock.Mock(
        spec=Bundle, names=NetworkNames(perceptual="lpips-alex"), perceptual=object(), judge_knows_photographs=True,
        shows_things=False,
    )  # fmt: skip
    found = judges_for(own, True, CPU)
    assert found.lpips is own.perceptual and found.own


@pytest.fixture(scope="module")
def faces() -> FaceJudge:
    pytest.importorskip("dlib")
    if not has_dlib():
        pytest.skip("face_recognition_models is not installed")
    return FaceJudge()


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """NASA's portrait of Eileen Collins, which scikit-image carries."""
    data = pytest.importorskip("skimage.data")
    pixels = np.ascontiguousarray(data.astronaut()[:256, 96:352])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_the_same_face_is_near_and_a_lost_face_is_told(faces, portrait):
    dim = (portrait + 1) * 0.8 - 1
    wanted = faces.describe(portrait)
    assert 0.0 < faces.compare(wanted, dim).distance < 0.3
    grey = torch.zeros_like(portrait)
    assert faces.compare(wanted, grey) == FaceDistance(None, lost=True)
    assert faces.compare(faces.describe(grey), portrait) == FaceDistance(None)


def test_nobody_judges_the_likeness_of_things(demo):
    things = dataclasses.replace(demo, info=demo.info.changed(subject="things"))
    found = judges_for(things, False, CPU)
    assert found.own is False and found.faces is None
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert things.strangeness(noise) == 0.0 and demo.strangeness(noise) > 0.5
