"""Formats an evaluation as a table for the terminal and as one HTML page. Measures nothing."""

from __future__ import annotations

import base64
import dataclasses
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from stylecam.errors import RecordingError
from stylecam.evaluation.evaluate import Row
from stylecam.files import replacing

COLUMNS = {
    field.name: field.name.replace("_", " ")
    for field in dataclasses.fields(Row)
    if field.name != "sheets"
}
SAMPLE_SIDE = 240
"""Height of a sample on the page in pixels."""

_STYLE = """
body { font: 15px system-ui, sans-serif; background: #111; color: #ddd; margin: 2rem }
td, th { padding: .2rem .8rem; text-align: right } td:first-child { text-align: left }
th, h3 { color: #999; font-weight: normal } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem }
h3 { font-size: 1rem; margin: .6rem 0 .2rem }
img { height: 240px; margin: 0 4px 4px 0 }
"""


def figures(row: Row) -> dict[str, str | float | None]:
    """Returns the row without its pictures."""
    return {name: getattr(row, name) for name in COLUMNS}


def line(row: Row) -> str:
    """Returns the row for a terminal, to print below `heading`."""
    return "  ".join(_cells(row))


def heading() -> str:
    """Returns the column names, to print above `line`."""
    return "  ".join(
        f"{title:22}" if name == "name" else f"{title:>{max(8, len(title))}}"
        for name, title in COLUMNS.items()
    )


def check(path: Path) -> None:
    """Raises RecordingError if `write` could not write there, before the minutes of measuring."""
    if path.is_dir() or not path.parent.is_dir():
        raise RecordingError(f"cannot write {path}; choose a file in an existing folder")


def write(path: Path, rows: Sequence[Row], photos: Sequence[np.ndarray]) -> None:
    """Writes the page: the table, then the photos, each style's sheets and strips of the clips.
    Raises RecordingError."""
    titles = "".join(f"<th>{title}</th>" for title in COLUMNS.values())
    table = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) + "</tr>"
        for row in rows
    )
    sheets = [_sheets("photos", {"": photos}), *(_sheets(row.name, row.sheets) for row in rows)]
    page = (
        f"<!doctype html><meta charset=utf-8><title>stylecam evaluation</title>"
        f"<style>{_STYLE}</style><table><tr>{titles}</tr>{table}</table>{''.join(sheets)}"
    )
    try:
        with replacing(path) as beside:
            beside.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"cannot write {path}: {error.strerror}") from None


def _cells(row: Row) -> list[str]:
    cells = []
    for name, title in COLUMNS.items():
        value = getattr(row, name)
        if name == "name":
            cells.append(f"{value:22}")
        else:
            text = "" if value is None else f"{value:.4f}"
            cells.append(f"{text:>{max(8, len(title))}}")
    return cells


def _sheets(title: str, sheets: Mapping[str, Sequence[np.ndarray]]) -> str:
    text = f"<h2>{html.escape(title)}</h2>"
    for words, pictures in sheets.items():
        images = "".join(f'<img src="data:image/jpeg;base64,{_encoded(p)}">' for p in pictures)
        text += f"<h3>{html.escape(words)}</h3>{images}"
    return text


def _encoded(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    size = (round(width * SAMPLE_SIDE / height), SAMPLE_SIDE)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return base64.b64encode(jpeg.tobytes()).decode()
