import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import inv3d
from inv3d import notebook
from inv3d.cli.image import image
from inv3d.cli.video import video
from inv3d.core.errors import InputError, UsageError
from inv3d.core.headfile import save_head
from inv3d.core.inversion.settings import DRAFT
from inv3d.export.background import KEEP, Background
from inv3d.photos import PhotoJob, PhotoResult
from inv3d.pipeline import VideoJob
from inv3d.video.material import Recording


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Sheets and pages of small pictures."""
    monkeypatch.setattr("inv3d.edited._SIDE", 24)
    monkeypatch.setattr("inv3d.edited._RESOLUTION", 16)


@pytest.fixture(scope="module")
def loaded(head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    save_head(head, folder / "head")
    return inv3d.load(folder)


def test_a_head_is_rendered_as_a_picture(loaded, head):
    image = loaded.render(yaw=30, resolution=32)
    own = head.render(head.camera(torch.tensor([30.0]).deg2rad(), torch.zeros(1)), 32).image[0]
    assert image.size == (32, 32) and image.mode == "RGB"
    assert np.abs(np.asarray(image) / 127.5 - 1 - own.permute(1, 2, 0).numpy()).max() < 0.05
    assert np.asarray(loaded.render(show="grey", resolution=32)).std() > 10
    cut_out = np.asarray(loaded.render(resolution=32, background="transparent"))
    assert cut_out.shape == (32, 32, 4) and cut_out[..., 3].min() < 20 and cut_out[..., 3].max() > 235
    assert loaded.yaw_range == pytest.approx((-45.8, 51.6), abs=0.1) and loaded.photos is None


def test_a_notebook_shows_a_head(loaded):
    assert loaded._repr_png_().startswith(b"\x89PNG")


def test_meshes_and_films(loaded, tmp_path):
    mesh = loaded.mesh(triangles=900, resolution=40)
    assert mesh.is_watertight and len(mesh.faces) <= 900
    made = loaded.export(tmp_path / "a.stl", triangles=900, resolution=40, head_width=150.0)
    assert made.units == "millimetres" and (tmp_path / "a.stl").stat().st_size == 84 + 50 * made.triangles
    loaded.film(tmp_path / "a.gif", path="circle", frames=2, resolution=16)
    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF89a")
    with pytest.raises(UsageError, match="exists"):
        loaded.film(tmp_path / "a.gif", frames=2, resolution=16)


def test_edits_are_those_of_the_command(loaded, tmp_path):
    edited = loaded.edited({0: 2.0, "smile": 1.0}, tmp_path / "edited")
    again = inv3d.load(tmp_path / "edited")
    assert [str(edit) for edit in again.head.edits] == [str(edit) for edit in edited.head.edits]
    assert again.folder == edited.folder == tmp_path / "edited" and (tmp_path / "edited" / "edit.png").exists()
    assert not loaded.head.edits
    with pytest.raises(UsageError, match="exists"):
        loaded.edited({0: 1.0}, tmp_path / "edited")
    with pytest.raises(UsageError, match="smle"):
        loaded.edited({"smle": 1.0})


def test_mistakes_are_explained(loaded, tmp_path):
    with pytest.raises(ValueError, match="show='colour' is not one of color, depth"):
        loaded.render(show="colour")
    for word in ({"show": "colour"}, {"path": "loop"}, {"codec": "av1"}):
        with pytest.raises(ValueError, match="{}='{}' is not one of".format(*next(iter(word.items())))):
            loaded.film(tmp_path / "a.mp4", frames=2, resolution=16, **word)
    with pytest.raises(UsageError, match=r"a\.avi is not a video"):
        loaded.film(tmp_path / "a.avi", frames=2, resolution=16)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="not an export format"):
        loaded.export(tmp_path / "a.fbx")
    with pytest.raises(InputError, match="contains no head"):
        inv3d.load(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        inv3d.lod  # noqa: B018


@pytest.mark.parametrize(("function", "command"), [(inv3d.from_video, video), (inv3d.from_photo, image)])
def test_every_option_of_a_command_is_a_keyword(function, command):
    """With the same default, so that both make the same head. A replay makes none."""
    options = inspect.signature(command).parameters
    told = {"as_json", "debug", "out", "inputs", "photos", "context", "replay"}
    told |= {"encoder"} if command is video else set()
    expected = {name: each.default for name, each in options.items() if name not in told}
    keywords = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    assert {name: keywords[name] for name in expected} == expected
    assert len(keywords) == len(expected) + 2  # the input, and out


def test_every_example_of_the_page_runs(head, tmp_path, monkeypatch, capsys):
    """In order, in one folder; the fits themselves, which take long, are replaced by a finished head."""
    save_head(head, tmp_path / "clip-inv3d" / "head")
    for name in ("clips", "clip.mp4", "face.png", "left.jpg", "front.jpg", "right.jpg"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    asked = []

    def stands_for(own):
        def made(*arguments, **options):
            asked.append(inspect.signature(own).bind(*arguments, **options).arguments)
            return inv3d.load("clip-inv3d")

        return made

    for name in ("from_video", "from_photo"):
        monkeypatch.setattr(notebook, name, stands_for(getattr(notebook, name)))
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    namespace: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(example, "docs/python.md", "exec"), namespace)
    assert [list(each) for each in asked] == [["inputs", "views", "latents"], ["inputs"], ["photo", "refine", "tune"]]
    assert capsys.readouterr().out.split()[1] == "millimetres"
    assert {"turned.png", "turn.gif", "older.png", "varied", "head.stl"} <= {path.name for path in tmp_path.iterdir()}


def test_a_clip_and_a_photo_become_heads(clip, tmp_path, monkeypatch):
    """What the functions ask for is what the commands would."""
    clips: list[VideoJob] = []
    shots: list[tuple[list[Path], list[Path], PhotoJob]] = []
    monkeypatch.setattr(notebook, "video_to_head", clips.append)

    def invert(photos, outputs, job):
        shots.append((photos, outputs, job))
        return [PhotoResult(photos[0], outputs[0])]

    monkeypatch.setattr(notebook, "photos_to_heads", invert)
    monkeypatch.setattr(notebook, "load", lambda folder, device: folder)
    clip = shutil.copy(clip, tmp_path / "turn.mp4")
    assert inv3d.from_video(clip, views=5, latents=True, preset="draft", effort=0.5) == tmp_path / "turn-inv3d"
    job = clips.pop()
    assert (job.views, job.latents, job.settings) == (5, True, DRAFT.scaled(0.5))
    assert isinstance(job.material, Recording) and job.material.path == tmp_path / "turn.mp4"
    assert job.settings is not None and job.settings.output.frames and job.background == KEEP and job.head is None
    plain: dict[str, Any] = {"detail": "model", "background": "white", "head": (310, 220), "perceptual": "own", "resume": True}
    inv3d.from_video(clip, **plain)
    job = clips.pop()
    assert job.settings is not None and not job.settings.output.frames and job.background == Background((255, 255, 255))
    assert (job.head, job.perceptual, job.resume) == ((310, 220), "own", True)
    assert inv3d.from_photo(tmp_path / "face.png", tmp_path / "out", refine=3, seed=4) == tmp_path / "out"
    photos, outputs, photo = shots.pop()
    assert (photos, outputs) == ([tmp_path / "face.png"], [tmp_path / "out"])
    assert (photo.refine, photo.tune, photo.seed, photo.encoder) == (3, 0, 4, "preim3d")
    inv3d.from_photo(tmp_path / "face.png", **plain)
    photo = shots.pop()[2]
    assert photo.settings is not None and not photo.settings.output.frames
    assert (photo.head, photo.background) == ((310, 220), Background((255, 255, 255)))
    inv3d.from_photo(tmp_path / "face.png", method="pti", camera="given", tune=5)
    photo = shots.pop()[2]
    assert (photo.method, photo.camera, photo.encoder, photo.tune, photo.fit.pose_lr) == ("pti", "given", "none", 5, 0.0)
    # as the command: without an encoder the code is optimised
    inv3d.from_photo(tmp_path / "face.png", encoder="none", preset="draft")
    assert shots.pop()[2].refine == DRAFT.wplus_steps


def test_a_photo_that_cannot_be_used_raises(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="not a picture"):
        inv3d.from_photo(tmp_path / "text.png")
    with pytest.raises(UsageError, match="no preset"):
        inv3d.from_photo(tmp_path / "text.png", preset="best")
    with pytest.raises(ValueError, match="detail='all' is not one of frames, model"):
        inv3d.from_photo(tmp_path / "text.png", detail="all")
    with pytest.raises(ValueError, match="not keep, white"):
        inv3d.from_photo(tmp_path / "text.png", background="whit")


def test_importing_inv3d_is_light():
    code = "import sys, inv3d; print('torch' in sys.modules, inv3d.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", inv3d.__version__]
