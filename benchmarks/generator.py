"""The embedded generator against its source, on people and cameras it never saw: `python benchmarks/generator.py`.

From z through the mapping network to 256 px renders, all the way round: PSNR and SSIM (scikit-image, 7 px window) on the
whole image and on the face, perceptual distance, identity score, depth and normal error against the exact surface; LPIPS
(AlexNet) of the whole image and of crops of eyes and mouth, where its weights are on the machine; style mixing;
truncation and walks in W. `--frechet N` adds the Frechet distance between the identity features of N generated and N
source pictures. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from numpy.typing import NDArray
from results import publish, table
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle, Perceptual, load_bundle
from inv3d.core.camera import Camera, look_at
from inv3d.core.generator import Scene
from inv3d.core.helpers import LPIPS, has_perceptual, load_perceptual
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis
from inv3d.core.training.source import PEOPLE
from inv3d.export.sides import in_face

SEED = 500
SIZE = 256
SMALL = 96
"""Pixels of the pictures for the Frechet distance; the identity network sees them at 64."""
BINS = ((0, 25), (25, 50), (50, 75), (75, 180))
VIEWS_PER_BIN = 3
NORMAL_PIXELS = 1500
EYE, MOUTH = 48, 64
"""Sides of the crops around each eye and the mouth, in pixels of the 256."""
COLUMNS = {
    "psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS", "face_psnr": "PSNR face", "face_ssim": "SSIM face",
    "eyes": "LPIPS eyes", "mouth": "LPIPS mouth", "perceptual": "perceptual", "identity": "identity",
    "depth": "depth error (% of head width)", "normal": "normal error (degrees)",
}  # fmt: skip
"""Those of a network that is not on the machine are left out."""

Picture = NDArray[np.float32]


def picture(image: Tensor) -> Picture:
    """[1,3,H,W] in [-1,1] to [H,W,3] in [0,1]."""
    array: Picture = ((image[0].permute(1, 2, 0).clamp(-1, 1).numpy() + 1) / 2).astype(np.float32)
    return array


def psnr(a: Picture, b: Picture) -> float:
    return -10 * math.log10(float(((a - b) ** 2).mean()))


def cameras(count: int, low: float, high: float, random: torch.Generator) -> Camera:
    """Random sides between two absolute yaws (degrees), pitches to 20 degrees."""
    yaw = (low + (high - low) * torch.rand(count, generator=random)) * (
        torch.rand(count, generator=random) - 0.5
    ).sign()
    pitch = (torch.rand(count, generator=random) * 2 - 1) * 20
    return look_at(yaw.deg2rad(), pitch.deg2rad())


def normal_error(bundle: Bundle, scene: Scene, points: Tensor, exact: Tensor) -> float:
    """Median angle in degrees between the generator's normals at `points` [P,3] and the `exact` ones [P,3]."""
    offsets = 0.0015 * torch.eye(3)
    around = torch.cat([points + sign * offset for offset in offsets for sign in (1.0, -1.0)])
    sigma = bundle.generator.surface(scene, around[None]).level.reshape(3, 2, -1)
    ours = F.normalize(sigma[:, 1] - sigma[:, 0], dim=0).t()
    return float(torch.rad2deg(torch.acos((ours * F.normalize(exact, dim=1)).sum(-1).clamp(-1, 1))).median())


def cropped(image: Tensor, camera: Camera, place: Tensor, side: int) -> Tensor:
    """The square [1,3,S,S] around a `place` [3] in the world."""
    inverse = torch.linalg.inv(camera.cam2world[0])
    seen = camera.intrinsics[0] @ (inverse[:3, :3] @ place + inverse[:3, 3])
    x, y = (int(v) for v in ((seen[:2] / seen[2]) * SIZE - side / 2).round().clamp(0, SIZE - side))
    return image[..., y : y + side, x : x + side]


def compare(
    bundle: Bundle, scene: Scene, camera: Camera, parameters: Tensor,
    renderer: PeopleRenderer, lpips: Perceptual | None, random: torch.Generator,
) -> dict[str, float]:  # fmt: skip
    """All figures of one view of one person."""
    exact = renderer.render(parameters, camera, SIZE)
    surface = renderer.builder.shapes.surface(parameters)
    render = bundle.generator.render(scene, camera)
    image = render.image.clamp(-1, 1)
    a, b = picture(image), picture(exact.image)
    _, full = structural_similarity(a, b, channel_axis=2, data_range=1.0, full=True)
    origins, directions = camera.rays(SIZE)
    points = (origins + directions * exact.depth.reshape(1, -1, 1))[0]
    solid = exact.alpha.reshape(-1) > 0.99
    chosen = solid.nonzero()[:, 0]
    chosen = chosen[torch.randperm(len(chosen), generator=random)[:NORMAL_PIXELS]]
    ours = (origins + directions * render.depth.reshape(1, -1, 1))[0]
    normals = exact.normals[0].flatten(1).t()
    row = {
        "psnr": psnr(a, b),
        "ssim": float(full.mean()),
        "perceptual": float(bundle.perceptual.distance(image, exact.image)),
        "identity": float(bundle.identity.similarity(image, exact.image)),
        "depth": 100 * float((render.depth - exact.depth).abs().reshape(-1)[solid].median()) / surface.width,
        "normal": normal_error(bundle, scene, ours[chosen], normals[chosen]),
    }
    face = (solid & in_face(points)).reshape(SIZE, SIZE).numpy()
    if face.sum() > 600 and abs(float(camera.yaw)) < math.radians(75):
        row |= {
            "face_psnr": -10 * math.log10(float(((a - b)[face] ** 2).mean())),
            "face_ssim": float(full[face].mean()),
        }
    if lpips is not None:
        row["lpips"] = float(lpips.distance(image, exact.image))
        if abs(float(camera.yaw)) < math.radians(50):
            *eyes, mouth = (
                float(lpips.distance(*(cropped(one, camera, place, side) for one in (image, exact.image))))
                for place, side in ((surface.eyes[0], EYE), (surface.eyes[1], EYE), (surface.mouth, MOUTH))
            )
            row |= {"eyes": float(np.mean(eyes)), "mouth": mouth}
    return row


def held_out(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """z [N,I+E] and parameters [N,K] of new people."""
    z = torch.randn(count, PEOPLE.identity_dim + PEOPLE.expression_dim, generator=random)
    return z, PEOPLE.parameters(z[:, : PEOPLE.identity_dim], z[:, PEOPLE.identity_dim :])


def views_table(
    bundle: Bundle, renderer: PeopleRenderer, lpips: Perceptual | None, heads: int
) -> list[dict[str, float]]:
    """Rows of `compare` with their yaw bin."""
    random = torch.Generator().manual_seed(SEED)
    z, parameters = held_out(heads, random)
    rows = []
    for head in range(heads):
        codes = bundle.generator.mapping(z[head : head + 1])
        scene = bundle.generator.scene(codes)
        for i, (low, high) in enumerate(BINS):
            for camera in (cameras(1, low, high, random) for _ in range(VIEWS_PER_BIN)):
                row = compare(bundle, scene, camera, parameters[head : head + 1], renderer, lpips, random)
                rows.append(row | {"bin": i})
    return rows


def mixing(bundle: Bundle, renderer: PeopleRenderer, pairs: int) -> dict[str, float]:
    """Shape codes of one person, look codes of another, against the source's person of that shape and those looks."""
    random = torch.Generator().manual_seed(SEED + 1)
    z, parameters = held_out(2 * pairs, random)
    codes = bundle.generator.mapping(z)
    shape, looks = codes[:pairs], codes[pairs:]
    mixed = bundle.generator.code_space.mix(shape, looks, "looks")
    truth = PEOPLE.exchange_looks(parameters[:pairs], parameters[pairs:])
    camera = cameras(pairs, 0, 50, random)
    sums: dict[str, list[float]] = {"mixed": [], "shape's own person": [], "looks' own person": []}
    for i in range(pairs):
        exact = picture(renderer.render(truth[i : i + 1], camera[i], SIZE).image)
        for name, code in zip(sums, (mixed, shape, looks), strict=True):
            sums[name].append(psnr(picture(bundle.generator(code[i : i + 1], camera[i]).image), exact))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def walks(bundle: Bundle, count: int) -> dict[str, float]:
    """Share of renders (%) in which the aligner sees a head: random codes, truncated ones, and on the way between two."""
    random = torch.Generator().manual_seed(SEED + 2)
    z, _ = held_out(count, random)
    ends = bundle.generator.mapping(z)
    t = torch.rand(count, 1, 1, generator=random)
    sets = {
        "random codes": ends,
        "truncated to 0.5": bundle.generator.mapping(z, truncation=0.5),
        "between two codes": ends + t * (ends.roll(1, 0) - ends),
    }
    camera = cameras(count, 0, 60, random)
    shares = {}
    for name, codes in sets.items():
        found = [
            float(bundle.aligner(bundle.generator(codes[i : i + 1], camera[i], 64).image).confidence > 0.5)
            for i in range(count)
        ]
        shares[name] = 100 * float(np.mean(found))
    return shares


def frechet(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features [N,D] (Heusel et al. 2017)."""
    mean, ca, cb = a.mean(0) - b.mean(0), np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(ca)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cb @ root).clip(min=0)).sum()
    return float(mean @ mean + np.trace(ca) + np.trace(cb) - 2 * cross)


def frechet_distances(bundle: Bundle, renderer: PeopleRenderer, count: int) -> dict[str, float]:
    """Generated against source, and source against other people of the source (what no generator can beat)."""
    random = torch.Generator().manual_seed(SEED + 3)

    def features(image: Tensor) -> NDArray[np.float64]:
        result: NDArray[np.float64] = bundle.identity(image).double().numpy()
        return result

    def source() -> NDArray[np.float64]:
        _, parameters = held_out(count, random)
        camera = cameras(count, 0, 60, random)
        return np.concatenate(
            [
                features(renderer.render(parameters[i : i + 50], camera[i : i + 50], SMALL, 1).image)
                for i in range(0, count, 50)
            ]
        )

    first, second = source(), source()
    z, _ = held_out(count, random)
    camera = cameras(count, 0, 60, random)
    generated = np.concatenate(
        [features(bundle.generator(bundle.generator.mapping(z[i : i + 1]), camera[i], SMALL).image)
         for i in range(count)]
    )  # fmt: skip
    return {"generated against source": frechet(generated, first), "source against source": frechet(second, first)}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--frechet", type=int, default=0, help="pictures per set (5000 takes about 20 minutes)")
    parser.add_argument("--model", default="demo")
    options = parser.parse_args()
    bundle, renderer = load_bundle(options.model), PeopleRenderer(people_basis())
    lpips = load_perceptual(LPIPS, torch.device("cpu")) if has_perceptual(LPIPS) else None
    rows = views_table(bundle, renderer, lpips, options.heads)
    columns = {name: title for name, title in COLUMNS.items() if any(name in row for row in rows)}

    def mean(chosen: list[dict[str, float]]) -> list[float | None]:
        values = [[row[name] for row in chosen if name in row] for name in columns]
        return [float(np.mean(v)) if v else None for v in values]

    lines = [["all", *mean(rows)]]
    lines += [[f"{low}-{high}°", *mean([row for row in rows if row["bin"] == i])] for i, (low, high) in enumerate(BINS)]
    text = f"{options.heads} held-out people, {len(rows)} views, {SIZE} px, z -> mapping -> render. "
    text += "Face figures: yaws to 75°; eyes and mouth\nto 50°. Depth and normal errors are medians over the surface seen.\n\n"
    text += table(["yaw", *columns.values()], lines)
    mixed, found = mixing(bundle, renderer, options.heads), walks(bundle, 4 * options.heads)
    text += "\n\nStyle mixing: PSNR against the source's person of one shape and another's looks.\n\n"
    text += table(["codes", "PSNR"], [list(item) for item in mixed.items()])
    text += "\n\nRenders in which the aligner sees a head.\n\n"
    text += table(["codes", "share (%)"], [list(item) for item in found.items()])
    data = {
        "means": dict(zip(columns, mean(rows), strict=True)),
        "bins": {line[0]: dict(zip(columns, line[1:], strict=True)) for line in lines[1:]},
        "mixing": mixed, "heads_seen": found,
    }  # fmt: skip
    if options.frechet:
        distances = frechet_distances(bundle, renderer, options.frechet)
        text += f"\n\nFrechet distance in identity features, {options.frechet} pictures a set, yaws to ±60°.\n\n"
        text += table(["sets", "distance"], [list(item) for item in distances.items()])
        data["frechet"] = {"pictures": options.frechet, **distances}
    publish("generator" if options.model == "demo" else f"generator-{options.model}", data, text)


if __name__ == "__main__":
    main()
