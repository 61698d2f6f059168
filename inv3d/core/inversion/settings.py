"""Steps, weights and rates of an inversion. Presets: the paper's and its fast twin, and three for CPUs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from inv3d.core.errors import UsageError

if TYPE_CHECKING:
    import torch

Space = Literal["w", "w+", "wtri"]
"""`w`: all layers read the same vector. `w+`: each has its own. `wtri`: those that make the planes have one for each plane."""
SPACES: dict[Space, str] = {"w": "W", "w+": "W+", "wtri": "W_tri"}
"""What the spaces are called on screen."""
POSE_LR = 5e-3
"""The rate of cameras that are to move, for settings that have none: radians, image widths, logarithms."""


@dataclass(frozen=True)
class OutputSettings:
    """How much of a fitted head is rendered and measured."""

    orbit_frames: int = 96
    orbit_resolution: int | None = None
    """Pixels per side that are rendered of a frame; None takes the model's own."""
    held_out: int = 24
    """Frames that the fit never uses, to be measured."""
    thorough: bool = True
    """Whether the generator alone is measured, too, beside a head with the colours of frames."""
    mesh_cells: int = 144
    """Cells per side of the grid in which the mesh is found."""
    texture: int | None = None
    """Pixels per side; None takes four times those of the model's pictures."""
    fine: bool = True
    """Whether frames finer than the model's pictures are kept as fine as they are filmed (see `finer_size`)."""
    frames: bool = True
    """Whether renders take their colours from the frames (see `Lumigraph`), or from the generator alone, as the papers'."""


@dataclass(frozen=True)
class FitSettings:
    """Defaults are those of Barthel et al. 2024, section 4.1, and of its public code where the paper is silent.

    Losses are means over views, pixels and code entries where the paper sums: Adam does not see the difference, and
    a weight means the same for any number of views.
    """

    name: str = "paper"
    frame_rate: float = 30.0
    """Frames a second of a clip in which the head is followed; faster clips are thinned evenly."""

    wplus_steps: int = 500
    latent_steps: int = 500
    tuning_steps: int = 500
    pose_steps: int = 0
    """Steps on the cameras alone, before all others: for the code of an encoder."""
    pose_search: bool = False
    """Whether these begin at the best of coarse turns and go by edges (see `search_pose`)."""

    encoded: float | None = None
    """The share of the steps that several views take if their one code starts at the mean of those that the model's encoder
    reads off each, as it does if there is one; None for the mean code, as in the papers."""
    wplus_lr: float = 0.1
    latent_lr: float = 0.01
    tuning_lr: float = 3e-4
    tuning_decay: float = 0.25
    """The fraction of the tuning steps, at their end, during which the rate decays."""
    pose_lr: float = 0.0
    """Rate of the camera refinement during the W+ stage; 0 keeps the estimated cameras."""
    alone_lr: float | None = None
    """The rate of cameras that move alone; None takes `pose_lr`, or `POSE_LR` where that is 0."""
    pose_start: float = 0.25
    """The fraction of the W+ stage after which cameras move if the code began at the mean: before that it is still close to
    the mean head. From an encoder's code they move at once."""
    pose_return: float = 0.5
    """The same after a search of the cameras: what it leaves is a matter of the code, which has to move first."""
    space: Space = "w+"
    """Where codes are searched for; also in `w` they have a vector for each layer, all the same."""
    shared_w: bool = False
    """Whether codes move in all layers together (W), and in each apart (W+) at a third of the rate."""
    code_noise: float = 0.05
    """Noise on the code early in the W+ stage, in standard deviations of w."""

    perceptual: float = 1.0
    """For distances of the scale of LPIPS (AlexNet); `invert` divides it by the scale of the network in use."""
    pixel: float = 0.1
    tuning_pixel: float | None = None
    """The same during tuning; None takes `pixel`."""
    absolute: float = 0.0
    """Weight of the mean absolute error of pixels, beside the squared error that `pixel` weighs."""
    identity: float = 1.0
    similarity: float = 0.0
    """Weight of how unlike whole pictures are to the perceptual network (e4e, Tov et al. 2021)."""
    prior: float = 1.0
    """Distance to the mean code (L_r in Eq. 3); W+ stage only."""
    distance: float = 1.0
    """Distance of the codes to the single code they started from (Eq. 5)."""
    interpolation: float = 1.0
    """Losses of in-between frames (section 3.2)."""
    depth: float = 1.0
    """Agreement of the codes' depth maps (Eq. 6)."""
    symmetry: float = 0.0
    """Losses of mirror images during tuning, for the sides that no view shows (Yin et al. 2023, SPI)."""

    features: float = 0.0
    """How far eyes, nose and mouth are from where MediaPipe's mesh finds them in a single picture, of models that show people; in the
    W+ stage only."""
    coverage: float = 1.0
    """Difference of the rendered coverage and the mattes, where mattes are known."""
    noise: float = 0.0
    """Weight of the regularisation of the generator's noise maps, which are then searched for with the code (Karras et al.
    2020, appendix D); 0 keeps them. For models that have some."""
    warping: float = 0.0
    """Weight of the warping loss while cameras move (Ko et al. 2023, Eq. 11); it scales with the network as `perceptual`."""
    smoothness: float = 0.0
    """Weight of the depth smoothness during tuning (Ko et al. 2023, Eq. 12)."""

    rays_per_view: int | None = None
    """Random pixels per view and step for the pixel losses; None renders whole images."""
    views_per_step: int | None = None
    """Targets that a step looks at, drawn at random; None takes all."""
    between_per_step: int | None = None
    """The same for the frames in between."""
    tuning_views: int | None = None
    """Targets that a step of tuning looks at, where each costs a pass of the backbone; None takes as many. Together they get
    the rays of all."""
    tuning_between: int | None = None
    """The same for the frames in between, which get as many rays as a target."""
    whole_resolution: int | None = None
    """With random pixels: size at which a step renders one target, and one frame in between, whole, for the perceptual
    and identity losses; None renders none."""
    window: int | None = None
    """With random pixels and a model with super-resolution: rays per side of a random window of one target that a step
    renders at the model's own resolution; None renders none."""
    tuning_resolution: int | None = None
    """The same size during tuning; None takes `whole_resolution`."""
    samples: int | None = None
    """Samples per ray during the fit; None takes the model's own."""
    depth_rays: int | None = None
    """Random rays on which depths are compared; None compares whole depth maps."""
    depth_codes: int | None = None
    """Other codes, drawn at random, that stand for the mean of all in Eq. 6; None takes all."""

    output: OutputSettings = OutputSettings()

    @property
    def tuning_size(self) -> int | None:
        """The size of whole views during tuning."""
        return self.tuning_resolution or self.whole_resolution

    @property
    def searching(self) -> FitSettings:
        """The settings of the stages before tuning, which leave the generator's surface as it is."""
        return replace(self, smoothness=0.0, symmetry=0.0)

    @property
    def tuning(self) -> FitSettings:
        """The settings of tuning."""
        pixel = self.pixel if self.tuning_pixel is None else self.tuning_pixel
        views, between, rays = self.tuning_views, self.tuning_between, self.rays_per_view
        if rays is not None and views is not None and self.views_per_step is not None:
            rays = rays * self.views_per_step // views
        return replace(
            self, whole_resolution=self.tuning_size, pixel=pixel, rays_per_view=rays,
            views_per_step=views or self.views_per_step, between_per_step=between or self.between_per_step,
        )  # fmt: skip

    def with_steps(self, pose: int, code: int, tuning: int) -> FitSettings:
        """The same settings with so many steps on the cameras alone, on the one code, and on the generator."""
        return replace(self, pose_steps=pose, wplus_steps=code, tuning_steps=tuning)

    def weighing(self, scale: float) -> FitSettings:
        """The same settings for a perceptual network whose distances are `scale` times those of LPIPS (AlexNet)."""
        return replace(self, perceptual=self.perceptual / scale, warping=self.warping / scale)

    def taking(self, frames: bool) -> FitSettings:
        """The same settings, with renders that take their colours from the `frames` or not."""
        return replace(self, output=replace(self.output, frames=frames))

    def within(self, space: Space | None) -> FitSettings:
        """The same settings with codes searched for in a `space`, if one is given."""
        return self if space is None else replace(self, space=space)

    def scaled(self, factor: float) -> FitSettings:
        """The same settings with `factor` times the steps, of stages that have some at least one."""
        names = ("wplus_steps", "latent_steps", "tuning_steps")
        taken = {name: steps for name in names if (steps := getattr(self, name))}
        return replace(self, **{name: max(1, round(steps * factor)) for name, steps in taken.items()})


PAPER = FitSettings()

PAPER_FAST = replace(PAPER, name="paper-fast", views_per_step=4, between_per_step=2, depth_codes=1)
"""The paper's losses with the same expected gradient, from some of the views and one depth map in every step."""

FAST = FitSettings(
    name="fast",
    wplus_steps=200,
    latent_steps=55,
    tuning_steps=140,
    encoded=0.75,
    wplus_lr=0.06,
    latent_lr=0.005,
    tuning_lr=1.5e-3,
    pose_lr=5e-3,
    shared_w=True,
    code_noise=0.0,
    perceptual=0.06,
    pixel=1.0,
    absolute=0.5,
    identity=0.1,
    prior=0.004,
    distance=4.0,
    interpolation=1.0,
    depth=8.0,
    symmetry=0.25,
    features=5.0,
    coverage=0.3,
    rays_per_view=200,
    views_per_step=4,
    tuning_views=3,
    between_per_step=2,
    tuning_between=1,
    whole_resolution=48,
    window=32,
    samples=12,
    depth_rays=384,
    depth_codes=1,
)
"""For CPUs: random pixels of some views and one small whole view a step, instead of all views whole."""

FINE = replace(FAST, name="fine", encoded=1.0, tuning_views=None, tuning_between=None, tuning_resolution=192, tuning_decay=0.8)
"""For CPUs: several times slower, for the quality that every pixel of every view would give."""

DRAFT = replace(
    FAST,
    name="draft",
    frame_rate=15.0,
    wplus_steps=24,
    latent_steps=0,
    tuning_steps=18,
    output=OutputSettings(orbit_frames=18, orbit_resolution=128, held_out=4, thorough=False, mesh_cells=80, texture=512, fine=False),
)
"""For CPUs: a first look at a head, to see whether a clip is worth more. Its views share one code: what changes from frame to
frame is left to the colours of the frames."""

PRESETS = {preset.name: preset for preset in (DRAFT, FAST, FINE, PAPER_FAST, PAPER)}


def preset_for(device: torch.device) -> FitSettings:
    """The paper's settings on CUDA, the fast ones elsewhere."""
    return PAPER if device.type == "cuda" else FAST


def preset_named(name: str, device: torch.device) -> FitSettings:
    """The preset called `name`, or the device's for "auto". Raises UsageError."""
    if name == "auto":
        return preset_for(device)
    if name not in PRESETS:
        raise UsageError(f"there is no preset '{name}'", f"use auto, {', '.join(PRESETS)}")
    return PRESETS[name]
