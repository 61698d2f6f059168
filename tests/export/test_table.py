import torch

from inv3d.export.table import table


def test_pictures_stand_in_rows_and_columns_with_words():
    shades = torch.linspace(-0.8, 0.8, 6).tolist()
    pictures = [torch.full((3, 20, 20), shade) for shade in shades]
    sheet = table([pictures[:3], pictures[3:]], ["one", "two"], ["a", "b", "c"])
    below, right = sheet.shape[1] - 2 * 23, sheet.shape[2] - 3 * 23
    for i, shade in enumerate(shades):
        y, x = below + 23 * (i // 3), right + 23 * (i % 3)
        assert torch.allclose(sheet[:, y : y + 20, x : x + 20], torch.tensor(shade), atol=0.01)
    margin = sheet[:, below:, :right]
    assert float(margin.min()) < 0.0 < float(margin.max())  # ink on paper
