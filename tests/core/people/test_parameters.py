import pytest
import torch

from inv3d.core.people.basis import ACTIONS
from inv3d.core.people.expression import EXPRESSION_NAMES, action_weights
from inv3d.core.people.light import harmonics
from inv3d.core.people.parameters import (
    LATENT_DIM,
    PARAMETER_NAMES,
    SHAPE_NAMES,
    Parameters,
    people_parameters,
    split_latents,
)


def latents(count: int) -> torch.Tensor:
    return torch.randn(count, LATENT_DIM, generator=torch.Generator().manual_seed(3))


def test_every_latent_gives_numbers_within_bounds() -> None:
    matrix = people_parameters(*split_latents(3.0 * latents(500)))
    p = Parameters(matrix)
    assert matrix.shape == (500, len(PARAMETER_NAMES)) and matrix.isfinite().all()
    for name in ("sex", "melanin", "glasses", "hat", "curl", "recede", "smile", "blink"):
        column = getattr(p, name)
        assert column.min() >= -1.0 and column.max() <= 1.06, name
    assert torch.allclose(p.columns(("african", "asian", "caucasian")).sum(1), torch.ones(500), atol=1e-5)


@pytest.mark.parametrize("part", [1, 2, 3])
def test_what_does_not_belong_to_a_person_leaves_them_alone(part: int) -> None:
    one, other = split_latents(latents(1)), split_latents(latents(2)[1:])
    mixed = [other[i] if i == part else one[i] for i in range(4)]
    changed = (people_parameters(*one) != people_parameters(*mixed))[0]
    names = {name for name, moved in zip(PARAMETER_NAMES, changed, strict=True) if moved}
    assert names
    if part == 1:
        assert names <= set(EXPRESSION_NAMES)
    elif part == 2:
        assert all(name.startswith(("key_", "sh_", "exposure", "balance")) for name in names)
    else:
        assert all(name.startswith(("background", "backdrop", "clutter")) for name in names)


def test_people_are_old_and_young_bald_and_haired() -> None:
    p = Parameters(people_parameters(*split_latents(latents(2000))))
    assert 0.05 < (p.age < 1.8).float().mean() < 0.25
    assert 0.3 < (p.sex > 0.5).float().mean() < 0.7
    assert (p.hair_top > 0.2).float().mean() > 0.1 and (p.hair_top < 0.01).float().mean() > 0.02
    for name in ("glasses", "hat", "scarf", "earring", "cheek_beard"):
        assert (getattr(p, name) > 0.001).float().mean() > 0.02, name


def test_shape_names_come_first() -> None:
    assert PARAMETER_NAMES[: len(SHAPE_NAMES)] == SHAPE_NAMES
    assert len(set(PARAMETER_NAMES)) == len(PARAMETER_NAMES)


def test_a_smile_pulls_both_corners_and_a_sided_mouth_one() -> None:
    columns = torch.zeros(2, len(EXPRESSION_NAMES))
    columns[0, EXPRESSION_NAMES.index("smile")] = 1.0
    columns[1, EXPRESSION_NAMES.index("sided")] = 0.3
    weights = action_weights(columns)
    left, right = ACTIONS.index("mouthSmileLeft"), ACTIONS.index("mouthSmileRight")
    assert weights[0, left] == weights[0, right] > 0.5
    assert weights[1, left] > 0.1 > weights[1, right]


def test_harmonics_are_orthonormal() -> None:
    directions = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    values = harmonics(directions)
    gram = 4.0 * torch.pi * values.T @ values / len(values)
    assert torch.allclose(gram, torch.eye(9), atol=0.03)
