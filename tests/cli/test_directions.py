import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from inv3d.core.bundle import load_bundle
from inv3d.core.editing.directions import FILE
from inv3d.core.library import EMBEDDED, installed
from tests.e2e.commands import fails, here


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A model that can be changed: a copy of the embedded one."""
    folder = installed() / "people-copy"
    shutil.copytree(EMBEDDED / "demo", folder)
    (folder / FILE).unlink()
    yield folder
    shutil.rmtree(folder)


def saved(path, name="Smile.pt", rows=10):
    torch.save(torch.randn(rows, 256, generator=torch.Generator().manual_seed(1)), path / name)
    return path / name


def test_imported_directions_can_be_used(imported, tmp_path):
    done = here("models", "import-directions", saved(tmp_path), saved(tmp_path, "age.pt"), "--model", imported.name, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["directions"] == ["smile", "age"]
    found = load_bundle(imported.name).directions
    assert found is not None and [each.name for each in found] == ["smile", "age"] and found["smile"].step.shape == (10, 256)
    fails(2, "already has a direction 'age'", "models", "import-directions", tmp_path / "age.pt", "--model", imported.name)
    again = ("models", "import-directions", tmp_path / "age.pt", "--model", imported.name)
    assert here(*again, "--force").returncode == 0 and here(*again, "--as", "years").returncode == 0
    found = load_bundle(imported.name).directions
    assert found is not None and [each.name for each in found] == ["smile", "age", "years"]


def test_files_that_cannot_be_used_change_nothing(imported, tmp_path):
    before = load_file(imported / FILE) if (imported / FILE).exists() else None
    wrong = saved(tmp_path, "wrong.pt", rows=14)
    fails(4, "it has shape [14, 256]", "models", "import-directions", saved(tmp_path), wrong, "--model", imported.name, "--force")
    fails(4, "is missing", "models", "import-directions", tmp_path / "none.pt", "--model", imported.name)
    fails(4, "no model named", "models", "import-directions", saved(tmp_path), "--model", "nobody")
    fails(2, "embedded model 'demo' cannot be changed", "models", "import-directions", saved(tmp_path), "--model", "demo")
    fails(2, "one name for 2 files", "models", "import-directions", wrong, wrong, "--model", imported.name, "--as", "a")
    after = load_file(imported / FILE) if (imported / FILE).exists() else None
    if before is None:
        assert after is None
    else:
        assert after is not None and before["steps"].equal(after["steps"])
