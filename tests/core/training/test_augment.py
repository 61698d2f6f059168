import pytest
import torch

from inv3d.core.training.augment import cluttered, compressed, occluded, photographed, pixelated, scrambled, smeared


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures():
    return torch.rand(6, 3, 32, 32, generator=random()) * 1.6 - 0.8


def test_photographs_differ_and_stay_in_range(pictures):
    out = photographed(pictures, random())
    assert out.shape == pictures.shape and out.amin() >= -1.0 and out.amax() <= 1.0
    assert ((out - pictures).abs().flatten(1).mean(1) > 1e-3).all()
    assert torch.equal(out, photographed(pictures, random()))


def test_a_smear_keeps_the_mean_and_takes_contrast(pictures):
    flat = smeared(torch.full_like(pictures, 0.3), random())
    assert torch.allclose(flat, torch.full_like(pictures, 0.3), atol=1e-5)
    assert (smeared(pictures, random()).std((1, 2, 3)) < pictures.std((1, 2, 3))).all()


def test_compression_grows_with_its_strength_and_keeps_flat_blocks(pictures):
    weak, strong = (compressed(pictures, torch.full((6,), s)) for s in (0.0, 1.0))
    assert ((weak - pictures).abs().mean() < 0.3 * (strong - pictures).abs().mean()) and (
        weak - pictures
    ).abs().max() < 0.5
    # a flat block has one coefficient, a multiple of the step 0.04 at 8 times its value
    flat = torch.full((1, 3, 16, 16), 0.25)
    assert torch.allclose(compressed(flat, torch.zeros(1)), flat, atol=1e-5)


def test_fewer_pixels_leave_less_detail(pictures):
    few, many = (pixelated(pictures, torch.full((6,), share)) for share in (0.25, 1.0))
    assert torch.allclose(many, pictures, atol=1e-5) and few.std() < 0.5 * pictures.std()


def test_what_stands_in_front_is_not_covered_by_the_head(pictures):
    seen, alpha = occluded(pictures, torch.ones(6, 1, 32, 32), random(1))
    hidden = alpha < 0.5
    assert hidden.any() and not hidden.flatten(1).any(1).all()
    changed = (seen != pictures).any(1, keepdim=True)
    assert changed[hidden].all() and torch.equal(
        seen[(alpha == 1.0).expand_as(seen)], pictures[(alpha == 1.0).expand_as(seen)]
    )


def test_scrambled_pictures_keep_no_piece_in_its_place(pictures):
    still = [
        (scrambled(pictures, random(seed))[..., ::8, ::8] == pictures[..., ::8, ::8]).float().mean()
        for seed in range(8)
    ]
    assert max(still) < 0.05


def test_clutter_stands_behind_some_pictures_and_never_before_what_they_show():
    image = torch.full((40, 3, 16, 16), 0.25)
    alpha = torch.zeros(40, 1, 16, 16)
    alpha[..., :8] = 1.0
    seen = cluttered(image, alpha, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(seen[..., :8], image[..., :8])
    moved = (seen[..., 8:] != 0.25).flatten(1).any(1)
    assert 10 < int(moved.sum()) < 30
    assert torch.equal(cluttered(image, alpha, 0.0, torch.Generator()), image)
