import base64
import io

import numpy as np
from PIL import Image

from inv3d.batch import page
from inv3d.batch.job import Result
from inv3d.batch.page import thumbnail, write_page
from inv3d.batch.summary import row_of

from .heads import job, write_head


def test_a_page_of_thumbnails_that_needs_nothing_but_itself(tmp_path):
    good, bad = job(tmp_path, "team/an <b>"), job(tmp_path, "bad")
    write_head(good.out)
    rows = [row_of(good, Result(good, seconds=70.0)), row_of(bad, Result(bad, 3, "no <head>", "film one"))]
    write_page(tmp_path / "index.html", "heads & more", rows)
    text = (tmp_path / "index.html").read_text()
    assert 'href="team/an%20%3Cb%3E/report.html"' in text and "an &lt;b&gt;" in text and "<b>" not in text
    assert "no &lt;head&gt;" in text and "heads &amp; more" in text and "30.5 dB, 60 s" in text
    assert text.count("data:image/jpeg;base64,") == 1 and "http" not in text and "<script" not in text
    assert "1 finished, 1 failed" in text


def test_a_thumbnail_shows_the_head_from_the_front(tmp_path):
    write_head(tmp_path / "a")
    with Image.open(io.BytesIO(base64.b64decode(thumbnail(tmp_path / "a")))) as picture:
        assert picture.size == (128, 64)
        assert abs(int(np.asarray(picture.convert("L"))[5, 5]) - 200) < 5  # of the two views, the one nearest to the front
    (tmp_path / "a" / "views" / "01-pair.png").write_text("no picture")
    assert thumbnail(tmp_path / "a") == thumbnail(tmp_path / "none") == ""


def test_a_page_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_SHOWN", 2)
    jobs = [job(tmp_path, name) for name in "abc"]
    for each in jobs:
        write_head(each.out)
    write_page(tmp_path / "index.html", "heads", [row_of(each, Result(each)) for each in jobs])
    text = (tmp_path / "index.html").read_text()
    assert text.count("data:image/jpeg") == 2 and "1 more are listed" in text
