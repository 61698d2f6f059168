import pytest
import torch
from torch.nn import functional as F

from inv3d.core.crops import Crops
from inv3d.video.quality import quality


@pytest.fixture
def picture() -> torch.Tensor:
    """[3,160,160] in [-1,1]: a grey disc of fine texture, as large as the head in a crop of the whole."""
    random = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 160), torch.linspace(-1, 1, 160), indexing="ij")
    inside = (x**2 + y**2 < 0.5).float()
    texture = 0.3 * torch.randn(160, 160, generator=random) * inside
    return (0.4 * inside - 0.4 + texture).clamp(-1, 1).expand(3, -1, -1).contiguous()


def whole(x: float = 80.0, size: float = 160.0) -> Crops:
    return Crops(torch.tensor([[x, 80.0]]), torch.tensor([size]), torch.zeros(1))


def test_light_is_that_of_the_face(picture):
    bright, dark = (quality(image, whole()).light for image in (picture, (picture + 1) * 0.3 - 1))
    assert bright == pytest.approx(0.5, abs=0.05) and dark == pytest.approx(0.15, abs=0.02)


def test_blur_grows_with_motion(picture):
    smeared = F.avg_pool2d(F.pad(picture[None], (7, 7, 0, 0), mode="replicate"), (1, 15), 1)[0]
    assert quality(smeared, whole()).blur > quality(picture, whole()).blur + 0.2


def test_a_picture_without_edges_is_as_blurred_as_can_be():
    assert quality(torch.zeros(3, 160, 160), whole()).blur == 1.0


def test_a_head_beyond_the_edge_is_cut_off(picture):
    assert quality(picture, whole()).inside == 1.0
    assert quality(picture, whole(x=40.0)).inside == pytest.approx(0.86, abs=0.05)
    assert quality(picture, whole(size=400.0)).inside < 0.5


def test_glare_is_white_by_the_eyes(picture):
    assert quality(picture, whole()).glare == 0.0
    shining = picture.clone()
    shining[:, 62:84, 55:75] = 1.0
    assert quality(shining, whole()).glare > 0.1
    elsewhere = picture.clone()
    elsewhere[:, :40] = 1.0
    assert quality(elsewhere, whole()).glare == 0.0
