"""Methods of inverting one photo: what is searched for, from which start, and by which losses.

Each is a few lines of `METHODS`; the stages that run them are those of every inversion. Light enough to be imported for
help texts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D, WTRI
from inv3d.core.errors import UsageError
from inv3d.core.inversion.settings import POSE_LR, SPACES, FitSettings, Space

FREE, GIVEN = "free", "given"
CAMERAS = {FREE: "optimised with the code", GIVEN: "kept as the aligner reads it"}
"""What a method does with the camera."""
_NOISE = 1e5  # weight of the regularisation of noise maps (Karras et al. 2020)
_ALONE = 40  # steps on the camera alone, if there are as many on the code
_ALONE_RATE = 3.0  # how much faster the camera moves then: in so many steps by 25 degrees


@dataclass(frozen=True)
class Method:
    """A method: the `space` in which one code is searched for, whether it starts where an encoder says (otherwise at the
    mean), whether the generator is tuned to the photo then, and with which weights of depth smoothness (Ko et al. 2023,
    Eq. 14; relative to the squared error) and, while the camera moves, of the warping loss (Eq. 13; relative to the perceptual
    term)."""

    name: str
    purpose: str
    space: Space
    encoded: bool = False
    tuned: bool = False
    smoothness: float = 0.0
    warping: float = 0.0

    def settings(self, preset: FitSettings, camera: str) -> FitSettings:
        """The losses and variables of the method, with the steps and rates of a preset.

        The code is searched for by the perceptual term alone, as in the papers, and by that of pixels where a preset draws
        them at random: its small whole pictures show too little. Neither identity nor the points of faces nor a prior nor mirror
        images take part.
        """
        whole, rate = preset.rays_per_view is None, preset.pose_lr or POSE_LR
        return replace(
            preset,
            space=self.space,
            noise=_NOISE,
            pose_lr=rate if camera == FREE else 0.0,
            pose_search=True,
            alone_lr=_ALONE_RATE * rate,
            pixel=0.0 if whole else preset.pixel,
            tuning_pixel=1.0 if whole else preset.tuning_pixel,
            identity=0.0,
            features=0.0,
            prior=0.0,
            symmetry=0.0,
            smoothness=self.smoothness * (1.0 if whole else preset.pixel),
            warping=self.warping * preset.perceptual if camera == FREE else 0.0,
        )


METHODS = {
    method.name: method
    for method in (
        Method(
            "3dinv", "code in W and camera from networks, then tuned", "w", encoded=True, tuned=True, smoothness=1.0
        ),
        Method("sg2", "code in W from the mean, coarse, edits best", "w"),
        Method("sg2-w+", "code in W+, nearer, worse from other sides", "w+"),
        Method("pti", "sg2, then tuned, near, and edits well", "w", tuned=True),
    )
}
"""Ko et al. 2023, *3D GAN Inversion with Pose Optimization*, and the methods that it is compared with."""


@dataclass(frozen=True)
class Course:
    """How a photo is inverted, with nothing left open: the method, if there is one, and what it does with the camera; the
    encoder; steps on the camera alone, on code and camera, on the generator; and the settings."""

    method: str | None
    camera: str | None
    encoder: str
    refine_pose: int
    refine: int
    tune: int
    settings: FitSettings

    @property
    def fit(self) -> FitSettings:
        """The settings with the steps."""
        return self.settings.with_steps(self.refine_pose, self.refine, self.tune)


def course_of(
    preset: FitSettings,
    method: str | None = None,
    camera: str | None = None,
    warping: float | None = None,
    encoder: str | None = None,
    refine_pose: int = 0,
    refine: int | None = None,
    tune: int | None = None,
    space: Space | None = None,
) -> Course:
    """What was asked for, with everything that was not filled in: without a method, one pass of an encoder, or the preset's
    steps from the mean code; with one, its start and the preset's steps. A `space` takes the place of the method's, or of W+.

    Raises UsageError for what does not go together.
    """
    if method is not None:
        chosen = method_named(method)
        if space not in (None, chosen.space) and chosen.name.endswith(f"-{chosen.space}"):
            raise UsageError(
                f"--space {space} and --method {method}, which searches in {SPACES[chosen.space]}, do not go together",
                f"use --method {method.removesuffix(f'-{chosen.space}')} --space {space}",
            )
        chosen = replace(chosen, space=space or chosen.space)
        return _course_of_method(preset, chosen, camera, warping, encoder, refine_pose, refine, tune)
    for option, value in (("--camera", camera), ("--warping", warping)):
        if value is not None:
            raise UsageError(f"{option} {value} belongs to a method", f"add --method {next(iter(METHODS))}, or another one")
    encoder = PREIM3D if encoder is None else encoder
    if refine is None:
        refine = preset.wplus_steps if encoder == NO_ENCODER else 0
    if space is not None and not refine:
        raise UsageError(f"--space {space} does nothing without steps on the code", "use --refine 1 or more, or leave it out")
    settings = preset.within(space or ("wtri" if encoder == WTRI else None))
    return Course(None, None, encoder, refine_pose, refine, tune or 0, settings)


def _course_of_method(
    preset: FitSettings,
    method: Method,
    camera: str | None,
    warping: float | None,
    encoder: str | None,
    refine_pose: int,
    refine: int | None,
    tune: int | None,
) -> Course:
    camera = FREE if camera is None else camera
    starts = (PREIM3D, NO_ENCODER) if method.encoded else (NO_ENCODER,)
    encoder = starts[0] if encoder is None else encoder
    refine = preset.wplus_steps if refine is None else refine
    tune = preset.tuning_steps * method.tuned if tune is None else tune
    if camera not in CAMERAS:
        raise UsageError(f"--camera {camera} is not one of: {', '.join(CAMERAS)}", "choose one of them")
    if encoder not in starts:
        raise UsageError(
            f"--method {method.name} does not start with --encoder {encoder}",
            f"leave --encoder out, or use one of: {', '.join(starts)}",
        )
    if refine_pose:
        raise UsageError(
            f"--refine-pose and --method {method.name} do not go together", f"use --camera {FREE}, which moves the camera"
        )
    if not refine:
        raise UsageError(f"--method {method.name} without steps on the code is none", "use --refine 1 or more")
    if method.tuned != bool(tune):
        other = ", ".join(each.name for each in METHODS.values() if each.tuned != method.tuned)
        tunes = "without tuning is none" if method.tuned else "does not tune the generator"
        raise UsageError(f"--method {method.name} {tunes}", f"leave --tune out, or use --method {other}")
    if warping is not None and not (method.encoded and camera == FREE):
        raise UsageError(
            "--warping draws a camera to where it fits, from a start that is near",
            f"use --method {_with_start()} with --camera {FREE}",
        )
    if warping is not None:
        method = replace(method, warping=warping)
    alone = min(refine, _ALONE) if encoder != NO_ENCODER and camera == FREE else 0
    return Course(method.name, camera, encoder, alone, refine, tune, method.settings(preset, camera))


def method_named(name: str) -> Method:
    """The method `name`. Raises UsageError if there is none."""
    if name not in METHODS:
        raise UsageError(f"there is no method '{name}'", f"choose one of: {', '.join(METHODS)}")
    return METHODS[name]


def described() -> str:
    """The methods for a help text, a line each."""
    return ";\n".join(f"{method.name}: {method.purpose}" for method in METHODS.values())


def _with_start() -> str:
    return " or ".join(method.name for method in METHODS.values() if method.encoded)
