import torch
from torch.nn import functional as F

from inv3d.core.editing.transfer import transferred
from inv3d.core.generator import Render

SIZE = 96


def render(image: torch.Tensor, depth: float = 2.7, alpha: float = 1.0) -> Render:
    ones = torch.ones(1, 1, SIZE, SIZE)
    return Render(image, image, depth * ones, alpha * ones)


def blob(x: int) -> torch.Tensor:
    """A soft dark spot on grey whose middle is at `x`."""
    across, down = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="xy")
    spot = torch.exp(-((across - x).square() + (down - 48).square()) / 200.0)
    return (0.2 - 0.6 * spot).expand(1, 3, -1, -1).contiguous()


def freckle(image: torch.Tensor, x: int) -> torch.Tensor:
    """The picture with what only a frame shows: a bright dot."""
    image = image.clone()
    image[:, :, 47:50, x - 1 : x + 2] += 0.5
    return image


def brightest(difference: torch.Tensor) -> float:
    """The column around which a difference is bright."""
    weight = difference.mean(1).clamp(min=0.0)[0].sum(0)
    return float((weight * torch.arange(len(weight))).sum() / weight.sum())


def test_without_a_change_the_frames_show_as_they_are():
    plain, framed = render(blob(48)), render(freckle(blob(48), 52))
    shown = transferred(plain, plain, framed)
    assert torch.allclose(shown.image, framed.image, atol=1e-4)
    assert torch.allclose(shown.alpha, framed.alpha, atol=1e-4)


def test_what_frames_add_moves_with_the_edit():
    plain, edited = render(blob(48)), render(blob(50))
    shown = transferred(edited, plain, render(freckle(blob(48), 52))).image
    assert 53.3 < brightest(shown - edited.image) < 54.7


def test_a_tint_keeps_what_frames_add():
    plain, edited = render(blob(48)), render(blob(48) + 0.15)
    shown = transferred(edited, plain, render(freckle(blob(48), 52))).image
    assert float((shown - edited.image).max()) > 0.4


def test_a_share_of_what_frames_add():
    plain, framed = render(blob(48)), render(freckle(blob(48), 52))
    half, none = (transferred(plain, plain, framed, share).image for share in (0.5, 0.0))
    assert torch.allclose(half, 0.5 * (plain.image + framed.image), atol=1e-4)
    assert torch.allclose(none, plain.image, atol=1e-6)


def test_what_an_edit_covers_is_the_generators_own():
    edited = blob(48)
    edited[:, :, 30:70, 40:70] = -0.95
    framed = render(freckle(blob(48), 60))
    for after in (render(edited), render(blob(48), depth=2.6), render(blob(48), alpha=0.0)):
        shown = transferred(after, render(blob(48)), framed).image
        assert float((shown - after.image)[:, :, 44:53, 56:65].abs().max()) < 0.12


def test_larger_pictures_of_frames_stay_sharp():
    plain = render(blob(48))
    fine = F.interpolate(plain.image, (2 * SIZE, 2 * SIZE), mode="bilinear", align_corners=False)
    fine[:, :, 90, 100] += 0.6
    framed = Render(fine, plain.image_raw, plain.depth, plain.alpha, torch.zeros(1, 3, 2 * SIZE, 2 * SIZE))
    shown = transferred(plain, plain, framed)
    assert torch.allclose(shown.image, fine, atol=1e-4)
