"""The coloured mesh: marching cubes on the density field, vertex colours from the radiance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from skimage.filters import gaussian
from skimage.measure import marching_cubes
from torch import Tensor

from inv3d.core.errors import Inv3dError
from inv3d.core.head import Head

FORMATS = (".glb", ".ply", ".obj")
_EG3D_LEVEL = 10.0  # raw density that the public scripts take for the surface
_SMALLEST_PART = 0.02  # of the largest part's faces; what is smaller floats


@torch.no_grad()
def extract_mesh(head: Head, resolution: int = 144, faces: int = 60_000) -> trimesh.Trimesh:
    """The head's surface, y up and facing +z, in the generator's world units, from the code of the frontal view.

    Raises Inv3dError if the density has no surface.
    """
    generator = head.generator
    config = generator.config.rendering
    zero = torch.zeros(1, device=generator.device)
    planes = generator.planes(head.track.at(head.camera(zero, zero)))
    sigma = generator.density_grid(planes, resolution)[0, 0].cpu().numpy()
    level = 0.0 if config.density == "surface" else _EG3D_LEVEL
    # voxel-sized ripples are noise of the field, not of the head
    sigma = gaussian(sigma, 0.7, mode="nearest", preserve_range=True)
    # a rim of empty cells closes the mesh where the volume ends
    padded = np.pad(sigma, 1, constant_values=min(float(sigma.min()), level - 1.0))
    if not padded.max() > level:
        raise Inv3dError("the head has no surface", "make the head again with more steps")
    vertices, triangles, _, _ = marching_cubes(padded, level, gradient_direction="ascent")
    cell = config.box / resolution
    # grid axes are z, y, x; the first cell of the unpadded grid is centred half a cell inside the box
    points = ((vertices[:, ::-1] - 1.0 + 0.5) * cell - config.box / 2).astype(np.float32)
    mesh = trimesh.Trimesh(points, triangles[:, ::-1], process=False)
    mesh = _without_floaters(mesh)
    if len(mesh.faces) > faces:
        mesh = mesh.simplify_quadric_decimation(face_count=faces)
    mesh.fix_normals()
    located = torch.tensor(np.array(mesh.vertices), dtype=torch.float32, device=generator.device)
    colors = torch.cat([generator.field(planes, part[None])[1][0, :, :3] for part in located.split(32768)])
    rgba = torch.cat([colors.clamp(0, 1), torch.ones_like(colors[:, :1])], 1)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=_bytes(rgba))
    return mesh


def _bytes(values: Tensor) -> Any:
    return values.mul(255).round().byte().cpu().numpy()


def _without_floaters(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    counts = np.bincount(labels)
    mesh.update_faces(counts[labels] >= _SMALLEST_PART * counts.max())
    mesh.remove_unreferenced_vertices()
    return mesh


def _unlit(tree: dict[str, Any]) -> None:
    """The colours hold their own shading, so viewers should add none."""
    tree["extensionsUsed"] = [*tree.get("extensionsUsed", []), "KHR_materials_unlit"]
    surface = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    tree["materials"] = [{"pbrMetallicRoughness": surface, "extensions": {"KHR_materials_unlit": {}}}]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0


def write_mesh(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write GLB, PLY or OBJ by the suffix, then open the file again and check that nothing got lost."""
    if path.suffix == ".glb":
        linear = mesh.copy()
        colors = (
            np.asarray(
                mesh.visual.vertex_colors,  # type: ignore[union-attr]
                dtype=np.float64,
            )
            / 255.0
        )
        # glTF vertex colours are linear, those of the radiance are sRGB
        low = colors[:, :3] <= 0.04045
        colors[:, :3] = np.where(low, colors[:, :3] / 12.92, ((colors[:, :3] + 0.055) / 1.055) ** 2.4)
        linear.visual = trimesh.visual.ColorVisuals(linear, vertex_colors=np.round(colors * 255).astype(np.uint8))
        path.write_bytes(trimesh.exchange.gltf.export_glb(trimesh.Scene(linear), tree_postprocessor=_unlit))
    else:
        mesh.export(path)
    again: Any = trimesh.load(path, force="mesh", process=False)
    if len(again.faces) != len(mesh.faces) or not np.allclose(again.bounds, mesh.bounds, atol=1e-4):
        raise Inv3dError(
            f"{path.name} does not hold what was written", "report this, with the versions that `inv3d doctor` prints"
        )
