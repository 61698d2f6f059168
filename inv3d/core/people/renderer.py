"""Renders people: exact colour, depth, coverage, normals and distances for any rays and points, on CPU and CUDA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from torch import Tensor

from inv3d.core.camera import Camera, screen_height
from inv3d.core.people import kernels, queries
from inv3d.core.people.backdrop import backdrop
from inv3d.core.people.basis import Basis
from inv3d.core.people.eyes import gaze_rotation
from inv3d.core.people.mesh import join
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.person import Builder, Person
from inv3d.core.people.skin import Look

wp.config.log_level = wp.LOG_WARNING
wp.init()
_OCCLUSION_RAYS, _OCCLUSION_REACH = 6, 0.16
_LOWEST = -0.45
"""World height below which nothing is darkened: the usual picture ends above."""
_SMALL_LAMP = 0.10
RIBBON_HALF = 0.0015
"""Half the thickness of a ribbon of hair for distances, world units."""


@dataclass(frozen=True)
class PeopleRender:
    """`image` [B,3,H,W] in [-1,1], `alpha` [B,1,H,W] in [0,1], `depth` [B,1,H,W] along the ray (6 where empty),
    `normals` [B,3,H,W]."""

    image: Tensor
    alpha: Tensor
    depth: Tensor
    normals: Tensor


@dataclass(frozen=True)
class Hits:
    """What P rays meet: `colours` [P,3] in [0,1], `depth` [P], `normals` [P,3], `kind` [P] (-1 for nothing)."""

    colours: Tensor
    depth: Tensor
    normals: Tensor
    kind: Tensor


def _vectors(tensor: Tensor) -> Any:
    return wp.from_torch(tensor.float().contiguous(), dtype=wp.vec3)


class Scene:
    """One person, ready for rays and points."""

    def __init__(self, person: Person, parameters: Tensor) -> None:
        self.person, self.parameters = person, parameters
        joined = join(person.solids + person.ribbons)
        self.device = joined.vertices.device
        self._keep = joined  # warp reads the tensors' memory
        self._corners = joined.triangles.int().flatten().contiguous()
        self.mesh = self._mesh(joined.vertices, self._corners)
        self.body = kernels.Body()
        self.body.mesh = self.mesh.id
        self.body.corners = wp.from_torch(self._corners)
        self.body.kind = wp.from_torch(joined.kind)
        self.body.points = _vectors(joined.vertices)
        self.body.normal = _vectors(joined.normals)
        self.body.place = _vectors(joined.place)
        self.body.extra = wp.from_torch(joined.extra.float().contiguous(), dtype=wp.vec4)
        self.body.scalp = wp.from_torch(joined.scalp.float().contiguous())
        self.body.paint = wp.from_torch(joined.paint.float().contiguous(), dtype=wp.vec4)
        self._shade = torch.ones(len(joined.vertices), device=self.device)
        self.body.shade = wp.from_torch(self._shade)
        self._darken()
        self.light, self.look = self._light(), self._look()
        self._solid: Any = None
        self._ribbons: Any = None

    def _mesh(self, vertices: Tensor, corners: Tensor, signed: bool = False) -> Any:
        points = _vectors(vertices)
        return wp.Mesh(
            points, wp.from_torch(corners), support_winding_number=signed, bvh_constructor="sah", bvh_leaf_size=4
        )

    def _darken(self) -> None:
        """Ambient occlusion at the vertices of skin, eyes and cloth that a picture can show."""
        kept, first = [], 0
        for piece in self.person.solids:
            if piece.kind in (kernels.SKIN, kernels.EYE, kernels.CLOTH, kernels.HAT):
                seen = piece.vertices[:, 1] > _LOWEST
                kept.append(first + torch.nonzero(seen)[:, 0])
            first += len(piece.vertices)
        vertices = torch.cat(kept).int()
        wp.launch(
            queries.occlusion, len(vertices),
            [self.mesh.id, wp.from_torch(vertices), self.body.points, self.body.normal, _OCCLUSION_REACH,
             _OCCLUSION_RAYS, self.body.shade],
            device=str(self.device),
        )  # fmt: skip

    def _light(self) -> Any:
        p = Parameters(self.parameters)
        light = kernels.Light()
        light.key = wp.vec3(*p.columns(("key_x", "key_y", "key_z"))[0].tolist())
        light.colour = wp.vec3(*p.columns(("key_r", "key_g", "key_b"))[0].tolist())
        light.size = float(p.key_size)
        light.exposure, light.balance = float(p.exposure), float(p.balance)
        first = p.columns(tuple(f"sh_{i}_{c}" for i in range(9) for c in "rgb")).reshape(9, 3)
        self._sh = first.contiguous()
        light.sh = _vectors(self._sh)
        return light

    def _look(self) -> Any:
        p = Parameters(self.parameters)
        look = Look()
        for name in (
            "melanin", "blood", "blush", "freckles", "gloss", "lipstick", "makeup", "wrinkles", "stubble", "brow_density",
            "brow_thickness", "brow_arch", "tint", "pattern", "smile", "brows_up",
        ):  # fmt: skip
            setattr(look, name, float(getattr(p, name)))
        look.cover = float(p.scalp_shade)
        look.moles = wp.vec3(*p.columns(("mole_1", "mole_2", "mole_3"))[0].tolist())
        colours = {
            "iris": "iris_colour", "hair": "hair_colour", "beard": "beard_colour", "cloth": "cloth",
            "second": "cloth_second", "frame": "frame", "hat": "hat_colour",
        }  # fmt: skip
        for field, name in colours.items():
            setattr(look, field, wp.vec3(*p.colour(name)[0].tolist()))
        look.brow = wp.vec3(*(0.8 * p.colour("beard_colour")[0]).tolist())
        gaze = gaze_rotation(float(p.gaze_x), float(p.gaze_y)).T
        look.gaze = wp.mat33(*gaze.flatten().tolist())
        return look

    def hits(self, origins: Tensor, directions: Tensor, lamps: int | None = None) -> Hits:
        """What rays [P,3] meet; `lamps` shadow rays each, by default as many as the lamp's size asks for."""
        if lamps is None:
            lamps = 1 if self.light.size < _SMALL_LAMP else 2
        count = len(origins)
        colours, normals = (torch.empty(count, 3, device=self.device) for _ in range(2))
        depth = torch.empty(count, device=self.device)
        kind = torch.empty(count, dtype=torch.int32, device=self.device)
        wp.launch(
            kernels.render, count,
            [self.body, self.light, self.look, _vectors(origins), _vectors(directions), lamps],
            [wp.from_torch(colours, dtype=wp.vec3), wp.from_torch(depth), wp.from_torch(normals, dtype=wp.vec3),
             wp.from_torch(kind)],
            device=str(self.device),
        )  # fmt: skip
        return Hits(colours, depth, normals, kind)

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance [P] in world units at `points` [P,3]."""
        if self._solid is None:
            solid = join(self.person.solids)
            self._solid = self._mesh(solid.vertices, solid.triangles.int().flatten().contiguous(), signed=True)
            if self.person.ribbons:
                ribbons = join(self.person.ribbons)
                self._ribbons = self._mesh(ribbons.vertices, ribbons.triangles.int().flatten().contiguous())
        out = torch.empty(len(points), device=self.device)
        ribbons_id = self._ribbons.id if self._ribbons is not None else 0
        wp.launch(
            queries.distances, len(points),
            [self._solid.id, wp.uint64(ribbons_id), RIBBON_HALF, _vectors(points)], [wp.from_torch(out)],
            device=str(self.device),
        )  # fmt: skip
        return out


def _pixel_points(height: int, width: int, supersample: int) -> Tensor:
    """Image points [H*W*S*S,2]: those of one pixel follow one another, as the lamp's strata want it."""
    inside = (torch.arange(supersample) + 0.5) / supersample
    y, x, v, u = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), inside, inside, indexing="ij")
    return torch.stack([(x + u) / width, (y + v) / height], -1).reshape(-1, 2)


class PeopleRenderer:
    """Renders people given as parameter matrices (see `parameters.people_parameters`)."""

    def __init__(self, basis: Basis) -> None:
        self.builder = Builder(basis)

    def scene(self, parameters: Tensor) -> Scene:
        """The scene of one person [1,K]."""
        return Scene(self.builder.build(parameters), parameters)

    def render_rays(self, scene: Scene, origins: Tensor, directions: Tensor) -> Hits:
        """What rays [P,3] show, in front of the person's background."""
        hits = scene.hits(origins, directions)
        behind = backdrop(screen_height(origins, directions)[None], scene.parameters)[0]
        colours = torch.where((hits.kind >= 0)[:, None], hits.colours, behind)
        return Hits(colours, hits.depth, hits.normals, hits.kind)

    @torch.no_grad()
    def render(
        self, parameters: Tensor, camera: Camera, resolution: int | tuple[int, int], supersample: int = 2,
        behind: Tensor | None = None,
    ) -> PeopleRender:  # fmt: skip
        """Pictures of people [B,K] through as many cameras, `supersample` x `supersample` rays a pixel.

        `behind` [B,3,H,W] in [0,1] replaces the people's own backgrounds. Who appears several times in a row is built
        once.
        """
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        points = _pixel_points(height, width, supersample)
        rows: list[list[Tensor]] = []
        scene, last = None, None
        for i in range(len(camera)):
            own = parameters[i : i + 1]
            if scene is None or last is None or not torch.equal(own, last):
                scene, last = self.scene(own), own
            origins, directions = camera[i].rays_through(points[None].to(own.device))
            if behind is None:
                hits = self.render_rays(scene, origins[0], directions[0])
            else:
                hits = scene.hits(origins[0], directions[0])
            maps = (hits.colours, (hits.kind >= 0).float()[:, None], hits.depth[:, None], hits.normals)
            rows.append(
                [m.reshape(height, width, supersample**2, -1).mean(2).permute(2, 0, 1)[None] for m in maps]
            )
        image, alpha, depth, normals = (torch.cat(maps) for maps in zip(*rows, strict=True))
        if behind is not None:
            image = image + (1.0 - alpha) * behind.to(image)
        return PeopleRender(image * 2.0 - 1.0, alpha, depth, normals)
