import pytest
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


@pytest.fixture
def large() -> SuperResolution:
    """A network with weights of a size at which sums of float16 would overflow."""
    torch.manual_seed(0)
    network = SuperResolution(SuperResolutionConfig((16, 8), 16), 32, 24)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("conv0.weight") or name.endswith("conv1.weight"):
                weight.mul_(300.0)
    return network


CODES = 40.0 * torch.randn(2, 1, 24, generator=torch.Generator().manual_seed(1))


def test_half_precision_shows_the_same_image(large):
    with torch.no_grad():
        whole = large(features(16), CODES[:1])
        large.half_precision = True
        half = large(features(16), CODES[:1])
    assert half.dtype == torch.float32 and not torch.equal(half, whole)
    assert relative(half, whole) < 5e-3


def test_half_precision_keeps_small_gradients(large):
    """Of a mean over many pixels, float16 would make most of them 0."""
    codes = CODES[:1].clone().requires_grad_()

    def gradients() -> list[torch.Tensor]:
        image = large(features(16), codes)
        learned = [codes, large.block0.conv0.weight, large.block1.conv1.weight]
        return list(torch.autograd.grad((image * 1e-9).square().mean() * 1e-3, learned))

    whole = gradients()
    large.half_precision = True
    for half, expected in zip(gradients(), whole, strict=True):
        assert half.dtype == torch.float32 and relative(half, expected) < 0.05


def test_half_precision_puts_the_channels_of_a_pixel_side_by_side(large):
    large.half_precision = True
    x, image = large.upsampled(features(16), CODES[:1])
    assert x.dtype == torch.bfloat16 and image.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_several_images_take_the_memory_of_one(large):
    """What the backward pass needs of each is its input; its gradients are the same."""

    def kept_and_gradient(count: int) -> tuple[int, torch.Tensor]:
        kept: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        seen = features(16).repeat(count, 1, 1, 1).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = large(seen, CODES[:1].expand(count, -1, -1)).square().sum()
        (gradient,) = torch.autograd.grad(loss, [seen])
        return sum(kept.values()), gradient

    one, alone = kept_and_gradient(1)
    two, both = kept_and_gradient(2)
    assert two < 0.6 * one  # without the layers of either
    assert all(relative(each[None], alone) < 1e-5 for each in both)
