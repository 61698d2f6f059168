import json
import shutil

import pytest
from safetensors.torch import load_file
from skimage.io import imread

from inv3d.core.head import CODES, Head
from tests.e2e.commands import fails, here


@pytest.fixture(scope="module", autouse=True)
def small():
    """Sheets of small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inv3d.edited._SIDE", 24)
        yield


@pytest.fixture(scope="module")
def made(head, tmp_path_factory):
    """The output folder of a head, and that of the same head, edited."""
    folder = tmp_path_factory.mktemp("edit") / "turn-inv3d"
    head.save(folder / "head")
    out = folder.with_name("younger")
    done = here("edit", folder, "smile=+1", "age=-1", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return folder, out, json.loads(done.stdout)


def test_an_edited_head_is_a_head(made):
    folder, out, said = made
    assert [(each["name"], each["strength"]) for each in said["edits"]] == [("smile", 1.0), ("age", -1.0)]
    assert sorted(path.name for path in out.iterdir()) == ["edit.png", "head", "run.json"]
    assert len(Head.load(out).edits) == 2 and not Head.load(folder).edits
    assert imread(out / "edit.png").shape[1] > 3 * 24


def test_edits_are_chained_and_undone(made, tmp_path):
    _, out, _ = made
    done = here("edit", out, "glasses=1", "--undo", "1", "--component", "3=+1", "--out", tmp_path / "more")
    assert done.returncode == 0, done.stderr
    assert [str(each) for each in Head.load(tmp_path / "more").edits] == ["smile=+1", "glasses=+1", "component-3=+1"]
    assert here("edit", tmp_path / "more", "--undo", "3", "--out", tmp_path / "less").returncode == 0
    first = load_file(made[0] / "head" / CODES)["codes"]
    assert Head.load(tmp_path / "less").track.codes.equal(first)


def test_layers_limit_an_edit(made, tmp_path):
    done = here("edit", made[0], "smile=1", "--layers", "2-3", "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["edits"][0]["layers"] == [2, 3]


def test_directions_are_listed_with_what_the_head_allows(made):
    page = here("edit", made[1], "--list").stdout
    assert "smile" in page and "edits: smile=+1, age=-1" in page
    said = json.loads(here("edit", made[1], "--list", "--json").stdout)
    assert all(each["least"] <= 0.0 <= each["most"] for each in said["directions"]) and len(said["edits"]) == 2


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
        (("--undo", "1"), 2, "no edits to undo"),
        (("--undo", "0"), 2, "--undo"),
        (("smile=1", "--list"), 2, "--list only lists"),
    ],
)
def test_wrong_words_write_nothing(words, code, said, made, tmp_path):
    out = () if "--list" in words else ("--out", tmp_path / "out")
    fails(code, said, "edit", made[0], *words, *out)
    assert not list(tmp_path.iterdir())


def test_outputs_are_replaced_by_force_alone(made, tmp_path):
    out = shutil.copytree(made[1], tmp_path / "out")
    fails(2, "exists already", "edit", made[0], "smile=1", "--out", out)
    assert here("edit", made[0], "smile=-1", "--out", out, "--force").returncode == 0
    assert [str(each) for each in Head.load(out).edits] == ["smile=-1"]
    (out / "mine.txt").touch()
    fails(2, "did not write: mine.txt", "edit", made[0], "smile=1", "--out", out, "--force")
    fails(2, "contains the input", "edit", made[0], "smile=1", "--out", made[0], "--force")


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

    few = Directions(load_bundle("demo").directions.all[:2])
    monkeypatch.setattr(Directions, "load", staticmethod(lambda *_: few))
    sheet = tmp_path / "sheet.png"
    done = here("models", "directions", "demo", "--components", "1", "--resolution", "16", "--out", sheet, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["directions"] == ["smile", "open-mouth", "component-0"]
    assert imread(sheet).shape[0] > 3 * 16
    fails(2, "exists", "models", "directions", "demo", "--out", sheet)
    fails(4, "no model named", "models", "directions", "nobody", "--out", tmp_path / "other.png")
