import json
import webbrowser

import pytest

from inv3d.cli.view import view
from inv3d.core.errors import InputError


@pytest.mark.parametrize("display", [True, False])
def test_the_page_is_opened_or_its_path_is_printed(tmp_path, monkeypatch, capsys, display):
    (tmp_path / "view.html").touch()
    asked = []

    def opened(address):
        asked.append(address)
        return display

    monkeypatch.setattr(webbrowser, "open", opened)
    view(tmp_path, as_json=True)
    out = capsys.readouterr()
    assert asked == [(tmp_path / "view.html").as_uri()] and str(tmp_path / "view.html") in out.err
    assert json.loads(out.out) == {"page": str(tmp_path / "view.html"), "opened": display}


def test_a_machine_without_browsers_prints_the_path(tmp_path, monkeypatch, capsys):
    def fail(address: str) -> bool:
        raise webbrowser.Error("could not locate runnable browser")

    (tmp_path / "view.html").touch()
    monkeypatch.setattr(webbrowser, "open", fail)
    view(tmp_path)
    assert capsys.readouterr().out.strip() == f"open in a browser: {tmp_path / 'view.html'}"


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"view\.html is missing"):
        view(tmp_path)
