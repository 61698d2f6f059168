import pytest

from inv3d.core import library
from inv3d.core.errors import ModelError, UsageError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(home, name):
    folder = home / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    return folder


def test_the_home_follows_the_variable_and_else_the_platform(home, monkeypatch):
    assert library.home() == home
    monkeypatch.delenv("INV3D_HOME")
    assert library.home().name == "inv3d" and library.home() != home


def test_imported_models_stand_beside_the_embedded_one(home):
    folder = put(home, "ffhq")
    assert library.available() == ["demo", "ffhq"]
    assert library.model_folder("ffhq") == folder and library.model_folder("demo").parent == library.EMBEDDED
    for name in ("nobody", "../ffhq", ""):
        with pytest.raises(ModelError, match="there is no model"):
            library.model_folder(name)


@pytest.mark.parametrize("name", ["", "Up", "a/b", "..", "a b", "-x", "demo"])
def test_names_that_cannot_be(name):
    with pytest.raises(UsageError):
        library.new_folder(name, force=True)


def test_a_taken_name_needs_force(home):
    folder = put(home, "ffhq")
    with pytest.raises(UsageError, match="already"):
        library.new_folder("ffhq", force=False)
    assert library.new_folder("ffhq", force=True) == folder


def test_removing_deletes_what_was_imported_alone(home):
    folder = put(home, "ffhq")
    assert library.remove("ffhq") == folder and not folder.exists()
    with pytest.raises(UsageError, match="embedded"):
        library.remove("demo")
    assert library.model_folder("demo").is_dir()
