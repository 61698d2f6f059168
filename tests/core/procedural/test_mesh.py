import numpy as np
import torch
import trimesh

from inv3d.core.procedural.mesh import head_mesh
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.toon import TOON
from tests.core.procedural.figures import draw


def test_the_mesh_is_the_zero_of_the_field():
    renderer, parameters = HeadRenderer(), draw(TOON, 12, 1)
    vertices, triangles = head_mesh(renderer, parameters, resolution=64)
    inner = np.abs(vertices).max(1) < 0.35
    distance = renderer.distance(torch.from_numpy(vertices[inner])[None], parameters).abs()
    assert float(distance.quantile(0.99)) < 1e-3
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    assert mesh.volume > 0.01  # outward
