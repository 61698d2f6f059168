"""Downloads from a local server that behaves badly in every way that servers do."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inv3d import fetch as fetching
from inv3d.core.errors import ModelError
from inv3d.fetch import Entry, catalogue, entry, fetch

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves DATA; `behaviour` says how."""

    behaviour = "well"
    data = DATA
    version = "one"
    requests: list[str | None]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.pkl"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, data = self.server, self.server.data
        server.requests.append(self.headers.get("Range"))
        if server.behaviour == "gone":
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and server.behaviour != "no ranges" and self.headers.get("If-Range") == server.version:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        claimed = len(data) - start + (1000 if server.behaviour == "lies" else 0)
        if server.behaviour != "endless":
            self.send_header("Content-Length", str(claimed))
        self.send_header("ETag", server.version)
        self.end_headers()
        if server.behaviour == "endless":
            while True:
                try:
                    self.wfile.write(data)
                except OSError:
                    return
        piece = data[start : start + 300_000] if server.behaviour in ("drops", "no ranges") else data[start:]
        self.wfile.write(piece)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    monkeypatch.delenv("INV3D_OFFLINE", raising=False)
    return tmp_path


def wanted(server: Server, sha256: str | None = None, size: int | None = None) -> Entry:
    return Entry("x", server.address, "free", sha256 or hashlib.sha256(DATA).hexdigest(), size)


def get(item: Entry) -> bytes:
    return fetch(item, False, lambda done, total: None).read_bytes()


def left_behind(home: Path) -> set[str]:
    return {path.name for path in (home / "downloads").iterdir()}


def test_a_good_server(server, home):
    told = []
    file = fetch(wanted(server, size=len(DATA)), False, lambda done, total: told.append((done, total)))
    assert file.read_bytes() == DATA and told[-1] == (len(DATA), len(DATA))
    assert left_behind(home) == {"x.pkl"}
    server.behaviour = "gone"
    assert get(wanted(server)) == DATA  # it is there already


def test_dropped_connections_go_on(server, home):
    server.behaviour = "drops"
    assert get(wanted(server)) == DATA
    starts = [int(asked.removeprefix("bytes=")[:-1]) for asked in server.requests[1:]]
    assert server.requests[0] is None and len(starts) > 2 and starts == sorted(set(starts)) and starts[0] > 0
    assert left_behind(home) == {"x.pkl"}


def test_a_stopped_download_goes_on_in_another_call(server, home):
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(wanted(server), False, stop)
    kept = (home / "downloads" / "x.pkl.part").stat().st_size
    assert 0 < kept <= len(DATA)
    server.requests.clear()
    assert get(wanted(server)) == DATA
    assert server.requests[0] == f"bytes={kept}-"


def test_a_file_that_changed_in_between_is_begun_anew(server, home):
    (home / "downloads").mkdir()
    (home / "downloads" / "x.pkl.part").write_bytes(b"old" * 1000)
    (home / "downloads" / "x.pkl.part.version").write_text("zero")
    assert get(wanted(server)) == DATA


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("lies", "cannot be fetched"),
        ("no ranges", "cannot be fetched"),
        ("gone", "answers 404"),
        ("endless", "more than"),
    ],
)
def test_bad_servers_are_told(server, home, behaviour, message, monkeypatch):
    monkeypatch.setattr(fetching, "_LARGEST", 4 * len(DATA))
    server.behaviour = behaviour
    with pytest.raises(ModelError, match=message):
        get(wanted(server))
    assert "x.pkl" not in left_behind(home)


def test_another_hash_or_size_is_refused(server, home):
    with pytest.raises(ModelError, match="SHA-256 differs"):
        get(wanted(server, sha256="0" * 64))
    assert left_behind(home) == set()
    with pytest.raises(ModelError, match="bytes, not 5"):
        get(wanted(server, size=5))


def test_offline_never_asks(server, home, monkeypatch):
    with pytest.raises(ModelError, match="fetching is off") as caught:
        fetch(wanted(server), True, lambda done, total: None)
    assert str(home / "downloads" / "x.pkl") in caught.value.hint
    monkeypatch.setenv("INV3D_OFFLINE", "1")
    with pytest.raises(ModelError, match="fetching is off"):
        get(wanted(server))
    (home / "downloads").mkdir()
    (home / "downloads" / "x.pkl").write_bytes(b"something else")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        get(wanted(server))
    assert server.requests == []


def test_the_catalogue_can_be_extended(home):
    assert {"ffhq", "afhqcats", "shapenetcars"} <= catalogue().keys()
    own = {"name": "ours", "address": "https://models.example/ours.pkl", "license": "free"}
    (home / "catalogue.json").write_text(json.dumps([own]))
    assert entry("ours").address == own["address"]
    with pytest.raises(ModelError, match="no model 'theirs'"):
        entry("theirs")
    (home / "catalogue.json").write_text(json.dumps([{"nome": "x"}]))
    with pytest.raises(ModelError, match="damaged"):
        catalogue()
