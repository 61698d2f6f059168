import csv

from inv3d.batch.job import Job, Result
from inv3d.batch.summary import row_of, write_summary

from .heads import job, write_head


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_job_with_the_figures_of_its_head(tmp_path):
    good, bad, left = (job(tmp_path, name, "--seed", "1") for name in ("good", "bad", "left"))
    write_head(good.out)
    results = (Result(good, 0, "", "", 2, 70.0, 65.5, "here:1"), Result(bad, 3, "no head was found", "film one", 1, 5.0), None)
    write_summary(tmp_path / "summary.csv", [row_of(*pair) for pair in zip((good, bad, left), results, strict=True)])
    first, second, third = table(tmp_path / "summary.csv")
    assert (first["state"], first["exit_code"], first["attempts"], first["cpu_seconds"]) == ("finished", "0", "2", "65.5")
    assert (first["fit_seconds"], first["psnr"], first["lpips"], first["device"]) == ("60.0", "30.5", "", "cpu")
    assert int(first["bytes"]) == sum(path.stat().st_size for path in good.out.rglob("*") if path.is_file())
    assert (second["state"], second["message"], second["psnr"], second["command"]) == ("failed", "no head was found", "", "video --seed 1")
    assert (third["state"], third["exit_code"]) == ("unfinished", "")


def test_figures_of_fitted_views_where_there_are_no_others(tmp_path):
    photo = job(tmp_path, "photo")
    write_head(photo.out, means={"held_out": None, "fit": {"psnr": 33.0}})
    assert row_of(photo, Result(photo)).psnr == 33.0
    (photo.out / "run.json").write_text("{")
    assert row_of(photo, Result(photo)).psnr is None


def test_names_are_no_formulas_and_need_not_be_utf8(tmp_path):
    odd = Job("=1+1", "video", (tmp_path / "\udcff.mp4",), (), tmp_path / "x")
    write_summary(tmp_path / "summary.csv", [row_of(odd, None)])
    (row,) = table(tmp_path / "summary.csv")
    assert row["head"] == "'=1+1" and "udcff" in row["input"]
