import pytest

from inv3d.cli.figures import figures, likeness, remarks_on, spent

MEANS = {
    "mse": 0.01, "psnr": 23.14, "ms_ssim": 0.9123, "perceptual": 0.2, "identity": 0.953, "lpips": None,
    "face_distance": None, "face_lost": 0,
}  # fmt: skip
JUDGED = {**MEANS, "identity": None, "lpips": 0.2134, "face_distance": 0.512, "face_lost": 2}
BLIND = {**MEANS, "identity": None}


def run(means, outside=False, perceptual="lpips-alex"):
    return {"outside": outside, "perceptual": perceptual, "means": {"held_out": None, "fit": means}}


def test_figures_that_no_judge_can_tell_are_left_out():
    assert figures(MEANS) == "PSNR 23.1 dB, MS-SSIM 0.912, ID 0.95"
    expected = "PSNR 23.1 dB, MS-SSIM 0.912, LPIPS 0.213, face distance 0.51, no face in 2 renders"
    assert figures(JUDGED) == expected
    assert figures(BLIND) == "PSNR 23.1 dB, MS-SSIM 0.912"
    assert [likeness(means) for means in (MEANS, JUDGED, BLIND)] == ["ID 0.95", "face 0.51", ""]
    assert likeness({**JUDGED, "identity": 0.95}) == "face 0.51"  # the independent judge first


@pytest.mark.parametrize(
    ("finished", "told"),
    [
        (run(JUDGED), ["face distance of 0.6"]), (run(MEANS), ["own judge"]), (run(BLIND), []),
        (run(BLIND, outside=True), ["nothing like these pictures"]), (run(JUDGED, perceptual="own"), ["0.6", "LPIPS"]),
    ],
)  # fmt: skip
def test_what_the_figures_mean_is_told(finished, told):
    remarks = list(remarks_on(finished))
    assert len(remarks) == len(told)
    assert all(part in remark for part, remark in zip(told, remarks, strict=True))


def test_the_memory_of_a_device_is_told_if_there_is_one():
    run = {"total_seconds": 76.6, "peak_memory_mb": 1434.0, "peak_device_memory_mb": 0.0}
    assert spent(run) == "77 s, peak memory 1.4 GB"
    assert spent({**run, "peak_device_memory_mb": 3277.0}) == "77 s, peak memory 1.4 GB, of the device 3.2 GB"
