"""Photos per second through the encoder, and where the time goes: `python benchmarks/throughput.py`.

Read, find and align, encode in batches, render once at full size: what `inv3d image` does before it writes the output.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from make_photos import PEOPLE
from results import publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.device import choose_device
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.store import load_encoder
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.photos import BATCH, shown_range
from inv3d.video.photo import align_photo
from inv3d.video.picture import read_picture

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device).device
    bundle, encoder = load_bundle("demo", device), load_encoder("demo", PREIM3D, device)

    def timed(work: Callable[[], object]) -> float:
        """Seconds of the fastest of several rounds."""
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    aligned = [align_photo(path, bundle) for path in PEOPLE]
    images = torch.cat([aligned[i % len(aligned)].view.images for i in range(BATCH)]).to(device)
    codes = encoder(images)
    camera = aligned[0].view.cameras
    around = shown_range(0.0, bundle)

    def render() -> None:
        head = Head(bundle.generator, LatentTrack(codes[:1], torch.zeros(1, device=device)), bundle, around)
        head.render(camera)

    reading = timed(lambda: [read_picture(path) for path in PEOPLE]) / len(PEOPLE)
    stages = {
        "read": reading,
        "find and align": timed(lambda: [align_photo(path, bundle) for path in PEOPLE]) / len(PEOPLE) - reading,
        "encode, one": timed(lambda: encoder(images[:1])),
        f"encode, each of {BATCH}": timed(lambda: encoder(images)) / BATCH,
        "planes and render, 256 px": timed(render),
    }
    whole = stages["read"] + stages["find and align"] + stages[f"encode, each of {BATCH}"]
    rows = [[name, 1000 * seconds] for name, seconds in stages.items()]
    render_seconds = stages["planes and render, 256 px"]
    text = (
        f"On {device}: {1 / (whole + render_seconds):.1f} photos per second with a render, {1 / whole:.1f} without.\n\n"
    )
    publish("throughput", {"device": device.type, "seconds": stages}, text + table(["stage", "ms per photo"], rows))


if __name__ == "__main__":
    main()
