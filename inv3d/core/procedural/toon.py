"""The kind of stylised heads."""

from __future__ import annotations

from inv3d.core.procedural.kind import Kind
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, Parameters, head_parameters
from inv3d.core.procedural.surface import albedo, lens_cover, signed_distance
from inv3d.core.procedural.targets import targets

TOON = Kind(
    IDENTITY_DIM, EXPRESSION_DIM, head_parameters, Parameters, signed_distance, albedo, targets, lenses=lens_cover
)
