"""`inv3d models import-directions`: public directions for an imported model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inv3d.cli.arguments import checkpoint_path
from inv3d.cli.options import Debug, Force, Json


def import_directions(
    files: Annotated[
        list[Path],
        typer.Argument(
            parser=checkpoint_path, metavar="FILE...", help="Files: PREIM3D's .pt, .npy, or GANSpace's .npz."
        ),
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Imported model that the directions were found for.")],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name of the direction.", show_default="that of the file"),
    ] = None,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Import public directions (PREIM3D, InterFaceGAN, GANSpace) for `inv3d edit`. No code in the files is executed.

    Example: inv3d models import-directions smile.pt age.pt --model ffhq
    """
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.bundle import load_bundle
    from inv3d.core.codes import sample_codes
    from inv3d.core.editing.directions import FILE, Directions
    from inv3d.core.editing.imports import read_directions
    from inv3d.core.errors import UsageError
    from inv3d.core.files import disk_errors
    from inv3d.core.library import home, is_embedded, model_folder

    if is_embedded(model):
        raise UsageError(
            f"the directions of the embedded model '{model}' cannot be changed", "use --model with an imported model"
        )
    if name is not None and len(files) > 1:
        raise UsageError(f"--as {name} is one name for {len(files)} files", "import them one by one, or without --as")
    bundle = load_bundle(model)
    codes = sample_codes(bundle.generator, bundle.info.front, 10_000).cpu()
    found = [each for file in files for each in read_directions(file, codes, bundle.generator.code_space.num_ws, name)]
    path = model_folder(model) / FILE
    with interruptible(nothing_kept(path)), disk_errors(home(), "choose another folder for models with INV3D_HOME"):
        (bundle.directions or Directions(())).with_more(found, force).save(path, bundle.fingerprint)
    names = [each.name for each in found]
    teller(as_json)(f"imported {', '.join(names)} for {model}: inv3d models directions {model}")
    if as_json:
        document({"model": model, "directions": names, "out": str(path)})
