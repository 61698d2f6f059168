"""The mp4 writer."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray


def write_mp4(path: Path, images: Iterable[NDArray[np.uint8]], fps: int = 30, quality: int = 18) -> None:
    """Write RGB images [H,W,3] (even sides) as H.264 in yuv420p and BT.709, which every player and browser opens.

    `quality` is x264's constant rate factor: lower is better, 18 is visually lossless.
    """
    # without the protocol, FFmpeg takes the text before a colon for one
    with av.open(f"file:{path}", "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(quality), "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_primaries = stream.codec_context.color_trc = 1  # BT.709
        convert = VideoReformatter()
        for i, image in enumerate(images):
            if i == 0:
                stream.height, stream.width = image.shape[:2]
            frame = convert.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), format="yuv420p",
                dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG,
            )  # fmt: skip
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
