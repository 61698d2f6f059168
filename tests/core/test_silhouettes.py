import pytest
import torch
from skimage import data
from torch.nn import functional as F

from inv3d.core import silhouettes
from inv3d.core.silhouettes import of_people, raised, shows_face

SIZE = 256


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """The head of a photographed woman, about as models align it."""
    return torch.from_numpy(data.astronaut()[:SIZE, 96:352].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0


@pytest.fixture(scope="module")
def silhouette(portrait: torch.Tensor) -> torch.Tensor:
    return of_people(portrait)


def disc(across: float, down: float, radius: float) -> torch.Tensor:
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    return (torch.hypot(axis[:, None] - down, axis - across) < radius).float()[None, None]


def shoulders() -> torch.Tensor:
    lower = torch.zeros(1, 1, SIZE, SIZE)
    lower[..., round(0.75 * SIZE) :, :] = 1.0
    return lower


def found_in(matte: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """The silhouette of a picture in which the network sees a `matte`, whichever way round."""
    answers = [torch.logit(matte.flip(3), 1e-6), torch.logit(matte, 1e-6)]
    monkeypatch.setattr(silhouettes, "person_matte", lambda device: lambda images: answers.pop())
    return of_people(torch.zeros(1, 3, SIZE, SIZE))


def test_a_photographed_person_stands_out(silhouette):
    assert silhouette.shape == (1, 1, SIZE, SIZE)
    assert silhouette[0, 0, 40:140, 90:165].min() > 0.95 and silhouette[0, 0, 235:, 60:190].min() > 0.9
    assert silhouette[0, 0, :130, :45].max() < 0.05 and silhouette[0, 0, :130, 215:].max() < 0.05
    assert shows_face(silhouette).tolist() == [True]


def test_any_size_and_side_of_a_picture_shows_the_same(portrait, silhouette):
    large = F.interpolate(portrait, (600, 600), mode="bilinear")
    both = of_people(torch.cat([large, large.flip(3)]))
    assert torch.allclose(both[0], both[1].flip(2), atol=1e-4)
    assert (both[0] - silhouette[0]).abs().mean() < 0.005


def test_a_person_is_seen_in_little_light(portrait, silhouette):
    dark = 0.08 * (portrait + 1.0) - 1.0
    assert (of_people(dark) - silhouette).abs().mean() < 0.003


def test_where_nobody_is_no_face_is_covered():
    assert shows_face(of_people(torch.full((1, 3, SIZE, SIZE), 0.5))).tolist() == [False]


def test_a_neighbour_is_not_the_head(monkeypatch):
    """One whose shoulders touch those of the head, and a hand that touches nothing."""
    head = torch.maximum(disc(0.5, 0.5, 0.27), shoulders())
    others = torch.maximum(disc(0.1, 0.5, 0.08), disc(0.95, 0.65, 0.15))
    found = found_in(torch.maximum(head, others), monkeypatch)
    chin = round(0.7 * SIZE)
    assert torch.allclose(found[..., :chin, :], head[..., :chin, :], atol=1e-5)
    assert found[..., round(0.75 * SIZE) :, :].min() > 0.99


def test_fog_is_no_bridge(monkeypatch):
    fog = 0.2 * torch.ones(1, 1, SIZE, SIZE)
    found = found_in(torch.maximum(torch.maximum(disc(0.5, 0.5, 0.27), disc(0.1, 0.3, 0.08)), fog), monkeypatch)
    assert found[0, 0, 128, 128] > 0.99 and float(found[0, 0, 77, 26]) == pytest.approx(0.2, abs=1e-4)


def test_hair_that_hangs_down_belongs_to_the_head(monkeypatch):
    hair = torch.zeros(1, 1, SIZE, SIZE)
    hair[..., 128:240, 55:75] = 1.0
    matte = torch.maximum(disc(0.5, 0.5, 0.27), hair)
    assert torch.allclose(found_in(matte, monkeypatch), matte, atol=1e-5)


def test_a_face_says_how_sure_an_aligner_is_and_has_no_holes():
    head = disc(0.5, 0.5, 0.3)
    unsure = 0.6 * head
    unsure[..., 120:132, 120:132] = 0.0
    assert torch.allclose(raised(unsure), head, atol=1e-5)
    assert torch.equal(raised(head), head)
    empty = raised(torch.zeros_like(head))
    assert float(empty.mean()) < 0.15  # where nothing is known, no more than the face itself
