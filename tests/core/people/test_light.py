import math

import numpy as np
import torch

from inv3d.core.people.light import LIGHT_LATENTS, LIGHT_NAMES, harmonics, light_columns


def test_harmonics_are_orthonormal_on_the_sphere():
    """By a rule that is exact for products of two of degree 2: Gauss-Legendre along the axis, even steps around it."""
    heights, weights = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(3))
    angles = torch.arange(5, dtype=torch.float64) * 2 * math.pi / 5
    z, angle = (each.flatten() for each in torch.meshgrid(heights, angles, indexing="ij"))
    around = (1 - z * z).sqrt()
    found = harmonics(torch.stack([around * angle.cos(), around * angle.sin(), z], -1))
    products = found.T @ (found * (weights.repeat_interleave(5) * 2 * math.pi / 5)[:, None])
    assert torch.allclose(products, torch.eye(9, dtype=torch.float64), atol=1e-5)


def test_lights_have_all_their_numbers_a_unit_direction_and_colours_of_light():
    random = torch.Generator().manual_seed(5)
    columns = light_columns(2.0 * torch.randn(500, len(LIGHT_LATENTS), generator=random))
    assert set(columns) == set(LIGHT_NAMES)
    assert all(column.isfinite().all() for column in columns.values())
    key = torch.stack([columns[f"key_{axis}"] for axis in "xyz"], 1)
    assert torch.allclose(key.norm(dim=1), torch.ones(500), atol=1e-5)
    assert all((columns[name] > 0).all() for name in ("key_r", "key_g", "key_b", "key_size", "exposure"))
