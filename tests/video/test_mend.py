import io

import numpy as np
import pytest
from PIL import Image

from inv3d.video.mend import lost_of_jpeg


def jpeg(progressive: bool) -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).resize((256, 192)).save(file, "JPEG", quality=90, progressive=progressive)
    return file.getvalue()


@pytest.mark.parametrize("filled", [False, True], ids=["plain", "with fill bytes"])
@pytest.mark.parametrize("progressive", [False, True])
def test_rows_that_are_cut_off_are_counted(progressive, filled):
    data = jpeg(progressive)
    if filled:  # any marker may have more than one 0xFF before it (ITU-T T.81, B.1.1.2)
        for frame in (b"\xff\xc0", b"\xff\xc2"):
            data = data.replace(frame, b"\xff" + frame, 1)
    assert lost_of_jpeg(data) == 0.0
    lost = lost_of_jpeg(data[: len(data) // 2])
    # half of a progressive file has no last bits anywhere
    assert lost == 1.0 if progressive else 0.4 < lost < 0.6
