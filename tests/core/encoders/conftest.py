import pytest

from inv3d.core import library


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model's folder in a library of its own."""
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.json").touch()
    return tmp_path / "small"
