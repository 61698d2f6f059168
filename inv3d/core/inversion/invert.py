"""The whole inversion, from footage of one head to a `Head`, for clips and photos: a photo is footage of one view."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops
from inv3d.core.cutout import CutOut
from inv3d.core.encoders.inverter import Start
from inv3d.core.generator import Detail
from inv3d.core.head import Head
from inv3d.core.inversion.loop import Progress, silent
from inv3d.core.inversion.noise import with_noise
from inv3d.core.inversion.outliers import MOST_BELOW, fidelity
from inv3d.core.inversion.poses import correct, interpolate_offsets
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.inversion.stages import Pivot, Problem, fit_latents, fit_pose, fit_wplus, in_space, search_pose, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.matting import laid_on, room_colour
from inv3d.core.views import Views

Tensors = dict[str, Tensor]
Keep = Callable[[str, Callable[[], Tensors]], Tensors]
"""Runs a stage by its name, or returns its result from an earlier run."""


Look = Callable[[Views, Tensor], None]
"""Receives the targets with their refined cameras and the one code [1,num_ws,w_dim] of all of them."""


def unseen(targets: Views, code: Tensor) -> None:
    """A `Look` that does nothing."""


def forget(stage: str, make: Callable[[], Tensors]) -> Tensors:
    """A `Keep` that keeps nothing."""
    return make()


@dataclass(frozen=True)
class Footage:
    """The views of an inversion: `targets` sorted by yaw, frames in `between` them, and frames that are only `held_out`
    to measure on. The last two may be empty. `places` says where all of them, in this order, were cut from frames of one clip."""

    targets: Views
    between: Views
    held_out: Views
    places: Crops | None = None

    @property
    def fitted(self) -> Views:
        """The targets, and then the frames in between."""
        return self.targets.followed_by(self.between) if len(self.between) else self.targets

    @staticmethod
    def of_one(view: Views) -> Footage:
        """The footage of a photo."""
        return Footage(view, view[[]], view[[]])

    def seen_from(self, cameras: Camera) -> Footage:
        """The footage with other cameras of its targets."""
        return replace(self, targets=replace(self.targets, cameras=cameras))

    def without_room(self, cut_out: CutOut | None) -> Footage:
        """The footage with what lies behind the head replaced by one colour: a room does not turn with the head. As it is
        where nothing tells one from the other."""
        if cut_out is None:
            return self
        everything = (self.targets, self.between, self.held_out)
        matte = cut_out(self.fitted.followed_by(self.held_out) if len(self.held_out) else self.fitted, self.places)
        found = matte.split([len(views) for views in everything])
        colour = room_colour(self.targets.images, found[0])
        targets, between, held_out = (laid_on(*pair, colour) for pair in zip(everything, found, strict=True))
        return replace(self, targets=targets, between=between, held_out=held_out)


@dataclass(frozen=True)
class Inverted:
    """A head, the footage with its refined cameras, and the frames (index, seconds) left out of it because they
    contradict the others."""

    head: Head
    footage: Footage
    left_out: tuple[tuple[int, float], ...]


def invert(
    footage: Footage,
    bundle: Bundle,
    settings: FitSettings,
    *,
    start: Start | None = None,
    latents: bool = False,
    seed: int = 0,
    keep: Keep = forget,
    look: Look = unseen,
    progress: Progress = silent,
) -> Inverted:
    """One W+ code for all targets, then one code per target if `latents`, then pivotal tuning (Barthel et al. 2024,
    section 3). Stages of no steps are skipped.

    The code starts at the mean, or at the `start` of an encoder, whose local detail, read once code and cameras are final,
    the head keeps; a single view is seen from the side that the encoder reads. It is brought into the space of the settings
    (see `in_space`). The head is shown from the yaws of its targets. `look` sees the code before it is refined further.
    """
    device = bundle.generator.device
    settings = settings.weighing(bundle.perceptual_scale)

    def stage(name: str, make: Callable[[], Tensors]) -> Tensors:
        return {key: tensor.to(device) for key, tensor in keep(name, make).items()}

    def problem() -> Problem:
        return Problem(fitted, footage.targets.to(device), footage.between.to(device), settings, seed, detail)

    fitted = bundle
    detail: Detail | None = None
    if start is not None and start.angles is not None and len(footage.targets) == 1:
        footage = footage.seen_from(bundle.info.camera(*start.angles.cpu().unbind(-1)))
    code = bundle.generator.code_space.repeat(bundle.mean_code[None]) if start is None else start.codes
    left_out: tuple[tuple[int, float], ...] = ()
    if settings.pose_steps:
        move = search_pose if settings.pose_search else fit_pose
        moved = stage("pose", lambda: {"offsets": move(problem(), code, progress)})["offsets"]
        footage = refine_cameras(footage, moved.cpu())
    code = in_space(code, settings.space, bundle.generator)
    if settings.wplus_steps:
        given = None if start is None else code
        pivot = Pivot.of(stage("wplus", lambda: fit_wplus(problem(), progress, given).state()))
        code = pivot.code
        if pivot.noise:
            fitted = replace(bundle, generator=with_noise(bundle.generator, pivot.noise))
        footage, left_out = without_outliers(refine_cameras(footage, pivot.offsets.cpu()), code, fitted)
    look(footage.targets, code)
    if start is not None and start.read_detail is not None:
        detail = start.read_detail(footage.targets.to(device), code)
    track = LatentTrack(code, torch.zeros(1, device=device))
    if latents and settings.latent_steps and len(footage.targets) > 1:
        codes = stage("latents", lambda: {"codes": fit_latents(problem(), code, progress).codes})["codes"]
        track = LatentTrack(codes, problem().yaws)
    generator = fitted.generator
    if settings.tuning_steps:
        generator = copy.deepcopy(generator)
        generator.load_state_dict(stage("tuned", lambda: dict(tune(problem(), track, progress).state_dict())))
    yaws = footage.targets.cameras.yaw
    shown = (float(yaws.min()), float(yaws.max()))
    head = Head(generator, track, bundle, shown, detail)
    return Inverted(head.rounded(), footage, left_out)


def refine_cameras(footage: Footage, offsets: Tensor) -> Footage:
    """Move all cameras by the `offsets` [N,6] that were found for the targets, and keep the targets sorted by yaw."""
    keys = footage.targets.cameras.yaw

    def moved(views: Views) -> Views:
        if not len(views):
            return views
        at_views = interpolate_offsets(offsets, keys, views.cameras.yaw)
        return replace(views, cameras=correct(views.cameras, at_views))

    targets = moved(footage.targets)
    order = targets.cameras.yaw.argsort().tolist()
    return Footage(targets[order], moved(footage.between), moved(footage.held_out))


def without_outliers(footage: Footage, code: Tensor, bundle: Bundle) -> tuple[Footage, tuple[tuple[int, float], ...]]:
    """Leave out targets and frames in between that contradict the one code of all views."""
    if len(footage.targets) == 1:
        return footage, ()
    targets, between = (fidelity(views, code, bundle) for views in (footage.targets, footage.between))
    least = float(targets.median()) - MOST_BELOW
    kept: list[Views] = []
    lost: list[tuple[int, float]] = []
    for views, values in ((footage.targets, targets), (footage.between, between)):
        kept.append(views[(values >= least).nonzero()[:, 0].tolist()])
        wrong = views[(values < least).nonzero()[:, 0].tolist()]
        lost += zip(wrong.frames, wrong.times, strict=True)
    targets_kept, between_kept = kept
    return Footage(targets_kept, between_kept, footage.held_out), tuple(lost)
