from inv3d.cli.figures import figures, likeness, remarks_on

MEANS = {
    "mse": 0.01, "psnr": 23.14, "ms_ssim": 0.9123, "perceptual": 0.2, "identity": 0.953, "lpips": None,
    "face_distance": None, "face_lost": 0,
}  # fmt: skip
JUDGED = {**MEANS, "identity": None, "lpips": 0.2134, "face_distance": 0.512, "face_lost": 2}
BLIND = {**MEANS, "identity": None}


def run(means, photographs=True, perceptual="lpips-alex"):
    return {"photographs": photographs, "perceptual": perceptual, "means": {"held_out": None, "fit": means}}


def test_figures_that_no_judge_can_tell_are_left_out():
    assert figures(MEANS) == "PSNR 23.1 dB, MS-SSIM 0.912, ID 0.95"
    expected = "PSNR 23.1 dB, MS-SSIM 0.912, LPIPS 0.213, face distance 0.51, no face in 2 renders"
    assert figures(JUDGED) == expected
    assert figures(BLIND) == "PSNR 23.1 dB, MS-SSIM 0.912"
    assert [likeness(means) for means in (MEANS, JUDGED, BLIND)] == ["ID 0.95", "face 0.51", ""]


def test_renders_need_no_remark():
    assert list(remarks_on(run(MEANS, photographs=False))) == []


def test_photographs_are_named_with_the_network_and_what_the_figures_mean():
    network, meaning = remarks_on(run(JUDGED))
    assert "lpips-alex" in network and "face distance of 0.6" in meaning
    network, meaning = remarks_on(run(BLIND, perceptual="own"))
    assert "--perceptual lpips-alex" in network and "inv3d[photos]" in meaning
