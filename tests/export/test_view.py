import base64
import io
import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inv3d.core.editing.edits import Edit
from inv3d.core.head import Head
from inv3d.core.views import Views, to_array
from inv3d.export.formats import write_textured
from inv3d.export.sides import sides
from inv3d.export.view import EditPictures, edit_pictures, write_view
from tests.export.textures import textured_ball

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
YAWS = [-0.8, 0.0, 0.9]


def png() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    return picture.getvalue()


@pytest.fixture(scope="module")
def page(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_textured(textured_ball(), folder / "mesh.glb")
    renders = [np.full((64, 64, 3), level, np.uint8) for level in (40, 120, 200)]
    targets = Views(torch.zeros(2, 3, 64, 64), sides(head, [(-30.0, 0.0), (30.0, 0.0)]), (0, 9), (0.0, 0.3))
    name = "a</script><b>@DATA@ ü.mp4"
    for other in ("orbit.mp4", "report #1.html", "views/00-pair.png"):
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_bytes(png())
    edits = [EditPictures("smile", (-1.5, 0.0, 1.5), renders), EditPictures("</script>", (0.0, 2.0), renders[1:], at=2.0)]
    write_view(folder / "view.html", name, head, (folder / "mesh.glb").read_bytes(), YAWS, renders, targets, edits)
    return folder / "view.html"


def data(page: Path) -> dict[str, Any]:
    (text,) = re.findall(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.S)
    return json.loads(text)


def test_everything_is_in_one_file(page, head):
    content = data(page)
    assert base64.b64decode(content["mesh"]) == page.with_name("mesh.glb").read_bytes()
    assert [item["yaw"] for item in content["renders"]] == pytest.approx(np.degrees(YAWS), abs=0.01)
    assert [item["yaw"] for item in content["frames"]] == pytest.approx([-30, 30], abs=0.01)
    assert content["codes"] == pytest.approx(head.track.yaws.rad2deg().tolist())
    assert all(item["src"].startswith("data:image/jpeg;base64,") for item in content["renders"] + content["frames"])
    smile, other = content["edits"]
    assert (smile["name"], other["name"]) == ("smile", "</script>")
    assert [step["strength"] for step in smile["steps"]] == [-1.5, 0.0, 1.5] and len(other["steps"]) == 2
    assert all(step["src"].startswith("data:image/jpeg;base64,") for step in smile["steps"])


def test_it_knows_what_lies_beside_it(page):
    content = data(page)
    assert content["files"] == [{"name": name, "size": len(png())} for name in ("orbit.mp4", "report #1.html")]
    assert content["picture"] == "views/00-pair.png"


def test_nothing_is_fetched_and_names_are_escaped(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|@)[^"]', text)
    assert "a&lt;/script&gt;&lt;b&gt;@DATA@ ü.mp4" in text and not re.search("@(NAME|NOTE|RENDER|SCRIPT)@", text)
    assert "three.js authors" in (Path(__file__).parents[2] / "inv3d/export/page/three.LICENSE").read_text().lower()


def test_a_long_orbit_is_thinned_out(head, tmp_path):
    renders, yaws = [np.zeros((16, 16, 3), np.uint8)] * 49, np.linspace(-1, 1, 49).tolist()
    targets = Views(torch.zeros(1, 3, 16, 16), sides(head, [(0.0, 0.0)]), (0,), (0.0,))
    write_view(tmp_path / "view.html", "x", head, b"", yaws, renders, targets)
    shown = [item["yaw"] for item in data(tmp_path / "view.html")["renders"]]
    assert len(shown) == 25 and shown[0] == pytest.approx(-57.3, abs=0.1) and shown[-1] == pytest.approx(57.3, abs=0.1)


def test_edits_are_pictured_from_none_to_their_own_strengths(head):
    space, step = head.generator.code_space, torch.ones(head.generator.code_space.num_ws, head.generator.code_space.w_dim)
    older = Edit("age", -2.0, 0, space.num_ws - 1, -0.2 * step)
    edited = head.edited([older, Edit("smile", 1.0, 0, space.num_ws - 1, 0.1 * step)])
    age, smile = edit_pictures(edited, 16)
    assert list(age.strengths) == [-2.0, -1.5, -1.0, -0.5, 0.0] and (age.at, smile.at) == (-2.0, 1.0)
    assert list(smile.strengths) == [0.0, 0.25, 0.5, 0.75, 1.0]
    own = to_array(edited.render(edited.camera(torch.zeros(1), torch.zeros(1)), 16).image[0]).astype(int)
    off = [np.abs(picture - own).mean() for picture in (age.pictures[0], smile.pictures[-1], age.pictures[-1])]
    assert max(off[:2]) < 1 and off[2] > 3  # the head itself; and without an edit
    assert len(edit_pictures(head.edited([older] * 9), 4)) == 6  # more sliders would take too long


def test_a_page_without_a_mesh_and_frames(head, tmp_path):
    write_view(tmp_path / "view.html", "x", head, b"", [0.0], [np.zeros((16, 16, 3), np.uint8)])
    content = data(tmp_path / "view.html")
    assert content["mesh"] == "" and content["frames"] == content["edits"] == [] and content["picture"] is None


def browse(page: Path, folder: Path, script: str, *options: str) -> dict[str, Any]:
    """What ``script``, once the page is ready in Chromium, makes of it with ``tell``.

    The page is opened from disk and tells it to a server here: in the
    browser's own time, however slow the machine, where a time that
    passes by itself runs out before pictures are decoded.
    """
    told: list[bytes] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.timeout = 240
        hands = HANDS.replace("@SCRIPT@", script).replace("@ADDRESS@", f"http://127.0.0.1:{server.server_port}/")
        text = page.read_text(encoding="utf-8").replace("<noscript>", f"<script>{hands}</script><noscript>")
        (folder / "view.html").write_text(text, encoding="utf-8")
        browser = subprocess.Popen([
            str(CHROMIUM), "--headless=new", "--no-sandbox", f"--user-data-dir={folder / 'profile'}",
            "--disable-features=LocalNetworkAccessChecks", "--remote-debugging-port=0",
            "--window-size=900,700", *options, (folder / "view.html").as_uri(),
        ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            server.handle_request()
        finally:
            browser.terminate()
            browser.wait(timeout=120)
    assert told, "the page was not ready within four minutes"
    return json.loads(told[0])


HANDS = """
const tell = (seen) => fetch("@ADDRESS@", { method: "POST", mode: "no-cors", body: JSON.stringify(seen) });
new MutationObserver((_, observer) => {
  if (!document.body.classList.contains("ready")) return;
  observer.disconnect();
  @SCRIPT@
}).observe(document.body, { attributes: true });
"""
GRAPHICS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
TURNED = """
  const canvas = document.getElementById("canvas"), seen = [];
  const look = () => seen.push([canvas.toDataURL(), document.getElementById("yaw").value]);
  canvas.setPointerCapture = canvas.releasePointerCapture = () => {};
  const pointer = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, clientX: x, clientY: 200, pageX: x, pageY: 200, button: 0, bubbles: true, pointerType: "mouse" }));
  look();
  pointer("pointerdown", 200); pointer("pointermove", 260); pointer("pointerup", 260);
  look();
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  look();
  for (const name of ["wireframe", "depth", "lit"]) {
    document.getElementById("show").value = name;
    document.getElementById("show").dispatchEvent(new Event("change"));
    look();
  }
  const pictures = new Set(seen.map((pair) => pair[0])).size;
  tell({ pictures, yaws: seen.map((pair) => Number(pair[1])), body: document.body.className });
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_head_is_turned_by_mouse_and_keyboard(page, tmp_path):
    seen = browse(page, tmp_path, TURNED, *GRAPHICS)
    assert seen["pictures"] == 6  # each is another
    start, dragged, pressed = seen["yaws"][:3]
    assert dragged < start - 5 and pressed > dragged + 3
    assert "plain" not in seen["body"]


TOUCHED = """
  const canvas = document.getElementById("canvas"), find = (query) => [...document.querySelectorAll(query)];
  canvas.setPointerCapture = canvas.releasePointerCapture = () => {};
  const touch = (kind, pointerId, x) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId, clientX: x, clientY: 200, bubbles: true, pointerType: "touch" }));
  const covered = () => {
    const copy = new OffscreenCanvas(64, 64).getContext("2d");
    copy.drawImage(canvas, 0, 0, 64, 64);
    return copy.getImageData(0, 0, 64, 64).data.filter((value, i) => i % 4 == 3 && value > 128).length;
  };
  const yaw = () => Number(document.getElementById("yaw").value);
  const yaws = [yaw()], areas = [covered()];
  touch("pointerdown", 1, 150); touch("pointermove", 1, 200); touch("pointerup", 1, 200);
  yaws.push(yaw());
  touch("pointerdown", 1, 150); touch("pointerdown", 2, 200);
  touch("pointermove", 1, 130); touch("pointermove", 2, 220);
  touch("pointerup", 1, 130); touch("pointerup", 2, 220);
  areas.push(covered());
  const edited = [], show = () => edited.push([document.getElementById("edited-as").textContent, document.getElementById("edited").src,
    find("#strengths output").map((output) => output.textContent)]);
  const slide = (slider, step) => { slider.value = step; slider.dispatchEvent(new Event("input")); show(); };
  const [smile, other] = find("#strengths input");
  show(); slide(smile, 0); slide(other, 0);
  const page = document.documentElement, links = () => find("#files a").map((link) => link.textContent);
  const finish = () => tell({ yaws, areas, edited, links: links(), wide: [page.scrollWidth, innerWidth],
    beside: document.getElementById("turning").offsetTop == document.querySelector("main > section:nth-child(2)").offsetTop });
  (function wait() { links().length > 1 ? finish() : setTimeout(wait, 20); })();
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_on_a_small_screen_it_is_turned_by_touch_and_shows_edits(page, tmp_path):
    """And links the files beside it."""
    folder = shutil.copytree(page.parent, tmp_path / "folder")
    seen = browse(page, folder, TOUCHED, *GRAPHICS, "--window-size=390,844")
    wide, screen = seen["wide"]
    assert wide <= screen < 600 and not seen["beside"]  # one below the other, nothing cut off
    assert seen["yaws"][1] < seen["yaws"][0] - 5
    assert seen["areas"][1] > 1.2 * seen["areas"][0] > 0  # two fingers apart: nearer
    captions, pictures, strengths = zip(*seen["edited"], strict=True)
    assert captions == ("smile 0, </script> +2", "smile \u22121.5, </script> +2", "smile 0, </script> 0") and len(set(pictures)) == 2
    assert strengths == (["0", "+2"], ["\u22121.5", "+2"], ["0", "0"])  # one edit at a time, from where the head is
    assert seen["links"] == ["mesh.glb", "orbit.mp4", "report #1.html"]


PLAIN = """
  const probe = new Image();
  probe.onload = probe.onerror = () => tell({
    body: document.body.className,
    render: document.getElementById("render").src,
    codes: document.querySelectorAll('[title^="latent code"]').length,
    edits: document.querySelectorAll("#strengths input").length,
    links: [...document.querySelectorAll("#files a")].map((link) => link.textContent),
  });
  probe.src = "views/00-pair.png";
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_without_3d_graphics_the_pictures_remain(page, tmp_path):
    seen = browse(page, tmp_path, PLAIN, "--disable-3d-apis")
    assert "plain" in seen["body"]
    assert seen["render"].startswith("data:image/jpeg") and seen["codes"] == 3 and seen["edits"] == 2
    assert seen["links"] == ["mesh.glb"]  # the page was moved alone: the others are not beside it
