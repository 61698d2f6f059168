"""Draw what the tests look at: people, into tests/data/people (a head turn, another person, aligned portraits, and some as
stylised heads), and the turns of a cat and of a chair, into tests/data/cats and tests/data/chairs; and photos of others for
people, into samples.

    python benchmarks/make_test_pictures.py

Stored, because drawing people needs the extra `train`, and drawing takes time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from inv3d.core.camera import look_at
from inv3d.core.cats.clip import CatTurn
from inv3d.core.chairs.clip import ChairTurn
from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.parameters import LATENT_DIM, people_parameters, split_latents
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis
from inv3d.core.procedural.clip import HeadTurn
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training.stylised import STYLISED
from inv3d.core.views import to_array
from inv3d.export.sheet import latent
from inv3d.video.write import write_mp4

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "people"
TURN: dict[str, Any] = {"frames": 28, "fps": 10, "width": 320, "height": 180, "crop": 116.0}
PERSON, OTHER = 519, 526
PORTRAITS = range(711, 717)
PHOTOS = range(900, 904)
TOONS = (500, 501, 503, 508)
SAMPLES = FOLDER.parents[2] / "samples"
PHOTO: dict[str, Any] = {"frames": 101, "width": 640, "height": 480, "crop": 340.0}


def save(name: str, image: torch.Tensor) -> None:
    """Writes an image [1,3,H,W] in [-1,1]."""
    Image.fromarray(to_array(image[0])).save(FOLDER / name, quality=95)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    renderer = PeopleRenderer(people_basis())
    turn = PersonTurn(PERSON, **TURN)
    images = [to_array(turn.render(renderer, frame).image[0]) for frame in range(turn.frames)]
    write_mp4(FOLDER / "turn.mp4", images, turn.fps)
    save("other.jpg", PersonTurn(OTHER, **TURN).render(renderer, 14).image)
    for seed in PORTRAITS:
        person = PersonTurn(seed, frames=101)
        for name, frame in (("front", 50), ("side", 30)):
            save(f"{name}-{seed}.jpg", person.render_aligned(renderer, frame, 128).image)
    camera = look_at(torch.tensor([0.2]), torch.tensor([0.05]))
    for seed in PHOTOS:
        save(f"photo-{seed}.jpg", renderer.render(PersonTurn(seed).parameters(13), camera, 128).image)
    draw_toons()
    draw_thing("cat", CatTurn(19, **TURN), CatTurn(16, **PHOTO), 56)
    draw_thing("chair", ChairTurn(19, **TURN), ChairTurn(16, **PHOTO), 62)


def draw_toons() -> None:
    """The people of some seeds (see `export.sheet.latent`) as stylised heads."""
    artist = STYLISED.artist(compiled=False)
    camera = look_at(torch.tensor([0.3]), torch.tensor([0.05]))
    for seed in TOONS:
        parameters = people_parameters(*split_latents(latent(seed, LATENT_DIM)))
        save(f"toon-{seed}.png", artist.pictures(parameters, camera, 64, 2, torch.Generator())[0])


def draw_thing(kind: str, turn: HeadTurn, photo: HeadTurn, frame: int) -> None:
    """A thing that turns, and a photo of another one."""
    renderer, folder = HeadRenderer(kind=turn.kind), FOLDER.parent / f"{kind}s"
    folder.mkdir(parents=True, exist_ok=True)
    write_mp4(folder / "turn.mp4", [to_array(turn.render(renderer, each).image[0]) for each in range(turn.frames)], turn.fps)
    Image.fromarray(to_array(photo.render(renderer, frame).image[0])).save(SAMPLES / f"photo-{kind}.jpg", quality=92)


if __name__ == "__main__":
    main()
