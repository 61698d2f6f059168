import torch

from inv3d.core.generator.config import SuperResolutionConfig
from inv3d.core.generator.superresolution import SuperResolution

from ..conftest import relative


def features(resolution: int) -> torch.Tensor:
    """The synthetic input of the references (reference/eg3d, section 8)."""
    i = torch.arange(32 * resolution**2, dtype=torch.float64).reshape(1, 32, resolution, resolution)
    channel = torch.arange(32, dtype=torch.float64).reshape(1, 32, 1, 1)
    return (0.9 * torch.sin(0.013 * i + 0.7 * channel)).float()


def test_images_match_reference(tiny, reference):
    codes = reference("backbone/ws")[:, -1:]
    for resolution in (64, 128):
        image = tiny.superresolution(features(resolution), codes)
        assert relative(image[:, :, 1::4, 1::4], reference(f"sr/image_from{resolution}_stride4_off1")) < 1e-4
        assert relative(image[:, :, :32, -32:], reference(f"sr/image_from{resolution}_corner32")) < 1e-4


def test_first_block_matches_reference(tiny, reference):
    x, image = tiny.superresolution.upsampled(features(64), reference("backbone/ws")[:, -1:])
    assert relative(image[:, :, ::4, ::4], reference("sr/block0_img_from64_stride4")) < 1e-4
    assert relative(x[:, ::8, ::16, ::16], reference("sr/block0_x_from64_stride16")) < 1e-4


def test_resizing_matches_reference(tiny, reference):
    for resolution in (64, 192):
        resized = tiny.superresolution.resize(features(resolution))[:, 0, ::3, ::3]
        assert relative(resized, reference(f"sr/resized_features_{resolution}to128_ch0_stride3")) < 1e-4


def test_half_precision_shows_the_same_image_without_gradients_alone():
    torch.manual_seed(0)
    network = SuperResolution(SuperResolutionConfig((16, 8), 16), 32, 24).requires_grad_(False)
    # weights and codes of a size at which sums of float16 would overflow
    for name, weight in network.named_parameters():
        if name.endswith("conv0.weight") or name.endswith("conv1.weight"):
            weight.mul_(300.0)
    codes = 40.0 * torch.randn(2, 14, 24)[:, -1:]
    with torch.no_grad():
        whole = network(features(16), codes)
        network.half_precision = True
        half = network(features(16), codes)
    assert half.dtype == torch.float32 and not torch.equal(half, whole)
    assert relative(half, whole) < 5e-3
    assert torch.equal(network(features(16), codes), whole)
