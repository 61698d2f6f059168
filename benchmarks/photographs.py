"""What the networks that compare pictures know: `python benchmarks/photographs.py [--photos FOLDER] [--save]`.

Prints the typical distance of every perceptual network (the numbers `TYPICAL` in `core/networks/lpips.py`, and that of
the embedded model's own network), and how strange pictures are to the embedded model: its own renders, exact heads of the
source that it learned from, and photographs. A minute. With --save, `world.safetensors` of the embedded model is
measured and written again, as the training does when it saves a model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from networks import Heads
from results import publish, table
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.helpers import has_perceptual, load_perceptual
from inv3d.core.library import model_folder
from inv3d.core.networks.perceptual import typical_distance
from inv3d.core.world import OUTSIDE
from inv3d.photos import align_photos
from inv3d.places import find_photos

SIZES = (48, 64, 128)
_COUNT = 16


def portrait(size: int) -> Tensor:
    """NASA's portrait of Eileen Collins [1,3,size,size], which scikit-image carries."""
    pixels = torch.from_numpy(data.astronaut()[0:200, 130:330].copy()).permute(2, 0, 1)[None].float()
    return F.interpolate(pixels / 127.5 - 1, (size, size), mode="bilinear", antialias=True, align_corners=False)


def typical_rows(bundle: Bundle) -> list[list[object]]:
    """The typical distances of the networks at several sizes."""
    networks = {"own": bundle.perceptual}
    networks |= {
        name: load_perceptual(name, torch.device("cpu")) for name in ("lpips-alex", "lpips-vgg") if has_perceptual(name)
    }
    return [
        [name, *(typical_distance(network.distance, portrait(size)) for size in SIZES)]
        for name, network in networks.items()
    ]


@torch.no_grad()
def strange_rows(bundle: Bundle, photos: Path | None) -> list[list[object]]:
    """How strange single pictures of each kind are: least, median, most."""
    random = torch.Generator().manual_seed(7)
    yaw, pitch = ((torch.rand(_COUNT, generator=random) * 2 - 1) * limit for limit in (1.0, 0.2))
    cameras = bundle.info.camera(yaw, pitch)
    z = torch.randn(_COUNT, bundle.generator.z_dim, generator=random)
    codes = bundle.generator.mapping(z, bundle.info.front.vector().expand(_COUNT, -1))
    renders = [bundle.generator(codes[[i]], cameras[i], 64).image for i in range(_COUNT)]
    heads = Heads(bundle)
    parameters = heads.random(_COUNT, random)
    exact = [heads.draw(parameters[[i]], cameras[i], 64)[0] for i in range(_COUNT)]
    kinds = {"renders of the model": renders, "exact heads": exact, "portrait": [portrait(64)]}
    if photos is not None:
        found = align_photos(find_photos([photos]), bundle, print)
        kinds["photographs"] = [] if found is None else list(found.images.split(1))
    rows: list[list[object]] = []
    for kind, images in ((kind, images) for kind, images in kinds.items() if images):
        values = torch.tensor([bundle.strangeness(image) for image in images])
        rows.append([kind, *(float(value) for value in (values.min(), values.median(), values.max()))])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder of photographs of heads")
    parser.add_argument("--save", action="store_true", help="measure the world of the embedded model and keep it")
    options = parser.parse_args()
    bundle = load_bundle("demo")
    if options.save:
        bundle.save_world(model_folder("demo"))
        bundle = load_bundle("demo")
    typical, strange = typical_rows(bundle), strange_rows(bundle, options.photos)
    text = "Typical distances of distortions of a portrait, by its size in pixels\n\n"
    text += table(["network", *map(str, SIZES)], typical)
    text += f"\n\nStrangeness of single pictures; those above {OUTSIDE} count as photographs\n\n"
    text += table(["pictures", "least", "median", "most"], strange)
    publish("photographs", {"typical": typical, "strange": strange}, text)


if __name__ == "__main__":
    main()
