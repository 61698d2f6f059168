"""Downloads from a local server that behaves badly in every way that servers do."""

import contextlib
import gzip
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from inv3d import download
from inv3d.core.errors import Inv3dError, ModelError, UsageError
from inv3d.core.lock import held
from inv3d.fetch import Entry, catalogue, entry, fetch

DATA = bytes(range(256)) * 4000


DRIP = b"<drip>"
HTML = b"<!DOCTYPE html><title>Please log in</title>" + 5000 * b" "
OK = b"HTTP/1.0 200 OK\r\n"
ODD = {
    "negative": OK + b"Content-Length: -5\r\n\r\n" + DATA,
    "nonsense": OK + b"Content-Length: ten\r\n\r\n" + DATA,
    "none": OK + b"\r\n" + DATA,
    "huge": OK + b"Content-Length: 99999999999999999\r\n\r\n" + DATA,
    "drips": OK + b"Content-Length: 1000000\r\n\r\n" + DRIP,
    "drips chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + DRIP,
    "drips headers": OK + b"X-Long: " + DRIP,
    "drips status": b"HTTP/1.0 200 " + DRIP,
    "loop": b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:PORT/model.pkl\r\n\r\n",
    "to a file": b"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "page": OK + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + HTML,
    "page as data": OK + b"Content-Type: application/octet-stream\r\n\r\n\n " + HTML,
    "pointer": OK + b"\r\nversion https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "compressed": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(DATA),
    "empty": OK + b"Content-Length: 0\r\n\r\n",
    "nothing": b"",
    "noise": bytes(range(256)),
    "range not asked for": b"HTTP/1.0 206 Partial\r\nContent-Range: bytes 5-9/10\r\n\r\nabcde",
    "other range": b"HTTP/1.0 206 Partial\r\nContent-Range: bytes 5-9/10\r\n\r\nabcde",
    "crumbs": b"HTTP/1.0 206 Partial\r\nContent-Length: 500000\r\n\r\nab",
}


class Server(ThreadingHTTPServer):
    """Serves DATA; `behaviour` says how."""

    behaviour = "well"
    data = DATA
    version = "one"
    requests: list[str | None]
    stopped: threading.Event

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
        if server.behaviour == "busy" and len(server.requests) == 1:
            self.send_error(503)
            return
        if server.behaviour in ODD:
            self.odd(ODD[server.behaviour])
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

    def odd(self, answer: bytes) -> None:
        """An answer byte for byte; after `DRIP` one byte now and then."""
        start, drip, _ = answer.partition(DRIP)
        self.wfile.write(start.replace(b"PORT", str(self.server.server_address[1]).encode()))
        with contextlib.suppress(OSError):
            while drip and not self.server.stopped.wait(0.05):
                self.wfile.write(b"x")
                self.wfile.flush()
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests, running.stopped = [], threading.Event()
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield running
        running.stopped.set()
        running.shutdown()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    monkeypatch.delenv("INV3D_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TIMEOUT", 0.4)
    monkeypatch.setattr(download, "_PAUSE", 0.0)


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
        ("endless", "more bytes"),
    ],
)
def test_bad_servers_are_told(server, home, behaviour, message, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 4 * len(DATA))
    server.behaviour = behaviour
    with pytest.raises(ModelError, match=message):
        get(wanted(server))
    assert "x.pkl" not in left_behind(home)


@pytest.mark.parametrize("behaviour", ["negative", "nonsense", "none"])
def test_a_length_that_says_nothing_is_not_believed(server, behaviour):
    server.behaviour = behaviour
    assert get(wanted(server)) == DATA


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("huge", "has 99999999999999999 bytes"),
        ("drips", "too slowly after 0.0 MB"),
        ("drips chunks", r"too slowly|announced|connection"),
        ("drips headers", r"too slowly|does not answer"),
        ("drips status", r"too slowly|does not answer"),
        ("loop", "redirects endlessly"),
        ("to a file", "redirects to an address that is not HTTP"),
        ("page", "sends a web page"),
        ("page as data", "sends a web page"),
        ("pointer", "sends a Git LFS pointer"),
        ("compressed", "compresses it"),
        ("empty", "sends nothing"),
        ("nothing", "no connection"),
        ("noise", "no connection"),
        ("range not asked for", "has changed"),
    ],
)
def test_odd_servers_are_told_soon(server, home, behaviour, message):
    server.behaviour = behaviour
    start = time.monotonic()
    with pytest.raises(ModelError, match=message) as caught:
        get(wanted(server))
    assert time.monotonic() - start < 8.0 and caught.value.message.isprintable()
    kept = {path.name: path.stat().st_size for path in (home / "downloads").iterdir()}
    assert not kept.pop("x.pkl.part", 0) and not kept


@pytest.mark.parametrize("behaviour", ["other range", "crumbs"])
def test_a_part_grows_by_what_was_asked_for_alone(server, home, behaviour):
    server.behaviour = behaviour
    begun(home)
    with pytest.raises(ModelError, match="cannot be fetched"):
        get(wanted(server))
    assert len(server.requests) < 9


def begun(home: Path) -> Path:
    """A part of the file of the test's server."""
    (home / "downloads").mkdir()
    part = home / "downloads" / "x.pkl.part"
    part.write_bytes(DATA[:100_000])
    part.with_name("x.pkl.part.version").write_text(Server.version)
    return part


def test_a_busy_server_is_asked_again(server):
    server.behaviour = "busy"
    assert get(wanted(server)) == DATA and len(server.requests) == 2


@pytest.mark.parametrize("name", ["x.pkl", "x.pkl.part", "x.pkl.part.version"])
def test_links_are_never_written_through(server, home, name, tmp_path):
    part = begun(home)
    other = tmp_path / "other"
    if name != "x.pkl":  # a link to nothing, for the file itself: one to a file is a file that is there
        other.write_bytes(b"precious")
    part.with_name(name).unlink(missing_ok=True)
    part.with_name(name).symlink_to(other)
    assert get(wanted(server)) == DATA
    assert not other.exists() if name == "x.pkl" else other.read_bytes() == b"precious"
    assert left_behind(home) == {"x.pkl"} and not (home / "downloads" / "x.pkl").is_symlink()


@pytest.mark.parametrize("name", ["x.pkl", "x.pkl.part"])
def test_what_is_no_file_is_in_the_way(server, home, name):
    begun(home).unlink()
    os.mkfifo(home / "downloads" / name)
    with pytest.raises(Inv3dError, match="not a file"):
        get(wanted(server))


def test_a_part_larger_than_the_file_is_begun_anew(server, home):
    begun(home).write_bytes(2 * DATA)
    assert get(wanted(server, size=len(DATA))) == DATA


def test_another_hash_or_size_is_refused(server, home):
    with pytest.raises(ModelError, match="SHA-256 differs"):
        get(wanted(server, sha256="0" * 64))
    assert left_behind(home) == set()
    with pytest.raises(ModelError, match="bytes, not 5"):
        get(wanted(server, size=5))


@pytest.mark.parametrize("place", ["", "downloads"])
def test_a_home_that_cannot_be_written_is_an_error_of_the_system(place, server, home, monkeypatch):
    monkeypatch.setenv("INV3D_HOME", str(home / "own"))
    (home / "own" / place).parent.mkdir(exist_ok=True)
    (home / "own" / place).write_text("a file")
    with pytest.raises(OSError) as caught:
        get(wanted(server))
    assert caught.value.strerror and server.requests == []


def test_offline_never_asks(server, home, monkeypatch):
    with pytest.raises(ModelError, match="downloads are disabled") as caught:
        fetch(wanted(server), True, lambda done, total: None)
    assert str(home / "downloads" / "x.pkl") in caught.value.hint
    monkeypatch.setenv("INV3D_OFFLINE", "1")
    with pytest.raises(ModelError, match="downloads are disabled"):
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


SOUND = {"name": "ours", "address": "https://models.example/ours.pkl", "license": "free"}


@pytest.mark.parametrize(
    "content",
    [
        {}, 3, "x", None, [3], [[]], [SOUND, {}], [SOUND | {"nome": "x"}], [SOUND | {"name": "../x"}], [SOUND | {"name": ""}],
        [SOUND | {"size": -1}], [SOUND | {"size": 10**20}], [SOUND | {"focal": float("nan")}], [SOUND | {"sha256": "x"}],
        [SOUND | {"faces": 1}], [SOUND | {"license": ["x"]}], [SOUND | {"license": "x" * 10**5}],
        *([SOUND | {"address": address}] for address in ("file:///etc/passwd", "http://", "http://[", "x", "http://a\n", "http://a:x/")),
    ],
)  # fmt: skip
def test_a_damaged_catalogue_is_refused(content, home):
    (home / "catalogue.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="damaged") as caught:
        catalogue()
    assert caught.value.message.isprintable()


def test_a_catalogue_of_countless_faults_is_refused_at_the_first(home):
    (home / "catalogue.json").write_text("[" + "[]," * 80_000 + "[]]")
    with pytest.raises(ModelError, match="damaged") as refused:
        catalogue()
    cause = refused.value.__cause__
    assert isinstance(cause, ValidationError) and cause.error_count() == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"a":' * 50_000, "", " " * 2**21, "\ufeff[]"])
def test_a_catalogue_that_is_no_json_is_refused(text, home):
    (home / "catalogue.json").write_text(text)
    with pytest.raises(ModelError, match=r"catalogue.json is (damaged|too large)"):
        catalogue()


def test_only_one_process_fetches_a_file(server, home):
    (home / "downloads").mkdir()
    with held(home / "downloads" / "x.pkl.lock", home), pytest.raises(UsageError, match="another run"):
        get(wanted(server))
    assert get(wanted(server)) == DATA and left_behind(home) == {"x.pkl"}
