"""What frames saw of a head, carried over to other cameras: unstructured lumigraph rendering (Buehler et al. 2001).

A generator blurs what neither its weights nor a few hundred steps can hold: lashes, stubble, cloth. The frames hold it,
and the generator knows where each of their pixels lies on the head. So a render takes its colours from the frames that
saw the same point of the surface from nearly the same side, and keeps its own where none did. Frames that disagree, because
a depth is wrong or a mouth has moved, are moved towards each other (Eisemann et al. 2008), so that nothing shows double.
Outlines are theirs too: what a generator lacks (strands of hair, the far lens of glasses) shows on a surface that goes on
beyond its own.

Heads are nearly symmetric: the mirror image of a frame tells what the other side looks like, where no frame saw that.
Mirror images, and the generator's own colours, are brought into line with what the frames show around them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.blending import BLENDED, PENALTY, Told, blended, shares
from inv3d.core.body import body_of, body_stays, stayed
from inv3d.core.camera import Camera
from inv3d.core.filters import box_mean, resized
from inv3d.core.flow import carried, flow_between
from inv3d.core.generator import Render
from inv3d.core.membrane import Membrane, Surface
from inv3d.core.outlines import continued, smooth
from inv3d.core.tone import Tone
from inv3d.core.views import Views, from_bytes, to_bytes

DEPTH_RESOLUTION = 128
"""Pixels per side of the depth maps that tell what a frame sees."""
_NEAREST, _REFLECTED = 6, 4  # frames, and mirror images, by the direction of the camera; of these, pixels choose theirs
_HIDDEN = (0.03, 0.012)  # world units behind the frame's surface at which a point counts as hidden, and that many more
# divided by the angle in radians: from nearly the same side a frame sees what the camera sees, whatever depths err
_SIDEWAYS = (0.7, 1.2)  # radians between the views of a point: a frame tells everything below, nothing above
_ALONE = (1.2, 1.6)  # the same of a single photo: nothing else tells what that person looks like from the side
_STEEP, _SLIGHT, _HALF = 0.5, 0.2, 0.1
"""Cosine of the angle between the surface's normal and a frame's view below which a point is seen too flatly; this counts
from so many radians beside the frame, and more with every further so many."""
_BESIDE = 0.15  # radians within which a frame also tells where nothing covers it, most of them as much as where something does
_BEYOND = (0.04, 0.1)  # of a picture's width outside of what was filmed, up to which its border is a guess, of heads and of bodies, of
# whose clothes the generator knows nothing
_MIRRORED = (0.3, 0.6)  # radians: a frame nearer than this makes mirror images superfluous, one further aside does not
_PASSED = math.radians(1.5)  # by which frames are further aside than mirror images when these take over
_NEARER = math.radians(20)  # by which mirror images are nearer than frames that they make superfluous
_FURTHER = 0.4  # radians by which a mirror image counts as further aside than a frame
_COVERED = 1 / 512  # coverage up to which a pixel shows nothing of the head
_MOSTLY = 0.5  # coverage above which a pixel's colour is that of the head
_LIGHT = 0.1  # of a picture's width, over which a change of light is averaged: what is finer is a change of shape
_SEEN = 0.3  # weight above which a frame shows what it is asked for, not what hides that
_FLOW_RESOLUTION = 64  # pixels per side of the pictures that tell what moved; more are slower, not better
_FACE, _TURNING = 0.5, 1.5  # radians around the head to which its face reaches; how fast sides turn beyond
_FRONT = (0.0, 0.0, 1.0)
_LEAST = 1e-3  # coverage that counts as none
_BESIDES = math.radians(10)  # of yaw, over which the pitches of frames are averaged
_MAPS = ("pictures", "depth", "outside")
_ACROSS = math.radians(20)  # by which frames count as further aside where only their mirror images are near


@dataclass(frozen=True)
class Lumigraph:
    """K frames: `pictures` [K,4,S,S], red, green, blue and how much head and body cover, from 0 to 255; their cameras [K];
    the `depth` [K,1,s,s] of the head's surface in each, from the camera in world units; and how far pixels lie `outside` [K,1,s,s] of
    what was filmed, in widths of a picture.

    Frames are chosen for every camera, so that a head that talks while it turns does so in its renders. `at_rest` they are
    chosen for every point, wherever the camera is: eyes and mouth are those of the front, from all sides. If the
    `body_stays`, it does so in renders, too, but at rest, when nothing turns. Pictures in one `tone` make renders so.
    """

    pictures: Tensor
    camera: Camera
    depth: Tensor
    outside: Tensor
    at_rest: bool = False
    body_stays: bool = False
    tone: Tone | None = None

    @staticmethod
    def of(views: Views, depth: Tensor) -> Lumigraph:
        """Of `views` [K] and the depths in them, as exact as a saved one."""
        colours = to_bytes(views.images) if views.fine is None else views.fine
        covered = torch.ones_like(views.images[:, :1]) if views.mattes is None else views.mattes
        covered = resized(covered, colours.shape[-1])
        pictures = torch.cat([colours, covered.mul(255.0).round().byte()], 1)
        depth = depth.half().float()
        small = torch.cat([F.interpolate(each[None] / 255.0, depth.shape[-2:], mode="area") for each in pictures])
        beyond = torch.zeros_like(depth) if views.outside is None else resized(views.outside, depth.shape[-1]).half().float()
        staying = body_stays(small, views.cameras, depth)
        return Lumigraph(pictures, views.cameras, depth, beyond, body_stays=staying, tone=Tone.of(pictures))

    @property
    def size(self) -> int:
        """Pixels per side of the pictures."""
        return self.pictures.shape[-1]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: list[int]) -> Lumigraph:
        maps = {name: getattr(self, name)[rows] for name in _MAPS}
        return replace(self, camera=self.camera[rows], **maps)

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, on the CPU, as they are saved."""
        maps = {"depth": self.depth.half(), "outside": self.outside.half()}
        tensors = {"pictures": self.pictures, **maps, **vars(self.camera)}
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    def level(self, yaw: Tensor) -> Tensor:
        """The pitches [B] from which the frames, or else their mirror images, were taken around `yaw` [B]: from there they show
        most, outlines and all. Radians."""
        seen, pitch = self.camera.yaw.to(yaw), self.camera.pitch.to(yaw)
        aside = torch.cat([(yaw[:, None] - seen).abs(), (yaw[:, None] + seen).abs() + _ACROSS], 1)
        weights = torch.softmax(-0.5 * (aside / _BESIDES) ** 2, 1)
        return weights @ pitch.repeat(2)

    def relit(self, change: Tensor) -> Lumigraph:
        """The same frames in other light, which changes colours of [0,1] by the coarse part of `change` [K,3,r,r]."""
        matte = resized(self.pictures[:, 3:].float() / 255.0, change.shape[-1])
        coarse = box_mean(change * matte, _LIGHT) / box_mean(matte, _LIGHT).clamp(min=_LEAST)
        colours = self.pictures[:, :3].float() + 255.0 * resized(coarse, self.size)
        pictures = torch.cat([colours.clamp(0.0, 255.0).round().byte(), self.pictures[:, 3:]], 1)
        return replace(self, pictures=pictures)

    def without(self, row: int) -> Lumigraph:
        """The other frames: what they tell about the camera of this one."""
        return self[[i for i in range(len(self)) if i != row]]

    def to(self, device: torch.device | str) -> Lumigraph:
        return replace(self, camera=self.camera.to(device), **{name: getattr(self, name).to(device) for name in _MAPS})

    def toned(self, render: Render) -> Render:
        """A `render` of the generator in the tone of the frames, if they are all in one."""
        if self.tone is None:
            return render
        behind = None if render.behind is None else self.tone.over(render.behind)
        return replace(render, image=self.tone.over(render.image), behind=behind)

    def onto(self, render: Render, camera: Camera, size: int | None = None) -> Render:
        """The `render` [B] of the same head from `camera` [B], with the frames' colours where they saw its surface; its
        coverage ends where theirs does, and the colour that they lie on shows behind it. The image has `size` pixels a side
        (default: that of the render)."""
        if size is not None and size != render.image.shape[-1]:
            behind = None if render.behind is None else resized(render.behind, size)
            render = replace(render, image=resized(render.image, size), behind=behind)
        if not len(self):
            return render
        render = self.toned(render)
        if render.behind is not None and self._room is not None:
            empty = 1.0 - resized(render.alpha, render.image.shape[-1])
            behind = self._room.expand_as(render.behind)
            render = replace(render, image=render.image + empty * (behind - render.behind), behind=behind)
        images, alphas = zip(*(self._onto(render, camera, i) for i in range(len(camera))), strict=True)
        return replace(render, image=torch.cat(images), alpha=torch.cat(alphas))

    def _onto(self, render: Render, camera: Camera, row: int) -> tuple[Tensor, Tensor]:
        image = render.image[[row]]
        size = image.shape[-1]
        own = render.alpha[[row]]
        alpha, depth, near = (resized(each, size) for each in (own, *continued(render.depth[[row]], own)))
        depth, covering = depth.flatten(), alpha.flatten()
        reached = torch.maximum(alpha, near).flatten()
        rays = camera[row].rays(size)
        points = (rays.origins[0] + rays.directions[0] * depth[:, None]).T
        if self.body_stays:  # where it is depends on no depth
            reached = torch.maximum(reached, body_of(points))
        places = (reached > _COVERED).nonzero()[:, 0]
        if not len(places):
            return image, own
        surface = Surface(points[:, places], image[0].flatten(1)[:, places] / 2.0 + 0.5)
        membrane = Membrane.over(alpha[0, 0] > _MOSTLY, places, surface)
        found, told = self._seen(surface.points, covering[places], camera[row], size, membrane)
        shift = membrane.correction(found[:3, membrane.rows], membrane.surface.colours, _trust(found, told)[membrane.rows])
        seen, picture = alpha.new_zeros(size * size), alpha.new_zeros(4, size * size)
        image = image.flatten(2)
        image[:, :, places] += 2.0 * covering[places] * shift
        image = image.reshape(1, 3, size, size)
        seen[places], picture[:, places] = told * reached[places], found
        seen, picture = seen.reshape(1, 1, size, size), picture.reshape(1, 4, size, size)
        told_of, covered = (F.interpolate(each, own.shape[-2:], mode="area") for each in (seen, seen * picture[:, 3:]))
        return image + seen * (2.0 * picture[:, :3] - 1.0 - image), own * (1.0 - told_of) + covered

    def _seen(
        self, points: Tensor, covering: Tensor, camera: Camera, size: int, membrane: Membrane
    ) -> tuple[Tensor, Tensor]:
        """Colours and coverage [4,P] in [0,1] of surface `points` [3,P], which the generator covers so far [P], looked at from
        a `camera` [1] in a picture of `size` pixels a side, and how far frames saw them [P]. Mirror images are brought into line
        with the frames around them."""
        told = self._floated(self._told(points, covering, camera, size, _NEAREST), membrane.pixels, size)
        colour, seen = blended(*told.seen)
        enough, aside = _MIRRORED
        if self._left_behind(camera):
            told = replace(told, angles=told.angles + PENALTY)
        nearer = self._nearer_reflected(camera)
        as_near = (self._aside(camera) - enough) * (1.0 - nearer / _NEARER)
        missing = ((told.angles.amin(0) - max(0.0, as_near) - enough) / (aside - enough)).clamp(0.0, 1.0)
        rows = missing.nonzero()[:, 0]
        if len(rows):
            mirror, some = self._reflected, membrane.rows
            present, known = blended(*mirror._told(points[:, some], covering[some], camera, size, _REFLECTED, _FURTHER).seen)
            trust = _trust(present, known) * _trust(colour, seen)[some]
            shift = membrane.correction(colour[:3, some], present[:3], trust)
            others = mirror._told(points[:, rows], covering[rows], camera, size, _REFLECTED, _FURTHER, missing[rows])
            others = mirror._floated(others, membrane.pixels[rows], size)
            others.colours[:, :3] += shift[:, rows] * others.colours[:, 3:]
            colour[:, rows], seen[rows] = blended(*map(torch.cat, zip(told[rows].seen, others.seen, strict=True)))
        return colour, seen

    def _told(
        self,
        points: Tensor,
        covering: Tensor,
        camera: Camera,
        size: int,
        most: int,
        aside: float = 0.0,
        trust: Tensor | None = None,
    ) -> Told:
        """What the `most` frames nearest to a `camera` [1] tell about `points` [3,P], which the generator covers so far [P]. All
        count as further `aside` (radians), their background tells less then, and they are trusted only so far [P] in addition."""
        eye = camera.position[0]
        rows = self._nearest(*(eye.new_tensor(_FRONT), len(self)) if self.at_rest else (eye, most))
        matrix, origin, centre = (each[rows] for each in self._projections)
        away = points - centre
        distance = away.square().sum(1).sqrt()

        def angle_to(directions: Tensor) -> Tensor:
            lengths = distance * directions.square().sum(0).sqrt()
            return torch.arccos((-(away * directions).sum(1) / lengths).clamp(-1.0, 1.0))

        angle = angle_to(eye[:, None] - points)
        staying, there = torch.zeros_like(distance[0]), points
        if self.body_stays and not self.at_rest:
            staying = body_of(points)
            there = torch.lerp(points, stayed(points, camera, self.camera[rows]), staying)
        image = (matrix @ there) + origin
        uv = image[:, :2] / image[:, 2:]
        places = (2.0 * uv - 1.0).transpose(1, 2)[:, None]

        colour = _read(self._pictures(size), rows, places)
        depth, facing, beyond = _read(self._surfaces, rows, places).unbind(1)
        least, wide = _HIDDEN
        hidden = (1.0 - staying) * (distance - depth).clamp(min=0.0) / (least + wide / angle.clamp(min=1e-3))
        direct = torch.maximum(facing, staying) ** ((angle - _SLIGHT).clamp(min=0.0) / _HALF)
        near, far = _SIDEWAYS if len(self) > 1 else _ALONE
        beside = ((far - angle) / (far - near)).clamp(0.0, 1.0)
        # further aside, a background says that the geometry is wrong, but not what is right, and so does the head where the
        # generator has none; heads are not quite symmetric: outlines of mirror images count where there are no others
        further = aside if trust is None else aside * (1.0 - trust)
        covered = torch.maximum(colour[:, 3] * covering, 1.0 - ((angle + further) / _BESIDE).clamp(max=1.0) ** 4)
        head, body = _BEYOND
        reach = head + (body - head) * body_of(points)
        inside = (1.0 - ((uv - uv.clamp(0.0, 1.0)).abs().amax(1) + beyond) / reach).clamp(min=0.0)
        weights = torch.exp(-hidden.square()) * direct * beside * covered * inside
        weights = weights if trust is None else weights * trust
        away_from = angle_to(_sides(points)) if self.at_rest else angle
        return Told(rows, places, away_from + aside + PENALTY * (1.0 - weights), weights, colour)

    def _floated(self, told: Told, pixels: Tensor, size: int) -> Told:
        """What frames tell about the `pixels` [P] of a picture, with the first two moved towards each other along the optical
        flow between them, each as far as the other one counts: neither a wrong depth nor a moved mouth shows double
        (Eisemann et al. 2008, *Floating Textures*)."""
        if len(told.rows) < BLENDED:
            return told
        near, others = told.angles.tensor_split([BLENDED])
        share = shares(near, others.amin(0) if len(others) else near.amax(0) + PENALTY)
        pair, visible = told.colours[:BLENDED, :3], told.weights[:BLENDED, None] > _SEEN
        alike = torch.where(visible, pair, pair.flip(0))  # what only one frame sees does not move

        def dense(values: Tensor) -> Tensor:
            maps = values.new_zeros(*values.shape[:2], size * size)
            maps[..., pixels] = values
            return maps.unflatten(2, (size, size))

        rays = min(size, _FLOW_RESOLUTION)
        first, second = F.interpolate(dense(2.0 * alike - 1.0), (rays, rays), mode="area").split(1)
        one, other = resized(dense(share[:, None]), rays).split(1)
        flow = torch.cat([-other, one]) * flow_between(first, second)
        # the places move, not the colours: read twice, they would be blurred
        places = told.places[:BLENDED, 0]
        moved = carried(dense(torch.cat([places.mT, torch.ones_like(places.mT[:, :1])], 1)), flow).flatten(2)[..., pixels]
        places = torch.where(moved[:, 2:] > _MOSTLY, moved[:, :2] / moved[:, 2:].clamp(min=_MOSTLY), places.mT).mT[:, None]
        colours = _read(self._pictures(size), told.rows[:BLENDED], places)
        return replace(told, colours=torch.cat([colours, told.colours[BLENDED:]]))

    # what follows is worked out once for all renders

    @functools.cached_property
    def _projections(self) -> tuple[Tensor, Tensor, Tensor]:
        """Matrices [K,3,3] and shifts [K,3,1] that take world points to homogeneous image points, and the cameras'
        centres [K,3,1]."""
        centre = self.camera.position[..., None]
        matrix = self.camera.intrinsics @ self.camera.cam2world[:, :3, :3].transpose(1, 2)
        return matrix, -(matrix @ centre), centre

    @functools.cached_property
    def _by_size(self) -> dict[int, Tensor]:
        return {}

    def _pictures(self, size: int) -> Tensor:
        """The pictures [K,4,S,S] in [0,1] for renders of `size` pixels a side, whose pixels may cover several of theirs."""
        if size not in self._by_size:
            pictures = self.pictures.float() / 255.0
            if size < self.size:  # means over pixels would blur, unevenly where one size is no multiple of the other
                pictures = F.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(0.0, 1.0)
            self._by_size[size] = pictures
        return self._by_size[size]

    @functools.cached_property
    def _room(self) -> Tensor | None:
        """The one colour [3,1,1] in [-1,1] that frames without their room lie on; None if none shows it."""
        for picture in self.pictures:
            empty = picture[3] == 0
            if bool(empty.any()):
                return from_bytes(picture[:3, empty]).mean(1)[:, None, None]
        return None

    @functools.cached_property
    def _surfaces(self) -> Tensor:
        """The depth of the surface in each frame, and how directly each sees it: 1 up to an angle, falling to 0 at the
        outline; and how far `outside` they are [K,3,s,s]."""
        depth = smooth(self.depth, torch.ones_like(self.depth))
        pixel = depth / (self.camera.intrinsics[:, 0, 0].reshape(-1, 1, 1, 1) * depth.shape[-1])
        across, down = (torch.gradient(depth, dim=dim)[0] / pixel for dim in (3, 2))
        cosine = (1.0 + across.square() + down.square()).rsqrt()
        return torch.cat([self.depth, (cosine / _STEEP).clamp(max=1.0), self.outside], 1)

    @functools.cached_property
    def _reflected(self) -> Lumigraph:
        """The mirror images of the frames, seen by the mirror images of their cameras."""
        return replace(self, camera=self.camera.mirrored(), **{name: getattr(self, name).flip(3) for name in _MAPS})

    def _left_behind(self, camera: Camera) -> bool:
        """Whether a `camera` [1] looks from a side that only mirror images know. These take over at once: together with the last
        frames they would tear outlines."""
        seen, yaw = self.camera.yaw, float(camera.yaw)
        beyond = not float(seen.amin()) <= yaw <= float(seen.amax())
        nearer = self._nearer_reflected(camera) > (_PASSED if len(self) > 1 else _NEARER)
        return beyond and nearer and not self.at_rest  # then the camera's side chooses nothing

    def _nearer_reflected(self, camera: Camera) -> float:
        """By how much (radians) the nearest mirror image is nearer to a `camera` [1] than the nearest frame; 0 if it is not."""
        return max(0.0, self._aside(camera) - self._reflected._aside(camera))

    def _aside(self, camera: Camera) -> float:
        """The angle (radians) between a `camera` [1] and the frame nearest to it."""
        directions, eye = (F.normalize(each.position, dim=-1) for each in (self.camera, camera))
        return float(torch.arccos((directions @ eye[0]).clamp(-1.0, 1.0)).amin())

    def _nearest(self, eye: Tensor, most: int) -> list[int]:
        """The `most` frames whose cameras look from the most similar directions."""
        directions = F.normalize(self.camera.position, dim=-1)
        alike = (directions * F.normalize(eye, dim=-1)).sum(-1)
        return alike.topk(min(most, len(self))).indices.tolist()


def _read(maps: Tensor, rows: list[int], places: Tensor) -> Tensor:
    """What some `rows` of maps [N,C,S,S] show at `places` [K,1,P,2] from -1 to 1: [K,C,P]."""
    read = functools.partial(F.grid_sample, padding_mode="border", align_corners=False)
    # one by one: together, they would be copied first
    return torch.cat([read(maps[row, None], each) for row, each in zip(rows, places.split(1), strict=True)])[:, :, 0]


def _sides(points: Tensor) -> Tensor:
    """Directions [3,P] from which `points` [3,P] of a head at rest are looked at: the whole face from the front, and what
    lies further aside from ever further aside; the body from the front, since it does not turn with the head."""
    around = torch.atan2(points[0], points[2])
    yaw = (1.0 - body_of(points)) * around.sign() * (_TURNING * (around.abs() - _FACE)).clamp(0.0, math.pi / 2)
    return torch.stack([yaw.sin(), torch.zeros_like(yaw), yaw.cos()])


def _trust(colours: Tensor, seen: Tensor) -> Tensor:
    """How far colours and coverage [4,P], seen so far [P], are those of the head: a little of the room is too much."""
    return seen * colours[3] ** 4
