import dataclasses
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from inv3d.core.cutout import cut_out_named
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.matting import mattes, own_mattes
from inv3d.core.views import Views
from tests import tiny


@pytest.fixture
def rembg(monkeypatch):
    """A package in the place of rembg, whose network takes what is red for a head."""
    package = ModuleType("rembg")

    def remove(picture, session, only_mask):
        assert session == "u2net_human_seg" and only_mask
        return Image.fromarray(np.asarray(picture)[..., 0])

    monkeypatch.setattr(package, "remove", remove, raising=False)
    monkeypatch.setattr(package, "new_session", lambda name: name, raising=False)
    monkeypatch.setitem(sys.modules, "rembg", package)
    return package


def seen(demo, images):
    cameras = demo.info.camera(torch.zeros(len(images)), torch.zeros(len(images)))
    return Views(images, cameras, tuple(range(len(images))), (0.0,) * len(images))


def test_the_models_own_mattes_are_those_of_its_aligner(demo):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cut_out = cut_out_named(OWN, demo)
    assert cut_out is not None
    one, other = (own_mattes(demo.aligner, images[[i]], True) for i in range(2))
    assert torch.equal(cut_out(seen(demo, images[:1]), None), one)
    assert not torch.equal(cut_out(seen(demo, images), None), torch.cat([one, other]))  # they know of each other
    bare = tiny.with_generator(demo)  # like EG3D's, it does not tell heads from rooms
    assert cut_out_named(OWN, bare) is None
    with pytest.raises(UsageError, match="--matte rembg does nothing"):
        cut_out_named("rembg", bare)


def test_people_are_cut_out_by_a_network_that_knows_photographs(demo):
    portrait = torch.from_numpy(data.astronaut()[:256, 96:352].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    views = seen(demo, torch.cat([portrait, portrait.flip(3), -torch.ones_like(portrait)]))
    cut_out, own = cut_out_named(AUTO, demo), cut_out_named(OWN, demo)
    assert cut_out is not None and own is not None
    found = cut_out(views, None)
    assert torch.allclose(found[:2], mattes(demo.aligner, views.images[:2], True), atol=1e-5)
    assert torch.equal(found[2], own(views, None)[2])  # in the dark it sees nobody
    things = dataclasses.replace(demo, info=demo.info.changed(subject="things"))
    of_things, by_aligner = cut_out_named(AUTO, things), cut_out_named(OWN, things)
    assert of_things is not None and by_aligner is not None
    assert torch.equal(of_things(views, None), by_aligner(views, None))
    assert cut_out_named(AUTO, tiny.with_generator(demo)) is None


def test_the_shape_that_a_model_expects_clears_fog(demo, monkeypatch):
    """An aligner that is sure of the face, and half sure of all around it, before a room of one colour with a patch of another."""
    half = 0.5 * torch.ones(1, 1, 64, 64)
    half[..., 16:48, 20:44] = 1.0
    monkeypatch.setattr(type(demo.aligner), "matte", lambda self, images: half.expand(len(images), -1, -1, -1))
    images = torch.full((2, 3, 64, 64), 0.8)
    images[:, :, 8:60, 18:46] = -0.2
    images[:, 0, 4:20, 52:62] = -0.8
    cut_out = cut_out_named(OWN, demo)
    assert cut_out is not None
    found = cut_out(seen(demo, images), None)
    assert found[..., 4:20, 52:62].max() < 0.1 and found[..., 20:40, 26:38].min() > 0.9


def test_rembg_cuts_out_pictures_of_any_colours(demo, rembg):
    images = torch.full((2, 3, 16, 16), -1.0)
    images[1, 0, :, :8] = 1.0
    cut_out = cut_out_named("rembg", demo)
    assert cut_out is not None
    found = cut_out(seen(demo, images), None)
    assert found.shape == (2, 1, 16, 16) and found[0].max() == 0.0
    assert found[1, 0, :, :8].min() == 1.0 and found[1, 0, :, 8:].max() == 0.0


def test_what_cannot_cut_out_is_refused_with_a_hint(demo, rembg, monkeypatch):
    with pytest.raises(UsageError, match="there is no matte 'u2net'"):
        cut_out_named("u2net", demo)

    def offline(name):
        raise OSError("no network")

    rembg.new_session = offline
    with pytest.raises(ModelError, match="weights of rembg"):
        cut_out_named("rembg", demo)
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(UsageError, match="rembg is not installed"):
        cut_out_named("rembg", demo)
