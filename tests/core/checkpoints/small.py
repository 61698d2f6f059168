"""A generator of the public kind with few channels, and its options as EG3D's code names them."""

from __future__ import annotations

from typing import Any

from inv3d.core.generator import GeneratorConfig
from inv3d.core.generator.config import RenderingConfig, SuperResolutionConfig


def small_config() -> GeneratorConfig:
    return GeneratorConfig(
        z_dim=8,
        w_dim=8,
        channel_base=256,
        channel_max=4,
        raw_resolution=32,
        rendering=RenderingConfig(coarse_samples=6, fine_samples=6),
        superresolution=SuperResolutionConfig((128, 64), 64, upsample_first=False, shared_filter=True),
    )


def small_options() -> dict[str, Any]:
    rendering = {
        "image_resolution": 128, "disparity_space_sampling": False, "clamp_mode": "softplus",
        "superresolution_module": "training.superresolution.SuperresolutionHybrid2X", "c_gen_conditioning_zero": False,
        "gpc_reg_prob": 0.5, "c_scale": 1.0, "superresolution_noise_mode": "none", "density_reg": 0.25,
        "density_reg_p_dist": 0.004, "reg_type": "l1", "decoder_lr_mul": 1.0, "sr_antialias": True,
        "depth_resolution": 6, "depth_resolution_importance": 6, "ray_start": 2.25, "ray_end": 3.3, "box_warp": 1,
        "avg_camera_radius": 2.7, "avg_camera_pivot": [0, 0, 0.2],
    }  # fmt: skip
    return {
        "z_dim": 8, "c_dim": 25, "w_dim": 8, "img_resolution": 128, "img_channels": 3, "sr_num_fp16_res": 4,
        "mapping_kwargs": {"num_layers": 2}, "rendering_kwargs": rendering, "sr_kwargs": {"channel_base": 256},
        "channel_base": 256, "channel_max": 4, "fused_modconv_default": "inference_only", "num_fp16_res": 0,
        "conv_clamp": None,
    }  # fmt: skip
