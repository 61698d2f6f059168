"""How fast the parts of the embedded model are: `python benchmarks/speed.py`, on a machine with nothing else to do."""

from __future__ import annotations

import torch
from reference import REPEATS, median_seconds, reference, sentence
from results import publish, table

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import look_at
from inv3d.core.crops import Crops
from inv3d.memory import peak_memory_mb
from inv3d.video.decode import Frame
from inv3d.video.locate import align, search
from inv3d.video.track import SEARCH_SIDE

CPU = torch.device("cpu")


@torch.no_grad()
def main() -> None:
    bundle = load_bundle("demo")
    generator = bundle.generator
    random = torch.Generator().manual_seed(0)
    codes = generator.mapping(torch.randn(1, generator.z_dim, generator=random))
    scene = generator.scene(codes, guide=generator.guide(codes))
    camera = look_at(torch.tensor([0.4]), torch.tensor([0.1]))
    pixels = torch.randint(0, 255, (SEARCH_SIDE, SEARCH_SIDE * 16 // 9, 3), generator=random, dtype=torch.uint8)
    frame = Frame(0, 0.0, pixels.numpy())
    crop = Crops(torch.tensor([[480.0, 270.0]]), torch.tensor([300.0]), torch.zeros(1))
    parts = {
        "scene of a head": lambda: generator.scene(codes),
        "guide of a head": lambda: generator.guide(codes),
        "render, 256 px": lambda: generator.render(scene, camera),
        "render, 256 px, sparse": lambda: generator.render(scene, camera, sparse=True),
        "render, 128 px": lambda: generator.render(scene, camera, 128),
        "search in a 1080p frame": lambda: search(bundle.aligner, frame.tensor()),
        "follow a head to the next frame": lambda: align(bundle.aligner, frame.tensor(), crop, 2),
    }
    plain = reference(CPU)
    figures = {name: median_seconds(work, CPU) for name, work in parts.items()}
    text = f"{torch.get_num_threads()} threads, median of {REPEATS}; 1080p frames are searched at {SEARCH_SIDE} lines, to which the decoder\n"
    text += f"shrinks them. {peak_memory_mb()} MB resident at most.\n\n"
    product = plain["matrix product"]
    rows = [[name, 1000 * seconds, seconds / product] for name, seconds in figures.items()]
    data = {**figures, "reference": plain, "memory_mb": peak_memory_mb()}
    header = ["part", "milliseconds", "matrix products"]
    publish("speed", data, text + sentence(plain) + table(header, rows))


if __name__ == "__main__":
    main()
