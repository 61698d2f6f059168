"""Resumable downloads from servers that may misbehave in any way."""

from __future__ import annotations

import os
import queue
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
from urllib3.exceptions import HTTPError

from inv3d.core.errors import ModelError, UsageError
from inv3d.core.files import write_whole
from inv3d.core.records import shown

Report = Callable[[int, int | None], None]
"""Called with the number of bytes received and the total (None if unknown)."""

LARGEST = 4 << 30  # bytes; no checkpoint is larger, but an endless response is
_CHUNK = 1 << 14
_ATTEMPTS = 4  # without progress
_PROGRESS = 1 << 16  # bytes that an attempt must bring to count
_TIMEOUT = 30.0  # seconds per chunk; anything below 550 bytes per second counts as stalled
_PAUSE = 0.2  # seconds between attempts
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")
_POINTER = b"version https://git-lfs"
_BY_HAND = "check that the address opens in a browser, then import the file with `inv3d models import`"
_ERRORS = (requests.RequestException, HTTPError, OSError, ValueError)
_FINAL = (requests.TooManyRedirects, requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)


class _Again(Exception):
    """This attempt failed; another one may succeed."""


@dataclass(frozen=True)
class _Answer:
    """The start of a server's response."""

    status: int
    headers: Mapping[str, str]

    def number(self, name: str, pattern: str = r"(\d{1,18})") -> int | None:
        """A number in a header; None if it is absent or invalid."""
        found = re.fullmatch(pattern, self.headers.get(name, ""), re.ASCII)
        return int(found[1]) if found else None


class Resuming:
    """A downloader for pooch that keeps received bytes in `part` and requests the rest of `size` bytes, if known."""

    def __init__(self, part: Path, size: int | None, report: Report) -> None:
        self.part, self.size, self.report = part, size, report
        self.version = part.with_name(part.name + ".version")  # the version of the file that the part belongs to

    def __call__(self, url: str, output_file: str, caller: Any) -> None:
        """Raises ModelError if the file cannot be had."""
        failures, reason, most = 0, "", self._have()
        while failures < _ATTEMPTS:
            try:
                self._continue(url, self._have())
                self.part.replace(output_file)
                self.version.unlink(missing_ok=True)
                return
            except _Again as error:
                reason = str(error)
            # a server that drops the connection after every few bytes, or restarts the file, must not block us forever
            failures = 0 if self._have() >= most + _PROGRESS else failures + 1
            most = max(most, self._have())
            time.sleep(_PAUSE)
        raise ModelError(
            f"{url} cannot be fetched: {reason} after {self._have() / 1e6:.1f} MB",
            "check the connection, then run the same command again to continue",
        )

    def _have(self) -> int:
        """The number of bytes received so far. Anything but a regular file is never written to."""
        if self.part.is_symlink():
            self.part.unlink()
        if not os.path.lexists(self.part):
            return 0
        if not stat.S_ISREG(self.part.lstat().st_mode):
            raise UsageError(f"{self.part} is in the way: it is not a file", "move it")
        if (size := self.part.stat().st_size) > (self.size or LARGEST):
            self._restart()
            return 0
        return size

    def _restart(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _continue(self, url: str, have: int) -> None:
        """Request the missing bytes; returns when the file is complete. Raises _Again or ModelError."""
        headers = {"Accept-Encoding": "identity"}
        known = self._known_version()
        if have and known:
            headers |= {"Range": f"bytes={have}-", "If-Range": known}
        pieces = _pieces(url, headers)
        answer = next(pieces)
        assert isinstance(answer, _Answer)
        resumed = self._accept(url, answer, have)
        length = answer.number("Content-Length")
        total = None if length is None else length + (have if resumed else 0)
        self._check_total(url, total)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        self._remember(version)
        with self._opened(resumed) as file:
            done = have if resumed else 0
            for piece in pieces:
                assert isinstance(piece, bytes)
                if not done:
                    _refuse_page(url, piece)
                done += len(piece)
                if done > (total or self.size or LARGEST):
                    file.close()
                    self._restart()
                    raise ModelError(f"{url} sends more bytes than announced", "import a file you trust instead")
                file.write(piece)
                self.report(done, total)
        if done != (self.size or total or done) or not done:
            raise _Again("the server sends less than it announced" if done else "the server sends nothing")

    def _accept(self, url: str, answer: _Answer, have: int) -> bool:
        """Whether the server continues where the part ends. Raises _Again, or ModelError if it sends no file at all."""
        if answer.status == 416 or (answer.status == 206 and not have):  # nothing left to send
            self._restart()
            raise _Again("the file on the server has changed")
        if answer.status == 429 or answer.status >= 500:
            raise _Again(f"the server answers {answer.status}")
        if answer.status not in (200, 206):
            raise ModelError(f"{url} cannot be fetched: the server answers {answer.status}", _BY_HAND)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ModelError(f"{url} cannot be fetched: the server compresses it", _BY_HAND)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise _no_checkpoint(url, "a web page")
        if answer.status == 206 and answer.number("Content-Range", r"bytes (\d{1,18})-.*") not in (have, None):
            self._restart()
            raise _Again("the server sends another part than the requested one")
        return answer.status == 206

    def _check_total(self, url: str, total: int | None) -> None:
        if total is not None and self.size is not None and total != self.size:
            raise ModelError(
                f"{url} has {total} bytes, not {self.size}",
                "the file on the server has changed; import one you trust instead",
            )
        if total is not None and total > LARGEST:
            raise ModelError(f"{url} has {total} bytes, more than any checkpoint", "import a file you trust instead")

    def _known_version(self) -> str:
        """The version that the server reported before; empty if unknown."""
        try:
            if not stat.S_ISREG(self.version.lstat().st_mode):
                return ""
            text = self.version.read_bytes()[:200].decode("ascii")
        except (OSError, ValueError):
            return ""
        return text if text.isprintable() else ""

    def _remember(self, version: str) -> None:
        """Weak validators do not identify the bytes."""
        if (
            version
            and version.isascii()
            and version.isprintable()
            and len(version) <= 200
            and not version.startswith("W/")
        ):
            with write_whole(self.version, replace=True) as part:
                part.write_text(version, encoding="ascii")
        else:
            self.version.unlink(missing_ok=True)

    def _opened(self, resumed: bool) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if resumed else os.O_TRUNC)
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.part, flags, 0o644), "wb")


def _refuse_page(url: str, start: bytes) -> None:
    text = start[:100].lstrip().lower()
    if text.startswith(_PAGES):
        raise _no_checkpoint(url, "a web page")
    if text.startswith(_POINTER):
        raise _no_checkpoint(url, "a Git LFS pointer")


def _no_checkpoint(url: str, what: str) -> ModelError:
    return ModelError(f"{url} sends {what}, not a checkpoint", _BY_HAND)


def _pieces(url: str, headers: dict[str, str]) -> Iterator[_Answer | bytes]:
    """The server's response, then its bytes. Raises _Again or ModelError.

    The network has a thread of its own: a server that drips bytes, at any stage, cannot block the caller.
    """
    arrived: queue.Queue[_Answer | bytes | Exception | None] = queue.Queue(maxsize=64)
    stop = threading.Event()

    def put(item: _Answer | bytes | Exception | None) -> None:
        while not stop.is_set():
            try:
                return arrived.put(item, timeout=0.5)
            except queue.Full:
                continue

    def receive() -> None:
        try:
            with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
                put(_Answer(response.status_code, response.headers))
                for piece in response.iter_content(_CHUNK):
                    put(piece)
                    if stop.is_set():
                        return
            put(None)
        except _ERRORS as error:
            put(error)

    threading.Thread(target=receive, name="download", daemon=True).start()
    try:
        while (item := _next(arrived)) is not None:
            if isinstance(item, _FINAL):
                raise ModelError(f"{url} cannot be fetched: {_reason(item)}", _BY_HAND) from item
            if isinstance(item, Exception):
                raise _Again(_reason(item)) from item
            yield item
    finally:
        stop.set()


def _next(arrived: queue.Queue[_Answer | bytes | Exception | None]) -> _Answer | bytes | Exception | None:
    try:
        return arrived.get(timeout=_TIMEOUT)
    except queue.Empty:
        raise _Again("the server sends too slowly") from None


def _reason(error: Exception) -> str:
    """A description of what went wrong with a connection."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (requests.TooManyRedirects, "the server redirects endlessly"),
        (requests.exceptions.InvalidSchema, "the server redirects to an address that is not HTTP"),
        (requests.exceptions.InvalidURL, "the address is not valid"),
        (requests.exceptions.SSLError, "the connection is not secure"),
        (requests.Timeout, "the server does not answer"),
        (requests.exceptions.ChunkedEncodingError, "the server sends less than it announced"),
        (requests.ConnectionError, "there is no connection"),
        (HTTPError, "the connection broke"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), shown(f"{type(error).__name__}: {error}"))
