import pytest
import torch
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.crops import Crops
from inv3d.video import quality as module
from inv3d.video.quality import Quality


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


def quality(image: torch.Tensor, crops: Crops, yaw: float = 0.0) -> Quality:
    return module.quality(image, crops, torch.tensor([yaw]), torch.zeros(1))


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


@pytest.mark.parametrize("yaw", [-0.9, 0.0, 0.9])
def test_eyes_have_contrast_where_the_nearer_one_is(yaw):
    plain = torch.full((3, 160, 160), 0.2)
    uv, _ = look_at(torch.tensor([yaw]), torch.zeros(1)).project(torch.tensor([[[0.053, 0.0, 0.16], [-0.053, 0.0, 0.16]]]))
    near, far = (uv[0] if yaw >= 0.0 else uv[0].flip(0)).mul(160).round().int().tolist()

    def with_pupil(x: int, y: int) -> torch.Tensor:
        seen = plain.clone()
        seen[:, y - 3 : y + 3, x - 3 : x + 3] = -0.8
        return seen

    shut, nearer, other = (quality(image, whole(), yaw).eyes for image in (plain, with_pupil(*near), with_pupil(*far)))
    assert shut < 1e-4
    assert nearer > 0.05
    assert other == pytest.approx(nearer, rel=0.3) if yaw == 0.0 else other < 0.1 * nearer
