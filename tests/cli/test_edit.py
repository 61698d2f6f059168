import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from safetensors.torch import load_file
from skimage.io import imread

from inv3d.core.codes import code_statistics
from inv3d.core.editing.directions import component
from inv3d.core.errors import InputError
from inv3d.core.headfile import CODES, EDITS, load_head, save_head
from inv3d.core.latents import LatentTrack
from inv3d.edited import Taking, changed, standings
from tests.e2e.commands import fails, here
from tests.export.test_edits import cells


@pytest.fixture(scope="module", autouse=True)
def small():
    """Sheets and pages of small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inv3d.edited._SIDE", 24)
        patch.setattr("inv3d.edited._RESOLUTION", 16)
        yield


@pytest.fixture(scope="module")
def made(head, tmp_path_factory):
    """The output folder of a head, and that of the same head, edited."""
    folder = tmp_path_factory.mktemp("edit") / "turn-inv3d"
    save_head(head, folder / "head")
    out = folder.with_name("younger")
    done = here("edit", folder, "smile=+1", "age=-1", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert all(line in done.stderr for line in ("sheet 6/6\n", "page 7/7\n", "sliders 10/10\n"))
    return folder, out, json.loads(done.stdout)


def test_an_edited_head_is_a_head(made):
    folder, out, said = made
    assert [(each["name"], each["strength"]) for each in said["edits"]] == [("smile", 1.0), ("age", -1.0)]
    assert sorted(path.name for path in out.iterdir()) == ["edit.png", "head", "run.json", "view.html"]
    page = (out / "view.html").read_text()
    assert "<h1>younger: smile=+1, age=-1</h1>" in page and '"strength":0.25' in page and '"at":-1.0' in page
    assert len(load_head(out).edits) == 2 and not load_head(folder).edits
    assert imread(out / "edit.png").shape[1] > 3 * 24


def test_edits_are_chained_and_undone(made, tmp_path):
    _, out, _ = made
    done = here("edit", out, "glasses=1", "--undo", "1", "--component", "3=+1", "--out", tmp_path / "more")
    assert done.returncode == 0, done.stderr
    assert [str(each) for each in load_head(tmp_path / "more").edits] == ["smile=+1", "glasses=+1", "component-3=+1"]
    assert here("edit", tmp_path / "more", "--undo", "3", "--out", tmp_path / "less").returncode == 0
    first = load_file(made[0] / "head" / CODES)["codes"]
    assert load_head(tmp_path / "less").track.codes.equal(first)


def test_layers_limit_an_edit(made, tmp_path):
    done = here("edit", made[0], "smile=1", "--layers", "2-3", "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["edits"][0]["layers"] == [2, 3]


def test_directions_are_listed_with_what_the_head_allows(made):
    page = here("edit", made[1], "--list").stdout
    assert "may be added" in page and "smile" in page and "-0.0" not in page and "edits: smile=+1, age=-1" in page
    assert "--take from another head: hair, beard," in page
    said = json.loads(here("edit", made[1], "--list", "--json").stdout)
    assert said["styles"] == ["toon"] and "--style: toon" in page
    assert all(each["least"] <= 0.0 <= each["most"] for each in said["directions"]) and len(said["edits"]) == 2


def test_a_head_in_w_tri_is_edited_as_in_w_plus(head):
    space = head.generator.wtri_space
    wide = dataclasses.replace(head, track=head.track.with_codes(space.widened(head.track.codes)))
    other = dataclasses.replace(head, track=head.track.with_codes(head.track.codes.flip(0) + 0.05))
    darker, both = SimpleNamespace(name="dark-skin", strength=1.0), []
    for own in (head, wide):
        both.append(changed(own, [darker], takes=[Taking("hair", other, "bob"), Taking("looks", wide, "itself")]))
    assert list(map(str, both[1].edits)) == ["dark-skin=+1", "hair from bob", "looks from itself"]
    assert torch.allclose(both[1].track.codes, space.widened(both[0].track.codes), atol=1e-4)
    readings = [[each.reading for each in standings(edited)] for edited in both]
    assert readings[1] == pytest.approx(readings[0], abs=1e-2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "there is nothing to edit"),
        (("smlie=1",), 2, "no direction 'smlie'"),
        (("smile",), 2, "smile is not an edit"),
        (("smile=much",), 2, "is not an edit"),
        (("=2",), 2, "is not an edit"),
        (("smile=nan",), 2, "is not an edit"),
        (("smile=90",), 2, "more than the model holds"),
        (("--component", "first=1"), 2, "is not a component"),
        (("--component", "3000=1"), 2, "no component 3000"),
        (("--component", "0=90"), 2, "more than the model holds"),
        (("smile=1", "--layers", "4-2"), 2, "is not a range of layers"),
        (("smile=1", "--layers", "4-20"), 2, "no layer 20"),
        (("--undo", "1"), 2, "0 edits to undo"),
        (("--undo", "0"), 2, "--undo"),
        (("smile=1", "--list"), 2, "--list only lists"),
        (("--animate", "smile=-2..2", "--list"), 2, "--list only lists"),
        (("--take", "hair"), 2, "is not something to take"),
        (("--take", "=bob"), 2, "is not something to take"),
        (("--take", "hair="), 2, "is not something to take"),
        (("--take", "hair=nobody"), 3, "contains no head"),
        (("--style", "tune"), 2, "no style 'tune'"),
        (("--style", "toon=much"), 2, "is not a style"),
        (("--style", "toon=1.5"), 2, "is not a style"),
        (("--style", "=1"), 2, "is not a style"),
        (("toon=0.5", "--style", "toon"), 2, "leaves what the style holds"),
        (("toon=1", "--layers", "2-3"), 2, "--layers has no effect on the style 'toon'"),
        (("--style", "toon", "--list"), 2, "--list only lists"),
        (("--animate", "smile=-2..2"), 2, "is not a video"),
        (("--sheet", "smile=-2..2"), 2, "is not a PNG file"),
        (("--animate", "smile=-2..2", "--sheet", "age=0..1"), 2, "exclude each other"),
        (("--animate", "smile=2"), 2, "is not a range of strengths"),
        (("--animate", "smile=a..b"), 2, "is not a range of strengths"),
        (("--sheet", "=0..1"), 2, "is not a range of strengths"),
        (("--sheet", "smile=2..2"), 2, "does not change"),
        (("smile=1", "--yaw", "0"), 2, "--yaw has no effect"),
        (("--sheet", "smile=-2..2", "--frames", "8"), 2, "--frames has no effect"),
        (("--animate", "smile=-2..2", "--yaw", "0", "--path", "swing"), 2, "exclude each other"),
        (("--animate", "smile=-2..2", "--yaw", "0,10"), 2, "has several angles"),
        (("--animate", "smile=-2..2", "--path", "zigzag"), 2, "--path 'zigzag' is not known"),
    ],
)
def test_wrong_words_write_nothing(words, code, said, made, tmp_path):
    out = () if "--list" in words else ("--out", tmp_path / "out")
    fails(code, said, "edit", made[0], *words, *out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--animate", "smlie=-2..2"), 2, "no direction 'smlie'"),
        (("--animate", "smile=0..90"), 2, "more than the model holds"),
        (("--sheet", "3000=0..1"), 2, "no component 3000"),
        (("--sheet", "toon=0..2"), 2, "leaves what the style holds"),
        (("--sheet", "smile=0..1", "--layers", "4-20"), 2, "no layer 20"),
    ],
)
def test_ranges_that_the_model_lacks_write_nothing(words, code, said, made, tmp_path):
    fails(code, said, "edit", made[0], *words, "--out", tmp_path / ("out.png" if "--sheet" in words else "out.mp4"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("view", [("--yaw", "20"), ("--path", "circle")])
def test_a_video_goes_there_and_back(view, made, tmp_path):
    out = tmp_path / "smile.gif"
    ranges = ("--animate", "smile=-1..2", "--animate", "0=0..1")
    done = here("edit", made[0], "glasses=1", *ranges, *view, "--frames", "4", "--resolution", "16", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ranges"][1] == {"name": 0, "from": 0.0, "to": 1.0}
    with Image.open(out) as file:
        assert isinstance(file, GifImageFile) and (file.n_frames, file.size) == (4, (16, 16))
    fails(2, "exists already", "edit", made[0], *ranges, "--out", out)


def test_a_sheet_has_yaws_across_and_strengths_down(made, tmp_path):
    out = tmp_path / "sheet.png"
    done = here("edit", made[1], "--sheet", "dark-skin=0..2", "--resolution", "16", "--yaw=-20,20", "--out", out)
    assert done.returncode == 0, done.stderr
    sheet = imread(out).astype(float)
    rows = cells(torch.from_numpy(sheet).permute(2, 0, 1), 5, 2, 16)
    assert all(float(rows[4][c][:, 6:11, 6:10].mean()) < float(rows[0][c][:, 6:11, 6:10].mean()) - 10 for c in (0, 1))


def test_edits_that_add_up_to_too_much_write_nothing(made, head, demo, tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.core.editing.edits.FURTHEST", 0.1)
    monkeypatch.setattr("inv3d.core.editing.edits._FURTHER", 0.0)
    first = component(code_statistics(demo.generator, demo.info.front), 0)
    away = 1.0 if first.reading(head.track.codes) > 0.0 else -1.0
    fails(2, "takes the head further", "edit", made[0], "--component", f"0={away}", "--out", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_hair_is_taken_from_another_head(made, head, tmp_path):
    other = tmp_path / "bob-inv3d"
    other_code = head.track.codes[:1].flip(-1)
    save_head(dataclasses.replace(head, track=LatentTrack(other_code, torch.zeros(1))), other / "head")
    done = here("edit", made[0], "smile=1", "--take", f"hair={other}", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert [str(each) for each in load_head(tmp_path / "out").edits] == ["smile=+1", "hair from bob-inv3d"]
    fails(2, "'ears' cannot be taken", "edit", made[0], "--take", f"ears={other}", "--out", tmp_path / "none")
    fails(2, "contains the input", "edit", made[0], "--take", f"hair={other}", "--out", other, "--force")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bob-inv3d", "out"]


def test_a_head_becomes_a_toon_between_other_edits(made, tmp_path):
    done = here("edit", made[1], "--style", "toon=0.5", "beard=1", "--out", tmp_path / "toon", "--json")
    assert done.returncode == 0, done.stderr
    assert [str(each) for each in load_head(tmp_path / "toon").edits] == ["smile=+1", "age=-1", "beard=+1", "toon=+0.5"]
    assert '"name":"toon"' in (tmp_path / "toon" / "view.html").read_text()
    assert here("edit", tmp_path / "toon", "--undo", "1", "--out", tmp_path / "back").returncode == 0
    assert load_head(tmp_path / "back").photographic == 1.0
    out = tmp_path / "toon.gif"
    done = here("edit", made[0], "--animate", "toon=0..1", "--frames", "4", "--resolution", "16", "--out", out)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as file:
        first = np.array(file.convert("RGB"), dtype=float)
        file.seek(2)
        assert np.abs(np.array(file.convert("RGB")) - first).mean() > 3.0


def test_models_without_styles_say_so(made, tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.core.editing.styles._BEGINNING", "none-")
    fails(2, "'demo' has no style 'toon'", "edit", made[0], "--style", "toon", "--out", tmp_path / "out")
    assert "--style: none" in here("edit", made[0], "--list").stdout


def test_heads_of_other_models_have_nothing_to_take(made, head):
    other = dataclasses.replace(head, bundle=dataclasses.replace(head.bundle, fingerprint="f" * 16))
    with pytest.raises(InputError, match="bob is a head of the model 'demo', not of 'demo'"):
        changed(load_head(made[0]), [], takes=[Taking("hair", other, "bob")])


def test_outputs_are_replaced_by_force_alone(made, tmp_path):
    out = shutil.copytree(made[1], tmp_path / "out")
    fails(2, "exists already", "edit", made[0], "smile=1", "--out", out)
    assert here("edit", made[0], "smile=-1", "--out", out, "--force").returncode == 0
    assert [str(each) for each in load_head(out).edits] == ["smile=-1"]
    (out / "mine.txt").touch()
    fails(2, "did not write: mine.txt", "edit", made[0], "smile=1", "--out", out, "--force")
    fails(2, "contains the input", "edit", made[0], "smile=1", "--out", made[0], "--force")


def test_directions_of_the_inversion_manifold(made, tmp_path):
    for space in ("original", "inversion"):
        done = here("edit", made[0], "age=1", "--space", space, "--out", tmp_path / space)
        assert done.returncode == 0, done.stderr
    own, inverted = (load_file(tmp_path / space / "head" / EDITS)["displacements"] for space in ("original", "inversion"))
    assert 0.5 < float(torch.cosine_similarity(own.flatten(), inverted.flatten(), 0)) < 0.999
    fails(2, "no direction 'smile'", "edit", made[0], "smile=1", "--space", "inversion", "--out", tmp_path / "none")
    fails(2, "--space", "edit", made[0], "age=1", "--space", "z", "--out", tmp_path / "none")


def test_a_folder_without_a_head_is_refused(tmp_path):
    fails(3, "contains no head", "edit", tmp_path, "smile=1", "--out", tmp_path / "out")


def test_a_model_without_directions_has_components(made, tmp_path, monkeypatch):
    monkeypatch.setattr("inv3d.core.editing.directions.FILE", "none.safetensors")
    fails(4, "'demo' has no named directions", "edit", made[0], "smile=1", "--out", tmp_path / "out")
    done = here("edit", made[0], "--component", "0=-1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    page = here("edit", tmp_path / "out", "--list").stdout
    assert "edits: component-0=-1" in page and "no named directions" in page


def test_the_sheet_of_directions(tmp_path, monkeypatch):
    from inv3d.core.bundle import load_bundle
    from inv3d.core.editing.directions import Directions

    known = load_bundle("demo").directions
    assert known is not None
    few = Directions(known.all[:2])
    monkeypatch.setattr(Directions, "load", staticmethod(lambda *_: few))
    sheet = tmp_path / "sheet.png"
    done = here("models", "directions", "demo", "--components", "1", "--resolution", "16", "--out", sheet, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["directions"] == ["smile", "open-mouth", "component-0"]
    assert imread(sheet).shape[0] > 3 * 16
    fails(2, "exists", "models", "directions", "demo", "--out", sheet)
    fails(4, "no model named", "models", "directions", "nobody", "--out", tmp_path / "other.png")
