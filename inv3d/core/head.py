"""The head: the result of an inversion, which renders itself. Its folder is written and read by `headfile`."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crown import crowned
from inv3d.core.details import rounded
from inv3d.core.device import in_threads
from inv3d.core.editing.edits import Edit, displaced, style_strength
from inv3d.core.editing.styles import faded
from inv3d.core.editing.transfer import transferred
from inv3d.core.encoders.store import local_branch
from inv3d.core.errors import InputError
from inv3d.core.filters import resized
from inv3d.core.generator import Bend, Detail, Generator, Guide, Hull, Render, Scene
from inv3d.core.latents import LatentTrack
from inv3d.core.lumigraph import DEPTH_RESOLUTION, Lumigraph
from inv3d.core.views import Views

_LIGHT_RESOLUTION = 32  # rays per side of renders that show light, which changes slowly
_LEAST_SHOWN = 1e-3  # of frames and detail that is worth looking for
_HULL_RESOLUTION = 64  # pixels per side of the pictures that tell whether a hull is outgrown
_OUTGROWN = (0.007, 0.03)  # of their pixels that edits cover outside of it: smiles and glasses less, longer hair more
_FORGOTTEN = 0.5  # of what tuning has changed: it made a photograph of a drawing, which blurs a whole style

Used = TypeVar("Used")


@dataclass(frozen=True)
class Head:
    """A generator tuned to one person, the latent track, the yaws (radians) from which it is shown, the local `detail` of
    the picture it was read from, if its encoder gave one, and the frames that renders take their colours from, if any. Its space
    may be bent, and nothing of it be outside of a hull (see `bending`).

    Of an edited head, `track` has the codes and `generator` the styles after all `edits`, and `origin` is the head before
    them. Styles take the place of what is photographic: of its detail, of the colours of its frames, and of half of
    what tuning has changed.
    """

    generator: Generator
    track: LatentTrack
    bundle: Bundle
    yaw_range: tuple[float, float]
    detail: Detail | None = None
    lumigraph: Lumigraph | None = None
    edits: tuple[Edit, ...] = ()
    origin: Head | None = None
    bend: Bend | None = None
    hull: Hull | None = None

    @property
    def shown_range(self) -> tuple[float, float]:
        """The yaws (radians) from which it is worth showing: of a head with frames, the mirror images' too."""
        low, high = self.yaw_range
        return (low, high) if self.lumigraph is None else (min(low, -high), max(high, -low))

    @property
    def photographic(self) -> float:
        """How much of its frames and of its detail shows: 1, or what styles leave of it."""
        return min(max(1.0 - style_strength(self.edits), 0.0), 1.0)

    @property
    def _lent(self) -> Lumigraph | None:
        """The frames whose colours show."""
        return self.lumigraph if self.photographic > _LEAST_SHOWN else None

    @property
    def finest(self) -> int | None:
        """Pixels per side up to which pictures show more, where its frames have more than the model renders."""
        size = 0 if self._lent is None else self._lent.size
        return size if size > self.generator.resolution else None

    @property
    def rays(self) -> int | None:
        """Rays per side that pictures with the colours of frames need, None for the model's own: with twice as many, a head
        predicts frames that it lacks no better. What edits add is as fine as the rays."""
        generator = self.generator
        few = self._lent is not None and self.origin is None and generator.resolution == generator.raw_resolution
        return generator.resolution // 2 if few else None

    @property
    def wplus(self) -> Tensor:
        """The codes of the track [K,num_ws,w_dim], or those of W+ that are nearest to them: what directions read."""
        return self.generator.space_of(self.track.codes).narrowed(self.track.codes)

    @functools.cached_property
    def _guide(self) -> Guide | None:
        """Where any of the codes may have a surface: computed once, it guides the sampling of every render."""
        guide = self._whole_guide
        return guide if guide is None or self.hull is None else guide.within(self.hull, self.generator.box, self.generator.empty)

    @functools.cached_property
    def _whole_guide(self) -> Guide | None:
        """The same without a hull."""
        guide = self.generator.guide(self.track.codes)
        return guide if guide is None or self.bend is None else guide.bent(self.bend, self.generator.box)

    @functools.cached_property
    def _fixed(self) -> Scene | None:
        """The scene of a head with one code, computed once for all renders."""
        with torch.no_grad():
            return self.scene(self.track.codes) if len(self.track) == 1 else None

    @functools.cached_property
    def _shown_detail(self) -> Detail | None:
        """The local detail, of an edited head aligned to what its sides look like now, as far as the model still has the
        networks that have read it. They compare with renders of the model itself, not of its tuned generator."""
        detail = self.detail
        branch = None if detail is None or self.origin is None else local_branch(self.bundle, detail.film)
        if detail is None or branch is None:
            return detail
        drawn, generator = branch.drawn, self.bundle.generator
        return branch.realigned(detail, lambda side: drawn(generator, self.shaped(generator.scene(self.track.at(side))), side))

    @torch.no_grad()
    def scene(self, codes: Tensor) -> Scene:
        """The scene of `codes` [M,num_ws,w_dim], which may be this head's own or interpolated."""
        detail = None if self._shown_detail is None else self._shown_detail[[0] * len(codes)]
        return self.shaped(self.generator.scene(codes, detail, self._guide))

    def shaped(self, scene: Scene) -> Scene:
        """A scene in the space of this head."""
        scene = scene if self.bend is None else scene.bent(self.bend)
        return scene if self.hull is None else scene.within(self.hull)

    def showing(self, views: Views) -> Head:
        """This head with `views` of it as the frames that its renders take their colours from; a single one with the top of the
        head that it may cut off."""
        size = min(self.generator.raw_resolution, DEPTH_RESOLUTION)
        seen = self.render_each(
            views.cameras, lambda render: (render.depth.cpu(), render.alpha.cpu()), size, frames=False, sparse=True
        )
        depth, alpha = (torch.cat(each) for each in zip(*seen, strict=True))
        if len(views) == 1:
            views = crowned(views, depth, alpha)
        shown = dataclasses.replace(self, lumigraph=Lumigraph.of(views, depth).to(self.generator.device))
        shown.__dict__.update(_guide=self._guide, _fixed=self._fixed)  # the codes are the same: worked out already
        return shown

    @torch.no_grad()
    def with_frames(
        self, renders: Sequence[Render], cameras: Camera, size: int | None = None, *, each_without_its_own: bool = False
    ) -> list[Render]:
        """Renders [1] of the generator alone from `cameras`, with the colours of the frames, as images of `size` pixels if
        that is given; of a head without edits.

        With `each_without_its_own`, render i does without frame i: what the others tell about it.
        """
        lumigraph = self.lumigraph
        if lumigraph is None:
            return list(renders)
        cameras = cameras.to(self.generator.device)
        return [
            (lumigraph.without(i) if each_without_its_own else lumigraph).onto(render, cameras[i], size)
            for i, render in enumerate(renders)
        ]

    @torch.no_grad()
    def render(
        self,
        camera: Camera,
        resolution: int | None = None,
        superresolution: bool = True,
        frames: bool = True,
        size: int | None = None,
        sparse: bool = False,
    ) -> Render:
        """Render with the code that the track gives for each camera, deterministically, in bounded memory; with what
        shows behind the head, and with the colours of the `frames` that the head has, or those of the generator alone.

        `resolution` is that of the rays (default: the model's own), `size` that of the image with the frames' colours
        (default: what the rays give). More rays than the model was trained for show nothing more of a head with frames,
        so that a `resolution` beyond the model's is then that of the image alone. `sparse` is that of `Generator.render`, in
        about half the time.

        Raises InputError if the weights and codes, each finite, give NaN or infinity.
        """
        camera = camera.to(self.generator.device)
        lent = self._lent if frames else None
        if lent is not None:
            resolution, size = self._sizes(resolution, size)
        scene = self._fixed or self.scene(self.track.grouped(camera))
        render = self.generator.render(scene, camera, resolution, superresolution=superresolution, sparse=sparse)
        if self.generator.has_backdrop:
            behind = self.generator.behind(scene, camera, render.image.shape[-1])
            render = dataclasses.replace(render, behind=behind)
        if lent is not None:
            render = self._framed(lent, render, camera, resolution, size, sparse)
        if not bool(render.image.isfinite().all() & render.depth.isfinite().all()):
            raise InputError("the head renders NaN or infinity", "make it again with fewer steps or another --seed")
        return render

    def _sizes(self, resolution: int | None, size: int | None) -> tuple[int | None, int | None]:
        """The `resolution` of the rays and the `size` of the image, of a render with the colours of frames."""
        if resolution is not None and resolution > self.generator.resolution:
            return None, size or resolution
        return resolution, size

    @torch.no_grad()
    def render_edits(
        self, choices: Sequence[Sequence[Edit]], camera: Camera, use: Callable[[Render], Used], resolution: int | None = None
    ) -> list[Used]:
        """`use(render)` of this head with each of these choices of edits in the place of its own, all from one `camera`; what
        they have in common is rendered once. Renders are sparse, `resolution` is as for `render`."""
        fitted, device = self.edited(()).facing(camera), self.generator.device

        def drawn(head: Head, rays: int | None) -> Render:
            return head.render(camera, rays, frames=False, sparse=True)

        if fitted.lumigraph is None:
            return in_threads(device, len(choices), lambda i: use(drawn(fitted.edited(choices[i]), resolution)))
        rays, size = self._sizes(resolution, self.finest)
        lent = fitted.lumigraph
        plain = lent.toned(drawn(fitted, rays))
        framed = lent.onto(plain, camera.to(device), size)

        def one(i: int) -> Used:
            if not choices[i]:
                return use(framed)
            edited = fitted.edited(choices[i])
            return use(transferred(lent.toned(drawn(edited, rays)), plain, framed, edited.photographic))

        return in_threads(device, len(choices), one)

    def _framed(
        self, lent: Lumigraph, render: Render, camera: Camera, resolution: int | None, size: int | None, sparse: bool
    ) -> Render:
        """The generator's `render` with the colours of frames, which show an edited head as it was before."""
        if self.origin is None:
            return lent.onto(render, camera, size)
        plain = self.origin.render(camera, resolution, frames=False, sparse=sparse)
        plain = lent.toned(plain)
        return transferred(lent.toned(render), plain, lent.onto(plain, camera, size), self.photographic)

    def render_each(
        self,
        cameras: Camera,
        use: Callable[[Render], Used],
        resolution: int | None = None,
        frames: bool = True,
        size: int | None = None,
        sparse: bool = False,
    ) -> list[Used]:
        """`use(render)` for every camera, in order; the other arguments as for `render`."""

        def one(i: int) -> Used:
            return use(self.render(cameras[i], resolution, frames=frames, size=size, sparse=sparse))

        for head in (self, self.origin):
            if head is not None:
                head._fixed, head._guide, head._shown_detail  # noqa: B018 - made before the threads ask for it
        return in_threads(self.generator.device, len(cameras), one)

    def edited(self, edits: Sequence[Edit]) -> Head:
        """This head with `edits` in the place of those it has: all codes move alike, and styles change the generator. Without
        any, the head as it was fitted."""
        origin = self.origin or self
        if not edits:
            return origin
        codes = origin.track.codes
        track = LatentTrack(displaced(codes, edits, self.generator.space_of(codes)), origin.track.yaws)
        head = dataclasses.replace(origin, track=track, edits=tuple(edits), origin=origin)
        shows = head.photographic
        if shows < 1.0:
            detail = origin.detail
            if detail is not None:
                detail = dataclasses.replace(detail, strength=shows) if shows > _LEAST_SHOWN else None
            head = dataclasses.replace(head, detail=detail, generator=head._styled())
        if head.hull is None:
            return head
        opened = dataclasses.replace(head, hull=head.hull.opened(_outgrown(head.hull, origin._without_hull, head._without_hull)))
        opened.__dict__.update(_whole_guide=head._whole_guide)
        return opened

    @functools.cached_property
    def _without_hull(self) -> Tensor:
        """What this head would cover without its hull in the pictures [N,1,R,R] of that."""
        assert self.hull is not None
        whole = dataclasses.replace(self, hull=None, detail=None)
        whole.__dict__.update(_whole_guide=self._whole_guide)
        size, cameras = min(_HULL_RESOLUTION, self.generator.raw_resolution), self.hull.camera
        return torch.cat([whole.render(cameras[i], size, frames=False, sparse=True).alpha for i in range(len(cameras))])

    def _styled(self) -> Generator:
        """The generator of the fit in the styles of this head."""
        assert self.origin is not None
        kept = 1.0 - _FORGOTTEN * (1.0 - self.photographic)
        generator = faded(self.origin.generator, self.bundle.generator, kept)
        for edit in self.edits:
            if edit.style is not None:
                generator = edit.style.on(generator, edit.strength)
        return generator

    def camera(self, yaw: Tensor, pitch: Tensor) -> Camera:
        """Cameras with the model's own distance and focal length; angles [B] in radians."""
        return self.bundle.info.camera(yaw, pitch)

    def level(self, yaw: Tensor) -> Tensor:
        """The pitches [B] of cameras at `yaw` [B] (radians) that go past those of its frames, if it has some."""
        return torch.zeros_like(yaw) if self._lent is None else self._lent.level(yaw)

    def facing(self, camera: Camera) -> Head:
        """This head with the code of the view from a `camera` [1] alone, which then stands for all sides."""
        zero = torch.zeros(1, device=self.generator.device)
        origin = None if self.origin is None else self.origin.facing(camera)
        track = LatentTrack(self.track.at(camera.to(self.generator.device)), zero)
        return dataclasses.replace(self, track=track, origin=origin)

    def frontal(self) -> Head:
        """This head at rest: with the code of its frontal view alone, and its frames in the light of that view."""
        return self._frontal

    @functools.cached_property
    def _frontal(self) -> Head:
        zero = torch.zeros(1)
        still = self.facing(self.camera(zero, zero))
        frames = self._lent
        if frames is None or len(frames) == 1:
            return still
        if len(self.track) > 1:
            # codes took up what changed while the head turned: as far as they know, that is light
            views, rays = frames.camera, _LIGHT_RESOLUTION
            own, front = (
                torch.cat(each.edited(()).render_each(views, lambda render: render.image, rays, frames=False, sparse=True))
                for each in (self, still)
            )
            frames = frames.relit((front - own) / 2.0)
        return dataclasses.replace(still, lumigraph=dataclasses.replace(frames, at_rest=True))

    def rounded(self) -> Head:
        """This head as it will be after saving and loading, with weight changes and detail rounded to float16."""
        if self.origin is not None:
            return self.origin.rounded().edited(self.edits)
        if self.detail is not None:
            self = dataclasses.replace(self, detail=rounded(self.detail))
        if self.generator is self.bundle.generator:
            return self
        generator = copy.deepcopy(self.bundle.generator)
        apply_changes(generator, self.changes())
        return dataclasses.replace(self, generator=generator)

    def changes(self) -> dict[str, Tensor]:
        """The weight changes of tuning, by name, in float16."""
        own, base = self.generator.state_dict(), self.bundle.generator.state_dict()
        return {name: (own[name] - base[name]).half() for name in own if not torch.equal(own[name], base[name])}


@torch.no_grad()
def apply_changes(generator: Generator, changes: dict[str, Tensor]) -> None:
    """Add weight changes by name."""
    state = generator.state_dict()
    for name, change in changes.items():
        state[name].add_(change.to(state[name].device).float())


def _outgrown(hull: Hull, before: Tensor, after: Tensor) -> float:
    """From 0 to 1, how far a head that covered `before` [N,1,R,R] of the pictures of a hull, and `after` edits more of them, has more than
    that has room for, such as long hair."""
    more = (after - before).clamp(min=0.0) * (1.0 - resized(hull.covered, after.shape[-1]))
    least, most = _OUTGROWN
    return min(max((float(more.mean()) - least) / (most - least), 0.0), 1.0)
