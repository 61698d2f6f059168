import pytest
import torch
from skimage.metrics import structural_similarity

from inv3d.core.metrics.image import ms_ssim, mse, psnr, ssim


def pictures(noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    base = (
        torch.nn.functional.interpolate(torch.rand(2, 3, 9, 9, generator=random), size=(64, 64), mode="bicubic").clamp(
            0, 1
        )
        * 2
        - 1
    )
    return base, (base + noise * torch.randn(base.shape, generator=random)).clamp(-1, 1)


def test_a_picture_equals_itself():
    a, _ = pictures(0.1)
    assert torch.allclose(ssim(a, a), torch.ones(2)) and torch.allclose(ms_ssim(a, a), torch.ones(2))
    assert (mse(a, a) == 0).all()


def test_psnr_counts_the_range_of_two():
    a = torch.zeros(1, 3, 8, 8)
    assert float(psnr(a, a + 0.2)) == pytest.approx(20.0, abs=1e-3)


def test_ssim_matches_scikit_image():
    a, b = pictures(0.1)
    for i in range(2):
        x, y = ((p[i] + 1).div(2).permute(1, 2, 0).numpy() for p in (a, b))
        _, full = structural_similarity(
            x, y, channel_axis=2, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        assert float(ssim(a, b)[i]) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)


@pytest.mark.parametrize("metric", [ssim, ms_ssim])
def test_more_noise_is_less_similar(metric):
    values = [float(metric(*pictures(noise)).mean()) for noise in (0.02, 0.1, 0.4)]
    assert values == sorted(values, reverse=True)
