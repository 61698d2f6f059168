"""The stages of an inversion (Barthel et al. 2024, section 3): W+ over all views, one code per view, pivotal tuning."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Rays, pixel_centers
from inv3d.core.errors import UsageError
from inv3d.core.generator import Detail, Generator, Scene
from inv3d.core.inversion.loop import Losses, Progress, optimise, silent, total
from inv3d.core.inversion.noise import free_noise, noise_regularisation, normalise
from inv3d.core.inversion.objective import Target, depth_agreement, latent_distance
from inv3d.core.inversion.poses import correct, turns_around
from inv3d.core.inversion.reconstruction import Reconstruction, resize
from inv3d.core.inversion.settings import POSE_LR, SPACES, FitSettings, Space
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views

_FILMED = 0.3  # radians of yaw around views within which their mirror images tell nothing new
_MIRRORED_PER_STEP = 1
_COMPLETED = 128  # pixels per side of the renders that fill up what was not filmed
_SEARCHED = (24, 32)
"""Pixels per side of the renders that coarse turns of a camera, and finer ones, are compared by: details differ in any case."""
_NEARER = 0.9
"""Share of the edges' error near a camera's start below which a camera from afar is right, and not the code wrong."""


@dataclass(frozen=True)
class Lesson:
    """Views that a step learns from: how much they count together, how many of them a step draws (None: all), and whether a
    step with random pixels renders one of them whole."""

    views: Views
    weight: float
    per_step: int | None
    whole: bool = True


@dataclass(frozen=True)
class Problem:
    """The data of an inversion: targets sorted by yaw, frames in between (may be empty), the model and the settings."""

    bundle: Bundle
    views: Views
    between: Views | None
    settings: FitSettings
    seed: int
    detail: Detail | None = None
    """What an encoder has read beyond the code; only tuning sees it."""

    def random(self, stage: int) -> torch.Generator:
        """The stage's own source of randomness, so that a stage can run again without those before it; on the device, so
        that nothing waits for numbers of the host."""
        device = self.bundle.generator.device
        return torch.Generator(device).manual_seed((self.seed * 101 + stage) % (1 << 63))

    @property
    def yaws(self) -> Tensor:
        return self.views.cameras.yaw

    @property
    def searching(self) -> Problem:
        """The problem of the stages before tuning."""
        return replace(self, settings=self.settings.searching)

    def completed(self, track: LatentTrack) -> Problem:
        """The same with what was not filmed filled up by what the codes of a `track` show there."""
        between = None if self.between is None else self._completed(self.between, track)
        return replace(self, views=self._completed(self.views, track), between=between)

    @torch.no_grad()
    def _completed(self, views: Views, track: LatentTrack) -> Views:
        if views.outside is None or not len(views):
            return replace(views, outside=None)
        generator, size = self.bundle.generator, min(_COMPLETED, self.bundle.generator.raw_resolution)
        filmed, images, mattes = views.outside <= 0.0, [], []
        for i in range(len(views)):
            scene = generator.scene(track.at(views.cameras[i]), self.detail)
            render = generator.render(scene, views.cameras[i], size, superresolution=False, sparse=True)
            images.append(resize(render.image, views.images.shape[-1]))
            mattes.append(resize(render.alpha, views.images.shape[-1]))
        covered = None if views.mattes is None else torch.where(filmed, views.mattes, torch.cat(mattes))
        return replace(views, images=torch.where(filmed, views.images, torch.cat(images)), mattes=covered, outside=None)

    def lessons(self, several_codes: bool) -> list[Lesson]:
        """What a step learns from: the targets, with several codes the frames in between, and mirror images of sides that
        no view shows."""
        settings = self.settings
        lessons = [Lesson(self.views, 1.0, settings.views_per_step)]
        if several_codes and settings.interpolation and self.between is not None and len(self.between):
            lessons.append(Lesson(self.between, settings.interpolation, settings.between_per_step))
        if settings.symmetry and len(self._other_sides):
            lessons.append(Lesson(self._other_sides, settings.symmetry, _MIRRORED_PER_STEP, whole=False))
        return lessons

    @functools.cached_property
    def _other_sides(self) -> Views:
        """The mirror images of views from where no view is near."""
        every = self.views if self.between is None else self.views.followed_by(self.between)
        mirrored = replace(every, fine=None).mirrored()
        nearest = (mirrored.cameras.yaw[:, None] - every.cameras.yaw).abs().amin(1)
        return mirrored[(nearest > _FILMED).nonzero()[:, 0].tolist()]


def _passes(
    problem: Problem,
    reconstruction: Reconstruction,
    generator: Generator,
    track: LatentTrack,
    offsets: Tensor | None = None,
) -> Iterator[Losses]:
    """The losses of a step: of the views and, for several codes, of the frames in between and the common geometry."""
    if problem.settings.rays_per_view is not None:
        yield _sampled_pass(problem, reconstruction, generator, track, offsets)
    else:
        yield from _whole_passes(problem, reconstruction, generator, track, offsets)


def _whole_passes(
    problem: Problem,
    reconstruction: Reconstruction,
    generator: Generator,
    track: LatentTrack,
    offsets: Tensor | None,
) -> Iterator[Losses]:
    """Whole images one by one, and Eq. 6 at one of the targets; their gradients add up (section 3.1), so memory is that of
    one. Every scene is made once: that of a single code for all images, those of several codes for their target and for
    Eq. 6.
    """
    settings, several = problem.settings, len(track) > 1
    lessons = problem.lessons(several)
    drawn = _drawn_rows(lessons, reconstruction.random)
    shared = None if several else reconstruction.scene(generator, track.codes).held()
    others: list[Scene] = []
    for lesson, rows in zip(lessons, drawn, strict=True):
        share = torch.full((1,), lesson.weight / len(rows), device=track.codes.device)
        for row in rows.split(1):
            one = _drawn(lesson.views, row, offsets)
            scene, send_on = shared or reconstruction.scene(generator, track.at(one.cameras)).held()
            moving = offsets is not None
            target = reconstruction.targets(lesson.views, row)
            yield reconstruction.whole(
                generator, scene, one.cameras, target, share, moving=moving, mattes=one.mattes, filmed=one.filmed
            )
            if several and settings.depth and lesson is lessons[0]:
                if 0 < len(others) == len(rows) - 1:
                    rays = one.cameras.rays(generator.raw_resolution)
                    yield _depth_loss(problem, reconstruction, generator, scene, others[: settings.depth_codes], rays)
                others.append(scene)
            if shared is None:
                send_on()
    if shared is not None:
        shared[1]()


def _sampled_pass(
    problem: Problem,
    reconstruction: Reconstruction,
    generator: Generator,
    track: LatentTrack,
    offsets: Tensor | None,
) -> Losses:
    """Random pixels of some targets and of some frames in between, one of each whole but small, of models with
    super-resolution a window of a target in full, and some depths.

    Views come in random order and stand for those that were not drawn, so that the expected gradient is that of all.
    Everything shares the scene of the drawn views; memory does not depend on the number of views.
    """
    settings, random = problem.settings, reconstruction.random
    lessons = problem.lessons(len(track) > 1)
    drawn = _drawn_rows(lessons, random)
    seen = [_drawn(lesson.views, rows, offsets) for lesson, rows in zip(lessons, drawn, strict=True)]
    sample = functools.reduce(Views.followed_by, seen)
    codes = track.grouped(sample.cameras)
    scene, device = reconstruction.scene(generator, codes), codes.device
    shares = torch.cat(
        [torch.full((len(r),), one.weight / len(r), device=device) for one, r in zip(lessons, drawn, strict=True)]
    )
    mattes, filmed = sample.mattes, sample.filmed
    losses = [reconstruction.rays(generator, scene, sample.cameras, sample.images, shares, mattes, filmed)]
    if settings.whole_resolution is not None:
        weights = [lesson.weight for lesson in lessons if lesson.whole]
        first = slice(0, 1 + (len(weights) - 1) * len(drawn[0]), len(drawn[0]))  # the first target, and frame in between
        own = slice(None) if len(codes) == 1 else first
        counts = torch.cat([torch.full((1,), weight, device=device) for weight in weights])
        size, moving = min(settings.whole_resolution, generator.raw_resolution), offsets is not None
        targets = [
            reconstruction.targets(one.views, rows[:1], size) for one, rows in zip(lessons, drawn, strict=True) if one.whole
        ]
        pictures = (sample.cameras[first], Target.joined(targets), counts, size, moving, *_some(first, mattes, filmed))
        losses.append(reconstruction.whole(generator, scene[own], *pictures))
    if settings.window is not None and generator.window_margin is not None:
        one = slice(1)
        target = (sample.cameras[one], sample.images[one], torch.ones(1, device=device))
        known = _some(one, mattes, filmed)
        losses.append(reconstruction.window(generator, scene[one], *target, generator.window_margin, *known))
    keys = min(len(drawn[0]), 1 + (settings.depth_codes or len(track)))
    if len(track) > 1 and settings.depth and keys > 1:
        size = generator.raw_resolution
        shape = (1, settings.depth_rays or size * size)
        pixels = torch.randint(size * size, shape, generator=random, device=random.device)
        rays = sample.cameras[0].rays_through(pixel_centers(pixels.to(device), size))
        others = (scene[i : i + 1] for i in range(1, keys))
        losses.append(_depth_loss(problem, reconstruction, generator, scene[:1], others, rays))
    return total(losses)


def _drawn_rows(lessons: Sequence[Lesson], random: torch.Generator) -> list[Tensor]:
    """The views [B] of every lesson that a step looks at, in random order; they stay on the device."""
    return [torch.randperm(len(one.views), generator=random, device=random.device)[: one.per_step] for one in lessons]


def _drawn(views: Views, rows: Tensor, offsets: Tensor | None) -> Views:
    """Views for a step, which asks for no frames and times: `rows` [B] stay on the device. Their cameras are moved by
    `offsets` [N,6] (see `poses.correct`)."""
    mattes, outside = _some(rows, views.mattes, views.outside)
    cameras = views.cameras[rows] if offsets is None else correct(views.cameras[rows], offsets[rows])
    return Views(views.images[rows], cameras, (), (), mattes, outside=outside)


def _some(rows: slice | Tensor, mattes: Tensor | None, others: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Some `rows` of two maps [N,1,R,R] of views, of those that are known."""
    return None if mattes is None else mattes[rows], None if others is None else others[rows]


def _depth_loss(
    problem: Problem,
    reconstruction: Reconstruction,
    generator: Generator,
    own: Scene,
    others: Iterable[Scene],
    rays: Rays,
) -> Losses:
    """Eq. 6 on rays [1,P,3] of one view a step, which stands for all views."""
    depth = reconstruction.depth(generator, own, rays)
    with torch.no_grad():
        rest = [reconstruction.depth(generator, other, rays) for other in others]
    return {"depth": problem.settings.depth * depth_agreement(depth, rest, len(problem.views))}


class Pivot(NamedTuple):
    """What all views have in common, and what tuning begins at: one code [1,num_ws,w_dim], offsets [N,6] of the cameras
    (see `poses.correct`), and those noise maps of the generator that were searched for, by name."""

    code: Tensor
    offsets: Tensor
    noise: dict[str, Tensor]

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        return {"code": self.code, "offsets": self.offsets, **self.noise}

    @staticmethod
    def of(state: dict[str, Tensor]) -> Pivot:
        """The pivot of a `state`."""
        rest = dict(state)
        return Pivot(rest.pop("code"), rest.pop("offsets"), rest)


def in_space(codes: Tensor, space: Space, generator: Generator) -> Tensor:
    """Codes [M,num_ws,w_dim] of any space in another: in W_tri they mean the same, in W+ they are the nearest ones, and in W
    the vectors from which all of a code are together least far.

    Raises UsageError for W_tri if the generator has no planes.
    """
    own = generator.space_of(codes)
    if space == "wtri":
        if generator.wtri_space is None:
            raise UsageError("the model has no planes, and so no W_tri", "use --space w+")
        return codes if own == generator.wtri_space else generator.wtri_space.widened(codes)
    codes = own.narrowed(codes)
    return codes if space == "w+" else codes.mean(1, keepdim=True).expand_as(codes)


def fit_wplus(problem: Problem, progress: Progress = silent, start: Tensor | None = None) -> Pivot:
    """One code for all views (Eq. 3), in W+, in W or in W_tri, with the cameras and the noise maps if they are free (Ko et al. 2023,
    Eq. 6 and 13).

    From the mean code, or from the code `start` [1,num_ws,w_dim] of an encoder, which the prior then holds on to.
    """
    problem = problem.searching
    settings, random = problem.settings, problem.random(1)
    reconstruction = Reconstruction(problem.bundle, settings, random, faces=len(problem.views) == 1)
    mean, spread = problem.bundle.mean_code, problem.bundle.code_spread
    generator, noise = free_noise(problem.bundle.generator) if settings.noise else (problem.bundle.generator, {})
    wait = settings.pose_start if start is None else settings.pose_return if settings.pose_search else 0.0
    if start is None:
        start = in_space(generator.code_space.repeat(mean[None]), settings.space, generator)
    shared = torch.zeros(1, 1, len(mean), device=mean.device, requires_grad=True)
    apart = torch.zeros_like(start).requires_grad_(settings.space != "w")
    offsets = torch.zeros(len(problem.views), 6, device=mean.device, requires_grad=True)
    disturbed = shared if settings.space == "w" else start
    strength = torch.zeros((), device=mean.device)

    def begin(step: int) -> bool:
        """Whether cameras move."""
        t = step / settings.wplus_steps
        normalise(noise.values())
        reconstruction.begin(step, generator, start + shared + apart)
        strength.fill_(settings.code_noise * spread * max(0.0, 1.0 - t / 0.75) ** 2)
        return bool(settings.pose_lr) and t >= wait

    def passes(moving: bool) -> Iterator[Losses]:
        code = start + shared + apart
        noisy = code + torch.randn(disturbed.shape, generator=random, device=code.device) * strength
        track = LatentTrack(noisy, torch.zeros(1, device=mean.device))
        yield from _passes(problem, reconstruction, generator, track, offsets if moving else None)
        yield {"prior": settings.prior * latent_distance(code, start)}
        if noise:
            yield {"noise": settings.noise * noise_regularisation(noise.values())}

    groups = _code_groups(settings, shared, apart, settings.wplus_lr)
    if settings.pose_lr:
        groups.append(([offsets], settings.pose_lr))
    if noise:
        groups.append((list(noise.values()), settings.wplus_lr))
    name, draws = SPACES[settings.space], _recordable(settings, random)
    optimise(groups, begin, passes, settings.wplus_steps, name, progress, random=draws)
    normalise(noise.values())
    found = {name: each.detach() for name, each in noise.items()}
    return Pivot((start + shared + apart).detach(), offsets.detach(), found)


def fit_pose(problem: Problem, code: Tensor, progress: Progress = silent) -> Tensor:
    """Camera offsets [N,6] (see `poses.correct`) with which renders of the one `code` [1,num_ws,w_dim] meet the views best
    (E3DGE, section 4.4).

    Where mattes are known, what lies outside of the head does not count, and neither does its outline: the camera cannot
    mend a code's hair, and would shrink the face to hide it.
    """
    problem = replace(problem, settings=replace(problem.settings.searching, coverage=0.0))
    settings, generator = problem.settings, problem.bundle.generator
    reconstruction = Reconstruction(problem.bundle, settings, problem.random(4), head_alone=True)
    offsets = torch.zeros(len(problem.views), 6, device=code.device, requires_grad=True)
    track = LatentTrack(code, torch.zeros(1, device=code.device))

    def begin(step: int) -> None:
        reconstruction.begin(step, generator, code)

    def passes(_: None) -> Iterator[Losses]:
        yield from _passes(problem, reconstruction, generator, track, offsets)

    rate, draws = settings.alone_lr or settings.pose_lr or POSE_LR, _recordable(settings, reconstruction.random)
    optimise([([offsets], rate)], begin, passes, settings.pose_steps, "pose", progress, random=draws)
    return offsets.detach()


def search_pose(problem: Problem, code: Tensor, progress: Progress = silent) -> Tensor:
    """Turns of the cameras, as offsets [N,6] (see `poses.correct`), with which renders of the one `code` [1,num_ws,w_dim] meet the
    edges of the views best, by steps from where they are, and from the best of coarse turns (see `poses.turns_around`) if that
    ends clearly nearer; for cameras that may be far off.

    An encoder's code is nearly the head, but not in its colours. Shift and size are left to the steps that move the code, too:
    a code's own mistakes make up for some of them, and a shift for turns up and down.
    """
    settings, generator, cameras, random = problem.settings, problem.bundle.generator, problem.views.cameras, problem.random(4)
    reconstruction = Reconstruction(problem.bundle, settings, random)
    reconstruction.begin(0, generator, code)
    scene = reconstruction.scene(generator, code)
    coarse, fine = (resize(problem.views.images, size) for size in _SEARCHED)
    drawn = random.get_state()

    def error(offsets: Tensor, images: Tensor) -> Tensor:
        return reconstruction.edges(generator, scene, correct(cameras, offsets), images).mean()

    @torch.no_grad()
    def tried(offsets: Tensor, images: Tensor) -> float:
        random.set_state(drawn)  # the same samples for all
        return float(error(offsets, images))

    best = min(turns_around(cameras), key=lambda offsets: tried(offsets, coarse))
    turns = torch.stack([torch.zeros_like(best), best])[..., :3].contiguous().requires_grad_()

    def ends() -> tuple[Tensor, ...]:
        return F.pad(turns, (0, 3)).unbind()

    def passes(_: None) -> Iterator[Losses]:
        for offsets in ends():
            yield {"edges": error(offsets, fine)}

    rate = settings.alone_lr or settings.pose_lr or POSE_LR
    optimise([([turns], rate)], lambda _: None, passes, settings.pose_steps, "pose", progress, random=random)
    near, far = (offsets.detach() for offsets in ends())
    return far if tried(far, fine) < _NEARER * tried(near, fine) else near


def _recordable(settings: FitSettings, random: torch.Generator) -> torch.Generator | None:
    """What the steps of moving cameras draw from if they may be recorded: with the warping loss they wait for the device, whose
    frontal render skips rays that meet nothing."""
    return None if settings.warping else random


def _code_groups(settings: FitSettings, shared: Tensor, apart: Tensor, rate: float) -> list[tuple[list[Tensor], float]]:
    """Parameters and their rates: whole codes, or the part that their layers share [N,1,w_dim] and, but in W, more slowly, the
    rest.

    With few pixels a step, layers that move together find their way through the noise.
    """
    if settings.space == "w":
        return [([shared], rate)]
    if settings.shared_w:
        return [([shared], rate), ([apart], rate / 3.0)]
    return [([apart], rate)]


def fit_latents(problem: Problem, code: Tensor, progress: Progress = silent) -> LatentTrack:
    """One code per view, starting from the single code (section 3.2), with the three regularisers."""
    problem = problem.searching
    settings, generator = problem.settings, problem.bundle.generator
    reconstruction = Reconstruction(problem.bundle, settings, problem.random(2))
    shared = torch.zeros(len(problem.views), 1, code.shape[-1], device=code.device, requires_grad=True)
    apart = torch.zeros(len(problem.views), *code.shape[1:], device=code.device, requires_grad=True)
    track = LatentTrack(code + shared.detach() + apart.detach(), problem.yaws)

    def begin(step: int) -> None:
        reconstruction.begin(step, generator, code + shared + apart)

    def passes(_: None) -> Iterator[Losses]:
        codes = code + shared + apart
        yield from _passes(problem, reconstruction, generator, track.with_codes(codes))
        if settings.distance:
            yield {"distance": settings.distance * latent_distance(codes, code)}

    groups = _code_groups(settings, shared, apart, settings.latent_lr)
    optimise(groups, begin, passes, settings.latent_steps, "latents", progress, random=reconstruction.random)
    return track.with_codes((code + shared + apart).detach())


def tune(problem: Problem, track: LatentTrack, progress: Progress = silent) -> Generator:
    """Pivotal tuning (Roich et al. 2021): the codes are fixed, all weights of a copy of the generator are optimised. What was not
    filmed stays as the codes have it: left to itself, it would grow."""
    problem = replace(problem, settings=problem.settings.tuning).completed(track)
    settings = problem.settings
    generator = copy.deepcopy(problem.bundle.generator).requires_grad_(True)
    reconstruction = Reconstruction(problem.bundle, settings, problem.random(3), detail=problem.detail)
    weights = [p for p in generator.parameters() if p.requires_grad]

    def begin(step: int) -> None:
        reconstruction.begin(step, generator, track.codes)

    def passes(_: None) -> Iterator[Losses]:
        yield from _passes(problem, reconstruction, generator, track)

    groups, random = [(weights, settings.tuning_lr)], reconstruction.random
    optimise(groups, begin, passes, settings.tuning_steps, "tuning", progress, settings.tuning_decay, random)
    return generator.requires_grad_(False)
