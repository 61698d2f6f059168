import pytest
import torch

from inv3d.core.editing.edits import make_edit
from inv3d.export.edits import before_and_after, direction_sheet, shares_of, write_animation


def cells(sheet: torch.Tensor, rows: int, columns: int, side: int) -> list[list[torch.Tensor]]:
    """The pictures of a table, whose margins are above and to the left."""
    top, left = sheet.shape[1] - rows * (side + 3), sheet.shape[2] - columns * (side + 3)
    return [
        [sheet[:, top + r * (side + 3) :, left + c * (side + 3) :][:, :side, :side] for c in range(columns)]
        for r in range(rows)
    ]


def test_a_sheet_shows_every_direction_at_every_strength(demo):
    code = demo.generator.code_space.repeat(demo.mean_code[None])
    chosen, seen = [demo.directions["hair-length"], demo.directions["dark-skin"]], []
    sheet = direction_sheet(demo, chosen, (-1.0, 0.0, 2.0), code, 16, lambda done, total: seen.append((done, total)))
    hair, skin = cells(sheet, 2, 3, 16)
    assert torch.equal(hair[1], skin[1]) and not torch.equal(hair[2], skin[2])
    assert float(skin[2][:, 8:11, 7:9].mean()) < float(skin[1][:, 8:11, 7:9].mean()) - 0.1
    assert seen == [(1, 2), (2, 2)]


def test_a_head_is_shown_before_and_after(head):
    edit = make_edit(head.bundle.directions["dark-skin"], 2.0, head.track.codes, head.generator.code_space)
    sheet = before_and_after(head, head.edited([edit]), torch.tensor([-0.3, 0.3]), 16)
    before, after = cells(sheet, 2, 2, 16)
    for old, new in zip(before, after, strict=True):
        assert float(new[:, 6:11, 6:10].mean()) < float(old[:, 6:11, 6:10].mean()) - 0.1


def test_a_video_that_repeats_begins_and_ends_at_the_start():
    assert shares_of(4) == pytest.approx([0.0, 0.5, 1.0, 0.5])


@pytest.mark.parametrize("frames", [4, 5])
def test_a_still_camera_sees_the_same_on_the_way_back(frames, demo, head, tmp_path, monkeypatch):
    written, seen = [], []

    def write(path, suffix, images, fps):
        written.extend(images)
        path.touch()

    monkeypatch.setattr("inv3d.export.edits.write_moving", write)
    skin, space = demo.directions["dark-skin"], demo.generator.code_space
    choices = [[make_edit(skin, 2.0 * share, head.track.codes, space)] for share in shares_of(frames)]
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    write_animation(head, choices, camera, 16, tmp_path / "out.mp4", 24, False, lambda done, total: seen.append((done, total)))
    assert len(written) == frames and seen[-1] == (3, 3)
    assert (written[1] == written[-1]).all() and (written[1] != written[0]).any()
    assert written[2].mean() < written[1].mean() < written[0].mean()
