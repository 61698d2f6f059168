"""The mp4 writer."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def write_mp4(path: Path, images: Iterable[NDArray[np.uint8]], fps: int = 30, quality: int = 18) -> None:
    """Write RGB images [H,W,3] (even sides) as H.264 in yuv420p, which every player and browser opens.

    `quality` is x264's constant rate factor: lower is better, 18 is visually lossless.
    """
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(quality), "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        for i, image in enumerate(images):
            if i == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
