"""The inversion manifold (Li et al. 2023, PREIM3D, 3.4): directions found among the codes that an encoder reads off pictures,
instead of among the generator's own codes. A file of them belongs to one generator and one encoder.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from inv3d.core.bundle import Bundle
from inv3d.core.editing.directions import Directions
from inv3d.core.encoders.store import encoder_file
from inv3d.core.errors import ModelError
from inv3d.core.head import Head
from inv3d.core.library import model_folder, sha256


def manifold_file(folder: Path, encoder: str) -> Path:
    """The file of the directions of an `encoder` in the `folder` of a model, existing or not."""
    return folder / f"directions-{encoder}.safetensors"


def manifold_fingerprint(bundle: Bundle, encoder: str) -> str:
    """Of the generator and of the encoder that directions are found for. Raises ModelError if the model lacks it."""
    path = encoder_file(bundle.name, encoder)
    if not path.is_file():
        raise ModelError(f"the model '{bundle.name}' has no encoder '{encoder}'", "see: inv3d models info NAME")
    return bundle.fingerprint + sha256(path)[:16]


def in_manifold(head: Head, encoder: str) -> Head:
    """The head with the directions of the inversion manifold of an encoder in the place of its model's own.

    Raises ModelError if there are none for this generator and encoder.
    """
    bundle = head.bundle
    path = manifold_file(model_folder(bundle.name), encoder)

    def refuse(why: str) -> ModelError:
        return ModelError(f"{path} cannot be loaded: {why}", "find them again: inv3d train directions --pictures FOLDER")

    w_dim, device = bundle.generator.code_space.w_dim, bundle.generator.device
    found = Directions.load(path, manifold_fingerprint(bundle, encoder), w_dim, refuse, device)
    if found is None:
        raise ModelError(
            f"the model '{bundle.name}' has no directions in the inversion manifold of its encoder '{encoder}'",
            "use --space original",
        )
    traits = () if bundle.directions is None else bundle.directions.traits
    return dataclasses.replace(head, bundle=dataclasses.replace(bundle, directions=Directions(found.all, traits)))
