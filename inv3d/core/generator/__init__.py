"""The tri-plane generator (EG3D, Chan et al. 2022): mapping, backbone, volume rendering, super-resolution."""

from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.triplane import Render, TriplaneGenerator

__all__ = ["GeneratorConfig", "Render", "TriplaneGenerator"]
