import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.volume import VolumeRenderer, _marked, _some

seeds = st.integers(0, 10_000)


class Spots:
    """A field of which the renderer asks only how dense raw densities are."""

    def density(self, sigma: Tensor) -> Tensor:
        return F.softplus(sigma)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, spots=st.integers(1, 12), size=st.sampled_from([8, 16, 32]))
def test_a_few_looks_miss_no_ray_on_which_all_looks_find_something(seed, spots, size):
    """Rays that a coarse look passes over are never rendered: of a head with thin strands, too."""
    random = torch.Generator().manual_seed(seed)
    renderer = VolumeRenderer(Spots(), GeneratorConfig())  # type: ignore[arg-type]
    grid = torch.full((1, 1, size, size, size), -20.0)
    grid.view(-1)[torch.randint(size**3, (spots,), generator=random)] = 30.0
    angles = torch.rand(2, generator=random) - 0.5
    rays = look_at(2.0 * angles[:1], angles[1:]).rays(24)
    found = renderer._visible(renderer._look(grid, *rays))
    looked = renderer._may_meet(renderer._reach(grid), *rays)
    assert not (found & ~looked).any()


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(1, 4), columns=st.integers(1, 30))
def test_places_of_marks_hold_every_mark_first_and_in_order(seed, rows, columns):
    marks = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.3
    places = _marked(marks)
    assert places.shape == (rows, int(marks.sum(1).max()))
    numbers = torch.arange(rows * columns).reshape(rows, columns, 1)
    for mark, place, row, taken in zip(marks, places, numbers, _some(numbers, places), strict=True):
        wanted = mark.nonzero()[:, 0]
        assert torch.equal(place[: len(wanted)], wanted) and not mark[place[len(wanted) :]].any()
        assert torch.equal(taken, row[place])
