"""Generators: the interface that every one offers, and the tri-plane generator (EG3D, Chan et al. 2022)."""

from inv3d.core.generator.bend import Bend
from inv3d.core.generator.config import GeneratorConfig
from inv3d.core.generator.detail import Detail, LocalFeatures
from inv3d.core.generator.hull import Hull
from inv3d.core.generator.interface import Generator, Guide, Render, Scene, Surface
from inv3d.core.generator.triplane import TriplaneGenerator

__all__ = [
    "Bend",
    "Detail",
    "Generator",
    "GeneratorConfig",
    "Guide",
    "Hull",
    "LocalFeatures",
    "Render",
    "Scene",
    "Surface",
    "TriplaneGenerator",
]
