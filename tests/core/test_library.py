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
    assert library.available() == ["cats", "chairs", "demo", "ffhq"]
    assert library.model_folder("ffhq") == folder and library.model_folder("demo").parent == library.EMBEDDED
    with pytest.raises(ModelError, match="there is no model named 'nobody'"):
        library.model_folder("nobody")


@pytest.mark.parametrize(
    "name", ["../ffhq", "", ".", "a/b", "ffhq\n", "\x1b[31m", "f\0", "x" * 100_000, "ffhq.partial", "٣"]
)
def test_names_that_are_not_valid_are_no_paths(name, home):
    put(home, "ffhq")
    with pytest.raises(ModelError, match="not a valid model name") as caught:
        library.model_folder(name)
    assert caught.value.message.isprintable() and len(caught.value.message) < 200


def test_folders_that_cannot_be_models_are_passed_over(home):
    put(home, "ffhq.partial")
    put(home, "ffhq")
    (home / "models" / "empty").mkdir()
    (home / "models" / "loop").symlink_to(home / "models" / "loop")
    (home / "models" / "file").write_text("x")
    assert library.available() == ["cats", "chairs", "demo", "ffhq"]


def test_a_home_that_cannot_be_read_leaves_the_embedded_model(home):
    home.write_text("a file")
    assert library.available() == ["cats", "chairs", "demo"] and library.model_folder("demo").is_dir()


def test_without_a_home_the_embedded_model_is_there(monkeypatch):
    monkeypatch.setenv("INV3D_HOME", "~nobody-of-this-name/models")
    assert library.available() == ["cats", "chairs", "demo"]
    with pytest.raises(UsageError, match="no home folder"):
        library.new_folder("ffhq", force=False)


def test_removing_a_link_leaves_what_it_points_to(home, tmp_path):
    put(home, "ffhq").rename(tmp_path / "elsewhere")
    (home / "models" / "ffhq").symlink_to(tmp_path / "elsewhere")
    library.remove("ffhq")
    assert not (home / "models" / "ffhq").is_symlink() and (tmp_path / "elsewhere" / "model.json").is_file()


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
