import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from inv3d.core.people.mesh import Piece, grid_triangles, join, vertex_normals

sizes = st.integers(3, 7)


@settings(max_examples=50, deadline=None)
@given(rows=sizes, columns=sizes, closed=st.booleans())
def test_a_grid_is_a_disc_or_a_tube_whose_triangles_all_face_the_same_side(rows, columns, closed):
    triangles = grid_triangles(rows, columns, closed, torch.device("cpu"))
    passed = [tuple(edge) for one in triangles.tolist() for edge in ((one[0], one[1]), (one[1], one[2]), (one[2], one[0]))]
    assert len(set(passed)) == len(passed)  # two triangles at an edge pass it in both directions
    edges = {tuple(sorted(edge)) for edge in passed}
    assert sorted(set(triangles.flatten().tolist())) == list(range(rows * columns))
    assert rows * columns - len(edges) + len(triangles) == (0 if closed else 1)  # Euler's characteristic


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_normals_turn_with_the_mesh_and_know_no_size(seed):
    random = torch.Generator().manual_seed(seed)
    vertices = torch.randn(20, 3, generator=random, dtype=torch.float64)
    triangles = grid_triangles(4, 5, False, torch.device("cpu"))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=random, dtype=torch.float64)).Q
    turn = turn * torch.linalg.det(turn)
    found = vertex_normals(vertices, triangles)
    assert torch.allclose(vertex_normals(3.0 * vertices @ turn.T + 1.0, triangles), found @ turn.T, atol=1e-9)
    assert torch.allclose(vertex_normals(vertices, triangles.flip(1)), -found, atol=1e-9)


def test_normals_weigh_triangles_by_their_area():
    """Three faces of a box meet in a corner; one is divided, and another is larger."""
    corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3], [0.5, 0.5, 0]])
    triangles = torch.tensor([[0, 1, 4], [0, 4, 2], [0, 2, 3], [0, 3, 1]])
    expected = F.normalize(torch.tensor([3.0, 3.0, 1.0]), dim=0)
    assert torch.allclose(vertex_normals(corner, triangles)[0], expected)


def test_joined_pieces_keep_their_triangles_and_kinds():
    random = torch.Generator().manual_seed(2)
    pieces = []
    for kind, rows in ((3, 2), (5, 4)):
        count = rows * 3
        own = torch.rand(count, 3, generator=random)
        pieces.append(Piece(kind, own, grid_triangles(rows, 3, True, torch.device("cpu")), own, scalp=own[:, 0]))
    joined = join(pieces)
    assert torch.equal(joined.vertices[joined.triangles], torch.cat([each.vertices[each.triangles] for each in pieces]))
    assert joined.kind.tolist() == [3] * 6 + [5] * 18
    assert torch.equal(joined.normals, torch.cat([vertex_normals(each.vertices, each.triangles) for each in pieces]))
    assert torch.equal(joined.scalp, joined.vertices[:, 0]) and not joined.paint.any()
