"""Measures where `demo` has the points of a face in its world: `python benchmarks/make_face.py`.

They are read off pictures of drawn people, whose cameras are exact, and off their mirror images, and triangulated for all
people together: the mean face. Drawn people hold their chins further back than people do who look
straight ahead, by some degrees: the face is turned upright, its forehead above its chin, as EG3D's cameras
see it from the front. Needs the extra `train`; takes about five minutes. Other models are measured by `inv3d models prepare`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import torch
from networks import Heads
from torch import Tensor

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera
from inv3d.core.facepoints import CHIN, FOREHEAD, face_in, save_points
from inv3d.core.library import model_folder

SEED, PEOPLE, VIEWS = 1, 150, 3
YAW, PITCH = math.radians(40), math.radians(20)


@torch.no_grad()
def pictures(people: int) -> Iterator[tuple[Tensor, Camera]]:
    """Of drawn people [3,256,256] before grey, with their cameras [1]."""
    bundle = load_bundle("demo")
    heads, random = Heads(bundle), torch.Generator().manual_seed(SEED)
    for _ in range(people):
        person = heads.random(1, random)
        for angles in torch.rand(VIEWS, 2, generator=random) * 2.0 - 1.0:
            camera = bundle.info.camera(YAW * angles[:1], PITCH * angles[1:])
            image, alpha = heads.draw(person, camera, 256)
            yield (image * alpha)[0], camera


def upright(points: Tensor) -> tuple[Tensor, float]:
    """The points turned about the axis through the ears until the forehead is above the chin, and by how many radians."""
    _, y, z = (points[FOREHEAD] - points[CHIN]).tolist()
    angle = math.atan2(z, y)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    return points @ turn.T, angle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    found = face_in(pictures(parser.parse_args().people))
    if found is None:
        parser.error("too few people for a mean face")
    shape, angle = upright(found)
    save_points(model_folder("demo"), shape)
    print(f"turned upright by {math.degrees(angle):.1f} degrees; nose at {shape[1].tolist()}")


if __name__ == "__main__":
    main()
