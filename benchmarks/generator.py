"""The embedded generator on heads and cameras it never saw: `python benchmarks/generator.py`.

PSNR and SSIM (scikit-image, 7 px window) at 128 px, on the whole image and on the face, from z through the mapping
network; depth error against the exact surface; render time.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from results import publish, table
from skimage.metrics import structural_similarity

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import look_at
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, Parameters, head_parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.procedural.surface import WORLD_PER_HEAD_UNIT

SEED = 500
BINS = ((0, 25), (25, 50), (50, 75))


def scores(a: NDArray[np.float32], b: NDArray[np.float32], face: NDArray[np.bool_]) -> dict[str, float]:
    """Metrics of two images [H,W,3] in [0,1]; those of the face only where it is large enough."""
    _, full = structural_similarity(a, b, channel_axis=2, data_range=1.0, full=True)
    error = (a - b) ** 2
    result = {
        "psnr": -10 * math.log10(error.mean()),
        "ssim": float(structural_similarity(a, b, channel_axis=2, data_range=1.0)),
    }
    if face.sum() > 150:
        result |= {"face_psnr": -10 * math.log10(error[face].mean()), "face_ssim": float(full[face].mean())}
    return result


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--views", type=int, default=10)
    options = parser.parse_args()
    generator = load_bundle("demo").generator
    renderer = HeadRenderer()
    random = torch.Generator().manual_seed(SEED)
    z = torch.randn(options.heads, IDENTITY_DIM + EXPRESSION_DIM, generator=random)
    rows, seconds = [], []
    for head in range(options.heads):
        parameters = head_parameters(z[head : head + 1, :IDENTITY_DIM], z[head : head + 1, IDENTITY_DIM:])
        codes = generator.mapping(z[head : head + 1])
        planes = generator.planes(codes)
        grid = generator.proposal_grid(planes)
        width = 2 * float(Parameters(parameters).head_width) * WORLD_PER_HEAD_UNIT
        for _ in range(options.views):
            angles = (torch.rand(2, generator=random) * 2 - 1) * torch.tensor([75.0, 20.0]).deg2rad()
            camera = look_at(angles[:1], angles[1:])
            exact = renderer.render(parameters, camera, 128)
            start = time.perf_counter()
            render = generator.render(planes, codes, camera, grid=grid, chunk=2048)
            seconds.append(time.perf_counter() - start)
            origins, directions = camera.rays(128)
            x, y, depth = (origins + directions * exact.depth.reshape(1, -1, 1))[0].unbind(-1)
            solid = exact.alpha.reshape(-1) > 0.99
            face = solid & (x.abs() < 0.115) & (y > -0.185) & (y < 0.10) & (depth > 0.07) & (depth < 0.30)
            ours, truth = ((i[0].permute(1, 2, 0).clamp(-1, 1).numpy() + 1) / 2 for i in (render.image, exact.image))
            row = scores(ours, truth, face.reshape(128, 128).numpy())
            row["yaw"] = abs(math.degrees(float(angles[0])))
            row["depth"] = 100 * float((render.depth - exact.depth).abs().reshape(-1)[solid].median()) / width
            rows.append(row)
    names = ("psnr", "ssim", "face_psnr", "face_ssim", "depth")

    def mean(chosen: list[dict[str, float]]) -> list[float]:
        return [float(np.mean([row[name] for row in chosen if name in row])) for name in names]

    lines = [["all", *mean(rows)]]
    lines += [[f"{low}-{high}°", *mean([row for row in rows if low <= row["yaw"] < high])] for low, high in BINS]
    header = ["yaw", "PSNR", "SSIM", "PSNR face", "SSIM face", "median depth error (% of head width)"]
    note = f"{options.heads} held-out heads, {options.views} views each, 128 px, z -> mapping -> render. "
    note += f"A 128 px render takes {np.median(seconds):.2f} s on {torch.get_num_threads()} threads."
    data = {
        "means": dict(zip(names, mean(rows), strict=True)),
        "render_seconds": float(np.median(seconds)),
    }
    publish("generator", data, note + "\n\n" + table(header, lines))


if __name__ == "__main__":
    main()
