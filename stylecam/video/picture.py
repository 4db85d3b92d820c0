"""Reads and writes still pictures, uint8 RGB (H, W, 3). Knows files; no stream and no style."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stylecam.errors import RecordingError, SourceError, SourceMissing
from stylecam.files import replacing

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff"})
JPEG_QUALITY = 95

OPAQUE = frozenset({".jpg", ".jpeg"})
"""Suffixes of formats that have no transparency."""


def is_picture(path: Path) -> bool:
    """Returns whether the suffix is that of a picture that can be read and written."""
    return path.suffix.lower() in SUFFIXES


def read_picture(path: Path) -> np.ndarray:
    """Reads a picture as uint8 RGB (H, W, 3), rotated as its camera recorded, and blended onto
    white where it is transparent. Raises SourceError if it cannot be read."""
    try:
        # Not cv2.imread: on Windows it cannot open non-ASCII names.
        encoded = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise SourceMissing(f"there is no file {path}") from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    try:
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
        if bgr is not None and path.suffix.lower() not in OPAQUE:
            opaque = _opaque(encoded)
            if opaque is not None and opaque.shape == bgr.shape[:2]:
                bgr = np.rint(255 + opaque[..., None] * (bgr - np.float32(255))).astype(np.uint8)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise SourceError(f"{path} is not a picture that can be read, or it is cut short")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _opaque(encoded: np.ndarray) -> np.ndarray | None:
    """Returns how opaque each pixel of an encoded picture is, 0 to 1, float32 (H, W), rotated like
    the picture; None if it has no alpha channel."""
    whole, kinds, metadata = cv2.imdecodeWithMetadata(encoded, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.shape[2:] != (4,) or whole.dtype.kind != "u":
        return None
    most, alpha = 2 ** (8 * whole.itemsize) - 1, whole[..., 3]
    told = dict(zip(kinds, metadata, strict=True))
    if (exif := told.get(cv2.IMAGE_METADATA_EXIF)) is not None:
        # OpenCV rotates a picture by its EXIF data, but never one that has an alpha channel.
        _, alone = cv2.imencodeWithMetadata(".png", alpha, [cv2.IMAGE_METADATA_EXIF], [exif])
        turned = cv2.imdecode(alone, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        alpha = alpha if turned is None else turned
    return alpha.astype(np.float32) / most


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 RGB (H, W, 3) in the format of the path's suffix. Raises RecordingError."""
    if not is_picture(path):
        raise RecordingError(f"cannot write {path}: name it {', '.join(sorted(SUFFIXES))}")
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    try:
        done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
        if not done:
            raise RecordingError(
                f"cannot write {path}: the picture cannot be encoded in this format"
            )
        with replacing(path) as beside:
            beside.write_bytes(encoded.tobytes())
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror or error}") from None
