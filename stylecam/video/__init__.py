"""Frames in and out: the only place where BGR, codecs and devices exist."""

import os

# OpenCV reads these once, when it is first imported; whoever set them keeps their value.
for _name, _value in {
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",  # with them Windows takes 4 to 20 s to open
    "OPENCV_AVFOUNDATION_SKIP_AUTH": "1",  # OpenCV's own macOS prompt fails off the main thread
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "5",  # seconds until a silent Linux camera counts as lost
    "OPENCV_LOG_LEVEL": "ERROR",  # what it warns of, the sources say in one line
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}.items():
    os.environ.setdefault(_name, _value)
