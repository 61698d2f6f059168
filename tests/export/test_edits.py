import torch

from inv3d.core.editing.edits import make_edit
from inv3d.export.edits import before_and_after, direction_sheet


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
