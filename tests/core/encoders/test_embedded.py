"""The encoder that comes with `demo`, on photos that its training has not seen."""

import pytest
import torch

from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import load_encoder
from inv3d.core.metrics.image import mse
from tests.people import portraits


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("demo", PREIM3D)


@pytest.fixture(scope="module")
def photos(demo):
    """Four aligned pictures of heads, and the camera."""
    camera = demo.info.camera(torch.tensor([0.2]), torch.tensor([0.05]))
    return portraits(*(f"photo-{number}" for number in range(900, 904))), camera


def render(demo, codes, camera):
    with torch.no_grad():
        return torch.cat([demo.generator(code[None], camera, 128).image for code in codes])


def test_a_photo_is_met_better_than_by_the_mean_head(demo, encoder, photos):
    images, camera = photos
    average = demo.generator.code_space.repeat(demo.mean_code.expand(len(images), -1))
    found, mean = (render(demo, codes, camera) for codes in (encoder(images), average))
    assert float(mse(found, images).mean()) < 0.5 * float(mse(mean, images).mean())
    assert (demo.perceptual.distance(found, images) < demo.perceptual.distance(mean, images)).all()


def test_a_person_is_told_from_the_others_by_the_render(demo, encoder, photos):
    images, camera = photos
    found = render(demo, encoder(images), camera)
    scores = torch.stack([demo.judge.similarity(found, image.expand_as(found)) for image in images])
    assert (scores.argmax(1) == torch.arange(len(images))).all()


def test_the_size_of_the_photo_does_not_matter(demo, encoder, photos):
    images, _ = photos
    large = torch.nn.functional.interpolate(images, (256, 256), mode="bilinear")
    near, far = encoder(images), encoder(large)
    assert float((near - far).square().mean()) < 0.05 * float((near - near.flip(0)).square().mean())
