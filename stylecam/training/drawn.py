"""Three style pictures, drawn procedurally from fixed seeds. Knows pixels, but no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from stylecam.video.picture import write_picture

SIDE = 768
"""Side of each picture in pixels."""

# Pictures are drawn at twice the size and shrunk, which smooths their edges. All lengths below are
# in pixels of the finished picture.
FINE = 2

PAPER = np.array([0.957, 0.918, 0.827], np.float32)
INK = np.array([0.085, 0.075, 0.115], np.float32)
HATCH_PITCH = 7.0
# For each layer: the angle of its lines in degrees, and the darkness, 0 to 1, above which it is
# drawn.
HATCH_LAYERS = ((42.0, 0.10), (-38.0, 0.42), (8.0, 0.63), (78.0, 0.80))

PANE = 34.0
LEAD_WIDTH = 5.5
LEAD = np.array([0.045, 0.045, 0.06], np.float32)
JEWELS = np.array(
    [
        [0.08, 0.18, 0.72],
        [0.42, 0.08, 0.52],
        [0.03, 0.42, 0.24],
        [0.80, 0.05, 0.10],
        [0.05, 0.55, 0.72],
        [0.94, 0.42, 0.06],
        [0.98, 0.72, 0.12],
        [0.95, 0.91, 0.74],
    ],
    np.float32,
)
"""From colours for dark places to colours for light ones."""

DOT_PITCH = 10.0
PRINT_PAPER = np.array([0.985, 0.965, 0.91], np.float32)
# For each ink: how much red, green and blue it lets through; the angle of its grid in degrees; a
# and b: where the darkness is t, 0 to 1, its dots cover a·t − b of the paper.
PRINT_INKS = (
    (np.array([0.97, 0.36, 0.28], np.float32), 75.0, 1.1, 0.15),
    (np.array([0.10, 0.20, 0.42], np.float32), 45.0, 1.5, 0.6),
)


def ink_hatching() -> np.ndarray:
    """Cross-hatched ink on warm paper. Like all of these, returns uint8 RGB (SIDE, SIDE, 3)."""
    random = np.random.default_rng(1)
    dark = _shaded(random)
    light = np.ones_like(dark)
    for degrees, start in HATCH_LAYERS:
        along, across = _turned(degrees)
        # Lines bend around the forms and wobble as if drawn by hand.
        across = across + 9.0 * dark + 1.1 * _noise(random, 14.0) + 2.5 * _noise(random, 45.0)
        line = np.floor(across / HATCH_PITCH)
        beside = np.abs(across / HATCH_PITCH - line - 0.5) * HATCH_PITCH
        # Each line is a row of strokes that taper at both ends; each row has its own random shift.
        shift = random.uniform(0, 60, 4 * SIDE)[line.astype(int) % (4 * SIDE)]
        phase = np.mod(along + shift, 60.0) / 60.0
        taper = np.clip(8.0 * np.minimum(phase, 1 - phase), 0, 1)
        pressed = np.clip((dark - start) / 0.6, 0, 1) + 0.06 * _noise(random, 10.0)
        width = np.where(dark > start, (0.5 + 1.35 * pressed) * taper, 0)
        light *= 1 - 0.93 * np.clip((width - beside) * FINE + 0.5, 0, 1) * (width > 0.2)
    wash = 0.16 * dark[..., None] * np.array([0.7, 1.0, 1.5], np.float32)
    paper = PAPER * (1 - wash) + 0.008 * _noise(random, 1.0)[..., None]
    return _finished(INK + (paper - INK) * light[..., None])


def stained_glass() -> np.ndarray:
    """Panes of jewel colours between dark leads, each brighter towards its middle. Light panes are
    grouped together, and so are dark ones."""
    random = np.random.default_rng(2)
    steps = np.arange(0, SIDE, PANE) + PANE / 2
    sites = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    sites = sites + random.uniform(-0.48, 0.48, sites.shape) * PANE
    column, row = np.clip(sites * FINE, 0, SIDE * FINE - 1).astype(int).T
    empty = np.full((SIDE * FINE, SIDE * FINE), 255, np.uint8)
    empty[row, column] = 0
    _, pane = cv2.distanceTransformWithLabels(
        empty, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    edge = np.zeros_like(empty)
    edge[:, 1:] |= (pane[:, 1:] != pane[:, :-1]).astype(np.uint8)
    edge[1:] |= (pane[1:] != pane[:-1]).astype(np.uint8)
    inside = cv2.distanceTransform(1 - edge, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / FINE
    count = int(pane.max()) + 1
    light = np.full(count, 0.5)
    light[pane[row, column]] = _even(_noise(random, 45.0))[row, column]
    light = np.clip(light + random.uniform(-0.16, 0.16, count), 0, 0.999)
    colour = JEWELS[(light * len(JEWELS)).astype(int)] * (0.6 + 0.5 * light[:, None])
    tilt = random.uniform(-0.015, 0.015, (count, 2))
    middle = np.zeros((count, 2))
    middle[pane[row, column]] = sites
    x, y = _turned(0.0)
    slope = (x - middle[pane, 0]) * tilt[pane, 0] + (y - middle[pane, 1]) * tilt[pane, 1]
    streaks = cv2.GaussianBlur(_noise(random, 2.0), (0, 0), 12.0, sigmaY=0.1)
    streaks = streaks / streaks.std()
    glow = 0.62 + 0.75 * np.clip(inside / 15.0, 0, 1) + slope + 0.05 * streaks
    glass = colour[pane] * glow[..., None] + 0.35 * np.clip(glow - 1.05, 0, 1)[..., None]
    cover = np.clip((inside - LEAD_WIDTH / 2) * FINE + 0.5, 0, 1)[..., None]
    # The middle of a lead catches a little light.
    lead = LEAD + 0.10 * np.clip(1 - inside / 1.2, 0, 1)[..., None]
    picture = np.clip(lead + (glass - lead) * cover, 0, 1).astype(np.float32)
    return _finished(picture + 0.10 * cv2.GaussianBlur(picture * cover, (0, 0), 6.0 * FINE))


def halftone() -> np.ndarray:
    """Two flat inks printed as dots, each on a grid at its own angle: the darker, the larger the
    dots."""
    dark = _shaded(np.random.default_rng(3))
    picture: np.ndarray = np.broadcast_to(PRINT_PAPER, (SIDE * FINE, SIDE * FINE, 3))
    for ink, degrees, a, b in PRINT_INKS:
        share = np.clip(a * dark - b, 0, 0.85)
        along, across = (axis / DOT_PITCH for axis in _turned(degrees))
        middle = np.hypot(along - np.round(along), across - np.round(across)) * DOT_PITCH
        radius = DOT_PITCH * np.sqrt(share / np.pi)
        cover = np.clip((radius - middle) * FINE + 0.5, 0, 1) * (radius > 0.8)
        picture = picture * (1 - cover[..., None] * (1 - ink))
    return _finished(picture)


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "ink-hatching": ink_hatching,
    "stained-glass": stained_glass,
    "halftone": halftone,
}


def draw(folder: Path) -> list[Path]:
    """Writes each picture into the folder as NAME.png, and returns the files in order."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in PICTURES.items():
        files.append(folder / f"{name}.png")
        write_picture(files[-1], picture())
    return files


def _noise(random: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise (SIDE·FINE, SIDE·FINE), mean 0, standard deviation 1, blurred by `scale`
    pixels."""
    # Computed at a small size and enlarged, since a wide blur at full size is slow.
    small = max(8, round(SIDE * min(FINE, 3 / scale)))
    noise: np.ndarray = random.standard_normal((small, small)).astype(np.float32)
    sigma = max(0.3, scale * small / SIDE)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    noise = cv2.resize(noise, (SIDE * FINE, SIDE * FINE), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / noise.std()


def _even(field: np.ndarray) -> np.ndarray:
    """Returns the field with its values spread evenly over 0 to 1, in the same order."""
    levels = np.quantile(field, np.linspace(0, 1, 257))
    return np.interp(field, levels, np.linspace(0, 1, 257)).astype(np.float32)


def _shaded(random: np.random.Generator) -> np.ndarray:
    """Darkness, 0 to 1, of soft spheres on a wavy background, lit from the upper left."""
    # It is soft, so it can be drawn at the finished size and enlarged.
    x, y = (axis[::FINE, ::FINE] for axis in _turned(0.0))
    dark: np.ndarray = 0.5 + 0.3 * np.sin(
        x / 12.0 + y / 15.0 + 1.8 * _noise(random, 40.0)[::FINE, ::FINE]
    )
    for _ in range(170):
        middle_x, middle_y = random.uniform(-20, SIDE + 20, 2)
        radius = random.uniform(18, 48)
        dx, dy = (x - middle_x) / radius, (y - middle_y) / radius
        out = dx * dx + dy * dy
        facing = 0.62 * np.sqrt(np.clip(1 - out, 0, 1)) - 0.5 * dx - 0.6 * dy
        dark = np.where(out < 1, 1 - 0.9 * facing, dark)
    dark = cv2.GaussianBlur(dark.astype(np.float32), (0, 0), 1.5)
    return _even(cv2.resize(dark, (SIDE * FINE, SIDE * FINE)))


def _turned(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a direction, in pixels of the finished picture."""
    y, x = (np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] + 0.5).astype(np.float32) / FINE
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32)


def _finished(picture: np.ndarray) -> np.ndarray:
    """Shrinks a picture to SIDE and converts it from [0, 1] to uint8."""
    small = cv2.resize(picture.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)
