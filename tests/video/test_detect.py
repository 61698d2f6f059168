import dataclasses
import math

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from inv3d.core.networks.facemesh import POINTS
from inv3d.video.detect import FACE, Faces, face_boxes, faces_of, ffhq_crops
from inv3d.video.facing import FaceWorld
from inv3d.video.locate import search
from inv3d.video.photo import find_heads


@pytest.fixture(scope="module")
def photograph():
    """A portrait whose face is at about (225, 120), 96 pixels wide."""
    return torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 127.5 - 1.0


def test_a_face_is_found_once_with_room_around_it(photograph):
    found = face_boxes(photograph)
    assert len(found) == 1
    assert torch.allclose(found.center, torch.tensor([[225.0, 123.0]]), atol=15)
    assert 120 < float(found.size) < 200 and abs(math.degrees(float(found.roll))) < 10


def test_a_small_face_is_found_in_a_large_picture(photograph):
    face = F.interpolate(photograph[None], (200, 200), mode="area")[0]
    picture = torch.zeros(3, 400, 700)
    picture[:, 180:380, 480:680] = face
    found = face_boxes(picture)
    assert len(found) == 1
    assert torch.allclose(found.center, torch.tensor([[480 + 225 * 200 / 512, 180 + 123 * 200 / 512]]), atol=8)


def test_a_face_that_fills_the_picture_is_upright(demo, photograph):
    filled = F.interpolate(photograph[None, :, 78:158, 182:262], (256, 256), mode="bicubic")[0].clamp(-1.0, 1.0)
    assert len(face_boxes(filled)) == 1
    found = find_heads(demo, filled)  # the aligner alone reads it as a head that lies on its side
    assert len(found) == 1 and abs(math.degrees(float(found.crops.roll))) < 10


def test_two_faces_are_two(demo, photograph):
    crops, _ = Faces(FaceWorld.of(demo)).proposed(torch.cat([photograph, photograph.flip(2)], 2))
    assert sorted(crops.center[:, 0].tolist()) == pytest.approx([225, 1024 - 225], abs=20)


@pytest.mark.parametrize("size", [8, 64, 200])
def test_no_face_gives_no_crops(size):
    assert len(face_boxes(torch.zeros(3, size, size))) == 0


def test_models_of_people_know_what_faces_tell_and_things_have_none(demo):
    assert faces_of(dataclasses.replace(demo, info=demo.info.changed(subject="things"))) is None
    known = faces_of(demo)
    assert known is not None and known.world is not None
    assert faces_of(dataclasses.replace(demo, face=None)) == Faces(None)


def test_a_face_proposes_the_crop_of_its_head(demo, photograph):
    crops, told = Faces(FaceWorld.of(demo)).proposed(photograph)
    assert told is not None and len(crops) == 1 and float(told.logit) > FACE + 8
    # the crop is about two and a half times as wide as the face
    assert 180 < float(crops.size) < 300
    where, none = Faces(None).proposed(photograph)
    assert none is None
    assert torch.allclose(where.center, torch.tensor([[224.0, 107.0]]), atol=8) and 90 < float(where.size) < 150


def test_a_head_that_the_aligner_overlooks_is_found_by_its_face(demo, photograph, monkeypatch):
    monkeypatch.setattr("inv3d.video.locate._as_mirrored", lambda *_: torch.zeros(_[2].crops.size.shape, dtype=torch.bool))
    assert len(search(demo.aligner, photograph)) == 0
    found = search(demo.aligner, photograph, faces=Faces(FaceWorld.of(demo)))
    assert len(found) == 1 and float(found.confidence) > 0.95
    assert torch.allclose(found.crops.center, torch.tensor([[222.0, 115.0]]), atol=25)


def test_eg3ds_crop_turns_and_grows_with_the_face():
    points = torch.zeros(1, POINTS, 3)
    for rows, place in (((33, 133), (40, 50)), ((263, 362), (60, 50)), ((61,), (43, 75)), ((291,), (57, 75))):
        points[0, list(rows), :2] = torch.tensor(place, dtype=torch.float32)
    crop = ffhq_crops(points)
    assert crop.center.tolist() == [[50.0, 52.5]] and float(crop.roll) == 0.0
    assert float(crop.size) == pytest.approx(2 * max(2 * 20, 1.8 * 25) * 700 / 1024)
    cos, sin = math.cos(0.4), math.sin(0.4)
    turn = torch.tensor([[cos, -sin], [sin, cos]])
    turned = ffhq_crops(torch.cat([3.0 * points[..., :2] @ turn.T, points[..., 2:]], 2))
    assert float(turned.size) == pytest.approx(3 * float(crop.size)) and float(turned.roll) == pytest.approx(0.4)
