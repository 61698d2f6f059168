import numpy as np

from inv3d.video.decode import probe
from inv3d.video.write import write_mp4


def test_a_colon_in_a_name_is_part_of_the_name(tmp_path, monkeypatch):
    (tmp_path / "a:b").mkdir()
    monkeypatch.chdir(tmp_path)
    write_mp4((tmp_path / "a:b" / "c:d.mp4").relative_to(tmp_path), [np.zeros((64, 64, 3), np.uint8)] * 2, 10)
    assert probe(tmp_path / "a:b" / "c:d.mp4").frames == 2
