import pytest
import torch

from inv3d.core.membrane import Lattice, Membrane, Surface


def test_a_lattice_fills_the_picture_smoothly():
    """Values that change evenly across the picture are what lies between the points of the lattice."""
    size = 96
    lattice = Lattice.over(torch.ones(size, size, dtype=torch.bool))
    columns = torch.arange(size).expand(size, -1).flatten().float() / size
    filled = lattice.fill(columns[None, lattice.pixels])[0]
    inside = (columns > 0.1) & (columns < 0.9)
    assert (filled - columns)[inside].abs().max() < 0.02


def test_a_lattice_keeps_to_its_mask_and_fills_to_its_edge():
    mask = torch.zeros(100, 100, dtype=torch.bool)
    mask[20:60, 30:80] = True
    lattice = Lattice.over(mask)
    filled = lattice.fill(torch.ones(1, len(lattice.pixels))).reshape(100, 100)
    assert mask.flatten()[lattice.pixels].all() and len(lattice.pixels) == 13 * 17
    assert torch.allclose(filled[mask], torch.ones(()), atol=1e-4) and filled[:, :20].abs().max() == 0


def line(*places: float, colour: float = 0.5) -> Surface:
    points = torch.tensor([[place, 0.0, 0.0] for place in places])
    return Surface(points.T, torch.full_like(points.T, colour))


def test_a_correction_passes_through_what_is_known_and_fades_far_from_it():
    known, values = line(0.0, 0.1), torch.tensor([[0.2, -0.2]])
    found = line(0.0, 0.05, 0.1, 0.4, 3.0).carried(known, values, torch.ones(2))[0]
    assert found[[0, 2]].tolist() == pytest.approx([0.2, -0.2], abs=0.02)
    assert abs(found[1]) < 0.01 and -0.2 < found[3] < -0.01 and abs(found[4]) < 1e-4


def test_what_is_trusted_little_counts_little():
    known, values = line(0.0, 0.1), torch.tensor([[0.2, -0.2]])
    ((found,),) = line(0.05).carried(known, values, torch.tensor([1.0, 1e-3]))
    assert float(found) == pytest.approx(0.17, abs=0.02)


def test_one_material_tells_little_of_another():
    known = Surface(torch.tensor([[0.0, 0.1], [0.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.1, 0.8]] * 3))
    values = torch.tensor([[0.2, -0.2]])
    dark, light = (line(0.05, colour=colour).carried(known, values, torch.ones(2)) for colour in (0.1, 0.8))
    assert dark > 0.1 and light < -0.1


def test_where_nothing_is_known_nothing_is_corrected():
    nothing = Surface(torch.zeros(3, 0), torch.zeros(3, 0))
    assert line(0.0, 1.0).carried(nothing, torch.zeros(3, 0), torch.zeros(0)).equal(torch.zeros(3, 2))


def test_colours_become_what_is_wanted_where_that_is_trusted():
    """Half of a wall is known to be brighter; the other half follows, and what is not trusted counts for nothing."""
    size = 96
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    points = torch.stack([u, v, torch.zeros_like(u)]).reshape(3, -1) * 0.5 / size
    wall = Surface(points, torch.full_like(points, 0.4))
    membrane = Membrane.over(torch.ones(size, size, dtype=torch.bool), torch.arange(size * size), wall)
    left = membrane.surface.points[0] < 0.2
    wanted = torch.where(left, 0.5, 0.0).expand(3, -1)
    shift = membrane.correction(wanted, membrane.surface.colours, left.float()).reshape(3, size, size)
    assert (shift[..., :30] - 0.1).abs().max() < 1e-3 and 0.03 < shift[..., -1].mean() < 0.09


@pytest.mark.parametrize(("skin", "cloth"), [((0.8, 0.6, 0.5), (0.1, 0.5, 0.4)), ((0.8, 0.6, 0.5), (0.1, 0.1, 0.1))])
def test_skin_in_the_place_of_cloth_is_no_light(skin, cloth):
    """Where what is wanted is another material, nothing is learned of the light; a lamp that dims all is."""
    size = 64
    mask, pixels = torch.ones(size, size, dtype=torch.bool), torch.arange(size * size)
    surface = Surface(torch.zeros(3, size * size), torch.full((3, size * size), 0.5))
    membrane = Membrane.over(mask, pixels, surface)
    present = torch.tensor(cloth)[:, None].expand(-1, len(membrane.rows))
    everywhere = torch.ones(len(membrane.rows))
    other = membrane.correction(torch.tensor(skin)[:, None].expand_as(present), present, everywhere)
    lit = membrane.correction(present + 0.25, present, everywhere)
    assert other.abs().max() == 0 and lit.min() > 0.2
