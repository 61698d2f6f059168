import pytest
import torch
from scipy.ndimage import gaussian_filter
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


def test_ms_ssim_follows_the_paper():
    """Contrast and structure at scales 1 to 5, luminance at the last, with the exponents of Wang et al. 2003."""

    def blurred(x):
        return gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    random = torch.Generator().manual_seed(2)
    a = torch.nn.functional.interpolate(torch.rand(1, 1, 40, 40, generator=random), size=(256, 256), mode="bilinear")
    b = (0.8 * a + 0.1 + 0.03 * torch.randn(a.shape, generator=random)).clamp(0, 1)
    x, y, expected = a[0, 0].double().numpy(), b[0, 0].double().numpy(), 1.0
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean_x, mean_y = blurred(x), blurred(y)
        variances = blurred(x * x) - mean_x**2 + blurred(y * y) - mean_y**2
        term = (2 * (blurred(x * y) - mean_x * mean_y) + 0.0009) / (variances + 0.0009)
        if scale == 4:
            term = term * (2 * mean_x * mean_y + 0.0001) / (mean_x**2 + mean_y**2 + 0.0001)
        expected *= term.mean() ** exponent
        x, y = (z.reshape(len(z) // 2, 2, -1, 2).mean((1, 3)) for z in (x, y))
    found = ms_ssim(*(2 * z.expand(-1, 3, -1, -1) - 1 for z in (a, b)))
    assert float(found) == pytest.approx(expected, abs=1e-4) and expected < 0.97
