import pytest
import torch

from inv3d.core.inversion.features import Faces


@pytest.fixture(scope="module")
def face(demo):
    """The mean head of `demo` from the front [1,3,R,R], which has a face."""
    codes = demo.generator.code_space.repeat(demo.mean_code[None])
    with torch.no_grad():
        return demo.generator(codes, demo.info.front).image.clamp(-1.0, 1.0)


def test_a_picture_agrees_with_itself_and_not_with_one_that_is_shifted(face):
    faces, side = Faces.of(face), face.shape[-1]
    assert faces.is_one.tolist() == [1.0]
    assert float(faces.apart(face)) < 0.005
    for shift in (4, 12):
        expected = shift / side / float(faces.crops.size)
        assert float(faces.apart(face.roll(shift, 3))) == pytest.approx(expected, abs=0.012)


def test_the_gradient_draws_a_face_back_to_its_place(face):
    faces = Faces.of(face)
    moved = face.roll(6, 3).requires_grad_()
    faces.apart(moved).sum().backward()
    back = face - moved.detach()
    assert float((moved.grad * back).sum()) < 0.0


def test_where_there_is_no_face_nothing_is_told(face):
    noise = torch.rand(face.shape, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    both = Faces.of(torch.cat([noise, face]))
    assert both.is_one.tolist() == [0.0, 1.0]
    assert both.apart(torch.cat([face, noise]))[0] == 0.0 < both.apart(torch.cat([face, noise]))[1]


def test_several_batches_are_one(face):
    one, other = Faces.of(face), Faces.of(face.roll(8, 2))
    both = Faces.joined([one, other])
    for faces in (both, both[torch.tensor([1, 0])]):
        assert len(faces.points) == len(faces.crops) == 2
    assert torch.equal(both[torch.tensor([1])].points, other.points)
    assert torch.equal(both[torch.tensor([1])].crops.center, other.crops.center)
