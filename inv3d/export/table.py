"""Tables of pictures: equal pictures in rows and columns, with words above and beside them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from inv3d.core.views import from_bytes, to_array

_GAP, _LINE, _LETTER = 3, 18, 7  # pixels
_PAPER, _INK = (255, 255, 255), (29, 35, 42)


def table(pictures: Sequence[Sequence[Tensor]], beside: Sequence[str], above: Sequence[str]) -> Tensor:
    """Rows of pictures [3,R,R] in [-1,1], each with the words `beside` it, under the words `above` the columns, as one
    picture [3,H,W]."""
    side = pictures[0][0].shape[-1]
    margin = 2 * _GAP + _LETTER * max(len(words) for words in beside)
    size = (margin + len(above) * (side + _GAP), _LINE + len(beside) * (side + _GAP))
    sheet, font = Image.new("RGB", size, _PAPER), ImageFont.load_default(12)
    draw = ImageDraw.Draw(sheet)
    for column, words in enumerate(above):
        draw.text((margin + column * (side + _GAP) + side // 2, _LINE // 2), words, _INK, font, anchor="mm")
    for line, (words, images) in enumerate(zip(beside, pictures, strict=True)):
        y = _LINE + line * (side + _GAP)
        draw.text((_GAP, y + side // 2), words, _INK, font, anchor="lm")
        for column, image in enumerate(images):
            sheet.paste(Image.fromarray(to_array(image)), (margin + column * (side + _GAP), y))
    data = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8).reshape(size[1], size[0], 3)
    return from_bytes(data.permute(2, 0, 1))
