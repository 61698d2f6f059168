"""Inversion problems of any size for timings: views that the generator itself renders, so that no clip is needed."""

from __future__ import annotations

import dataclasses
import math

import torch

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import FFHQ_FOCAL, FFHQ_RADIUS
from inv3d.core.generator import TriplaneGenerator
from inv3d.core.generator.config import GeneratorConfig, RenderingConfig, SuperResolutionConfig, eg3d_ffhq
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.inversion.stages import Problem
from inv3d.core.views import Views


def full_size_bundle(device: torch.device) -> Bundle:
    """The public EG3D FFHQ architecture (512 px, 128 px rays, 48 + 48 samples) with random weights.

    The helper networks are those of the embedded model.
    """
    return bundle_with(eg3d_ffhq(), device)


def tiny_bundle(device: torch.device) -> Bundle:
    """A generator of the same kind that renders in milliseconds."""
    config = GeneratorConfig(
        z_dim=8, w_dim=16, plane_resolution=16, plane_channels=4, channel_base=256, channel_max=16, color_channels=8,
        raw_resolution=16, rendering=RenderingConfig(coarse_samples=4, fine_samples=4),
        superresolution=SuperResolutionConfig((8, 8), 16),
    )  # fmt: skip
    return bundle_with(config, device)


def bundle_with(config: GeneratorConfig, device: torch.device) -> Bundle:
    torch.manual_seed(0)
    demo = load_bundle("demo", device)
    generator = TriplaneGenerator(config).to(device).eval().requires_grad_(False)
    generator.suit(device)  # as `load_bundle` does
    info = demo.info.changed(name="benchmark", radius=FFHQ_RADIUS, focal=FFHQ_FOCAL, generator=config)
    return dataclasses.replace(demo, info=info, generator=generator)


@torch.no_grad()
def problem(bundle: Bundle, views: int, settings: FitSettings, device: torch.device) -> Problem:
    """`views` targets and the frames between them, over 120 degrees, with flat pictures for targets.

    What a step costs does not depend on what the pictures show.
    """
    info = bundle.info
    yaw = torch.linspace(-math.radians(60), math.radians(60), 2 * views - 1) if views > 1 else torch.zeros(1)
    cameras = info.camera(yaw, torch.zeros_like(yaw)).to(device)
    images = torch.zeros(len(yaw), 3, info.generator.resolution, info.generator.resolution, device=device)
    everything = Views(images, cameras, tuple(range(len(yaw))), tuple(float(i) for i in range(len(yaw))))
    return Problem(
        bundle, everything[list(range(0, len(yaw), 2))], everything[list(range(1, len(yaw), 2))],
        settings.weighing(bundle.perceptual_scale), 0,
    )
