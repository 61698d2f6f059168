"""Renders views, whole or at random pixels, and compares them with their targets."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from inv3d.core import resampling
from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera, Rays, pixel_centers
from inv3d.core.generator import Detail, Generator, Guide, Render, Scene
from inv3d.core.inversion.loop import Losses
from inv3d.core.inversion.objective import Target, coverage, edge_error, pixel_terms, reconstruction
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.inversion.warping import depth_smoothness, warp
from inv3d.core.views import Views


def resize(images: Tensor, size: int) -> Tensor:
    """[B,C,H,W] to [B,C,size,size], antialiased."""
    if images.shape[-1] == size:
        return images
    return resampling.resize(images, (size, size), antialias=True)


def shown_at(images: Tensor, pixels: Tensor) -> Tensor:
    """What row-major `pixels` [B,P] of images [B,3,R,R] show, [B,P,3]."""
    return images.flatten(2).gather(2, pixels[:, None].expand(-1, 3, -1)).transpose(1, 2)


_GUIDE_CELLS = 40
_GUIDE_AGE = 10  # steps after which the guide is recomputed
_MOST_KNOWN = 1 << 29  # bytes of targets that are kept


@dataclass
class Reconstruction:
    """Renders views and compares them; `random` is the seeded source of pixels and samples.

    One coarse guide of the mean code serves all codes and several steps: the codes stay close to each other, and
    proposals need not be exact.
    """

    bundle: Bundle
    settings: FitSettings
    random: torch.Generator
    guide: Guide | None = None
    detail: Detail | None = None
    """The local detail [1] of every scene, if there is any."""
    head_alone: bool = False
    """Whether nothing but the head is compared, where mattes tell where it is."""
    faces: bool = False
    """Whether the points of faces count: those of a single view. Where there are several, these tell by themselves where a head has
    what, and better."""
    _known: dict[tuple[int, int | None], tuple[Tensor, Target | None]] = field(default_factory=dict)
    """Targets by the identity of their images, which are held so that no others get it, and by their size."""

    @functools.cached_property
    def front(self) -> Camera:
        """The camera [1] in front of the head, on the device."""
        return self.bundle.info.front.to(self.bundle.generator.device)

    def begin(self, step: int, generator: Generator, codes: Tensor) -> None:
        """Start a step with the current `codes` [M,num_ws,w_dim]."""
        if step % _GUIDE_AGE == 0:
            guide = generator.guide(codes.mean(0, keepdim=True), _GUIDE_CELLS)
            if self.guide is None or guide is None:
                self.guide = guide
            else:
                self.guide.become(guide)

    def scene(self, generator: Generator, codes: Tensor) -> Scene:
        """The scene of `codes` [M,num_ws,w_dim], sampled by the common guide."""
        detail = None if self.detail is None else self.detail[[0] * len(codes)]
        return generator.scene(codes, detail, self.guide)

    def target(self, images: Tensor, size: int | None = None) -> Target:
        """What whole renders of views that show `images` [B,3,R,R] are compared with, at `size` pixels a side (default:
        theirs)."""
        images = resize(images, size or images.shape[-1])
        faces = self.faces and self.settings.features > 0.0 and self.bundle.face is not None
        return Target.of(images, self.bundle.perceptual, self.bundle.identity, faces)

    def targets(self, views: Views, rows: Tensor, size: int | None = None) -> Target:
        """The same for some `rows` [B] of views. The networks look at each view once for all steps, unless what they see of
        all takes much memory."""
        key = (id(views.images), size)
        if key not in self._known:
            first = self.target(views.images[:1], size)
            known = None
            if first.bytes * len(views) <= _MOST_KNOWN:
                known = Target.joined([self.target(image, size) for image in views.images.split(1)])
            self._known[key] = views.images, known
        known = self._known[key][1]
        return self.target(views.images[rows], size) if known is None else known[rows]

    def whole(
        self,
        generator: Generator,
        scene: Scene,
        cameras: Camera,
        target: Target,
        weights: Tensor,
        resolution: int | None = None,
        moving: bool = False,
        mattes: Tensor | None = None,
        filmed: Tensor | None = None,
    ) -> Losses:
        """Losses of whole renders of `scene` in the size of their `target`; `resolution` is that of the rays.

        With `mattes` [B,1,R,R] also that of the coverage, with `moving` cameras the warping loss, whose gradient reaches
        them alone. Pixels that were not `filmed` [B,1,R,R] do not count.
        """
        settings = self.settings
        render = generator.render(scene, cameras, resolution, self.random, 1 << 16, superresolution=resolution is None)
        image = self._compared(resize(render.image, target.images.shape[-1]), target.images, mattes, filmed)
        losses = reconstruction(image, target, weights, self.bundle.perceptual, self.bundle.identity, settings)
        if mattes is not None and settings.coverage:
            counts = None if filmed is None else resize(filmed, render.alpha.shape[-1])
            covered = coverage(render.alpha, resize(mattes, render.alpha.shape[-1]), weights, counts)
            losses["coverage"] = settings.coverage * covered
        if moving and settings.warping:
            difference = self.warping(generator, scene, cameras, target.images, render)
            losses["warping"] = settings.warping * (weights * difference).sum()
        if settings.smoothness:
            smooth = depth_smoothness(render.depth, render.alpha)
            losses["smoothness"] = settings.smoothness * (weights * smooth).sum()
        return losses

    def _compared(self, images: Tensor, targets: Tensor, mattes: Tensor | None, filmed: Tensor | None) -> Tensor:
        """Renders [B,3,R,R] as they are compared with their `targets`: the same where nothing was filmed, and outside of the
        head, if it alone counts."""
        for counts in (filmed, mattes if self.head_alone else None):
            if counts is not None:
                images = torch.lerp(targets, images, resize(counts, images.shape[-1]))
        return images

    def window(
        self,
        generator: Generator,
        scene: Scene,
        cameras: Camera,
        images: Tensor,
        weights: Tensor,
        margin: int,
        mattes: Tensor | None = None,
        filmed: Tensor | None = None,
    ) -> Losses:
        """Losses of a random window of every image, rendered by super-resolution with `margin` more rays on each side:
        small whole renders never see it."""
        settings, random, size = self.settings, self.random, generator.raw_resolution
        assert settings.window is not None
        count = min(settings.window, size)
        corner = torch.randint(size - count + 1, (2,), generator=random, device=random.device).to(images.device)
        seen = cameras.window(corner / size, count / size)
        scale = generator.resolution // size
        image = generator.render(scene, seen, count, random, 1 << 16, window=True).image
        cut = slice(margin * scale, (count - margin) * scale)
        image = image[..., cut, cut]
        columns, rows = ((corner + margin) * scale)[:, None] + torch.arange(image.shape[-1], device=images.device)

        def shown(maps: Tensor) -> Tensor:
            return resize(maps, generator.resolution)[..., rows[:, None], columns]

        target = shown(images)
        image = self._compared(image, target, *(None if each is None else shown(each) for each in (mattes, filmed)))
        near = self.bundle.perceptual.distance(image, target)
        return {
            "perceptual": settings.perceptual * (weights * near).sum(),
            **pixel_terms(image - target, weights, settings),
        }

    def warping(self, generator: Generator, scene: Scene, cameras: Camera, images: Tensor, seen: Render) -> Tensor:
        """Perceptual distance [B] between `images` [B,3,R,R] and the frontal render, warped to `cameras` over the surface
        that they see, `seen` (Eq. 11 of Ko et al.); the gradient reaches the cameras alone."""
        front = Camera(*(each.expand(len(images), -1, -1) for each in vars(self.front).values()))
        size = seen.depth.shape[-1]
        images = resize(images, size)
        with torch.no_grad():
            frontal = generator.render(scene, front, size, superresolution=False)
        # what the front does not show is taken from the image itself, and adds nothing to the distance
        surface = replace(seen, image_raw=images, depth=seen.depth.detach())
        return self.bundle.perceptual.distance(warp(frontal.image_raw, frontal, front, surface, cameras), images)

    def rays(
        self,
        generator: Generator,
        scene: Scene,
        cameras: Camera,
        images: Tensor,
        weights: Tensor,
        mattes: Tensor | None = None,
        filmed: Tensor | None = None,
    ) -> Losses:
        """Pixel losses, and with `mattes` [B,1,R,R] that of the coverage, on random pixels of every image; cameras are
        grouped by the scene's codes. Pixels that were not `filmed` [B,1,R,R] do not count."""
        settings = self.settings
        assert settings.rays_per_view is not None
        count, size = len(images), images.shape[-1]
        shape, device = (count, settings.rays_per_view), self.random.device
        pixels = torch.randint(size * size, shape, generator=self.random, device=device).to(images.device)
        grouped = Rays(*(r.reshape(len(scene), -1, 3) for r in cameras.rays_through(pixel_centers(pixels, size))))
        rays = generator.render_rays(scene, grouped, self.random, 1 << 20, settings.samples)
        target = shown_at(images, pixels)
        error = rays.features[..., :3].reshape(target.shape) - target
        covered, counts = (None if each is None else each.flatten(1).gather(1, pixels) for each in (mattes, filmed))
        for share in (counts, covered if self.head_alone else None):
            if share is not None:
                error = share[..., None] * error
        losses = pixel_terms(error, weights, settings)
        if covered is not None and settings.coverage:
            losses["coverage"] = settings.coverage * coverage(rays.alpha.reshape(covered.shape), covered, weights, counts)
        return losses

    def edges(self, generator: Generator, scene: Scene, cameras: Camera, images: Tensor) -> Tensor:
        """How far the edges of renders of one `scene` are from those of `images` [B,3,R,R], [B] (see `edge_error`)."""
        rays = Rays(*(each.reshape(1, -1, 3) for each in cameras.rays(images.shape[-1])))
        colours = generator.render_rays(scene, rays, self.random, 1 << 20, self.settings.samples).features[..., :3]
        return edge_error(colours.reshape(len(images), *images.shape[2:], 3).movedim(-1, 1) - images)

    def depth(self, generator: Generator, scene: Scene, rays: Rays) -> Tensor:
        """Depths [M,P] along rays [M,P,3]."""
        return generator.render_rays(scene, rays, self.random, samples=self.settings.samples).depth
