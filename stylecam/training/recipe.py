"""A training recipe: everything that determines the result of a run, read from one TOML file.

Knows no tensors. Paths in a recipe are relative to the data folder, which is given separately.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from stylecam.body import Width
from stylecam.errors import TrainingError

IDENTITY = "identity"
"""Name of the code that reproduces the photo, always the last row of the codes."""


MOST_OCTAVES = 3
"""In the last octave the smallest crop is 8 pixels wide, which relu4_1 reduces to 1."""


@dataclass(frozen=True)
class StyleRecipe:
    """One style: its picture, its credits and how it is learnt."""

    picture: str
    title: str
    artist: str
    year: int
    source: str = "public domain"
    fine: int = 300
    coarse: int = 600
    """Short side, in pixels, of the style picture for the fine and the coarse code: the larger the
    picture, the larger its strokes in pixels."""
    paint: float = 4.5
    """Ratio of style gradient to content gradient that the style's weight is steered to."""
    steady: float = 1.0
    """Factor on the temporal loss for this style; busy styles flicker most (Gupta et al. 2017)."""

    def side(self, stroke: float) -> int:
        """Returns the short side of the style picture for a stroke from fine (0) to coarse (1)."""
        return round(self.fine * (self.coarse / self.fine) ** stroke)


@dataclass(frozen=True)
class Recipe:
    """A whole run; sizes are in pixels. The defaults suit a first run; later on, most weights
    rose."""

    styles: dict[str, StyleRecipe]
    photos: str = "photos/*.jpg"
    warm_start: str = ""
    """A checkpoint to start from; empty for random weights."""
    encoder: str = ""
    """The perceptual encoder; empty for the shipped one."""
    octaves: int = 1
    """Sizes at which the encoder sees a painting, each half the one before."""
    width: Width = Width()
    only: list[str] = field(default_factory=list)
    """Styles whose codes are trained while the body and all other codes stay the same, bit for bit
    (Dumoulin et al. 2017 add styles this way); empty to train everything."""
    steps: int = 10_000
    seed: int = 1
    photos_per_step: int = 2
    styles_per_photo: int = 2
    blends: int = 1
    """How many of a step's paintings lie between two styles or between a style and the photo, so
    that sliders paint well halfway."""
    crop: int = 208
    border: int = 16
    """Painted pixels around a crop that the encoder does not see. Otherwise its zero padding would
    reward strokes along the border, which the network recognises by the mirrored margin."""
    shift: int = 8
    """The most whole pixels, across and down, that the second picture of a pair is shifted by."""
    zoom: float = 0.04
    """The most that it is zoomed in or out, as a share."""
    flow: float = 1.5
    """Standard deviation, in pixels, of the smooth random flow that warps it."""
    photo_short_side: tuple[int, int] = (232, 352)
    favour: dict[str, float] = field(default_factory=dict)
    """Glob of photo names → how many times likelier they are than others."""
    holdout_every: int = 40
    """Every n-th photo by name is held out of training, for evaluation; 0 holds out none."""
    learning_rate: float = 2e-3
    warm_up: int = 100
    """Steps over which the learning rate rises to its full value."""
    code_rate: float = 6.0
    """How many times faster codes learn than the body; otherwise styles separate much later."""
    freeze_batch_norm: bool = True
    """Keep the running statistics: steps are too small to measure them anew."""
    total_variation: float = 0.5
    tone: float = 1.0
    structure: float = 1.0
    rhythm: float = 1.0
    """Weight of the loss against weaves in flat places."""
    grid: float = 10.0
    """Weight of the loss against dots on the network's grid."""
    palette: float = 5.0
    gamut: float = 10.0
    """Weight of the loss against colours that the style's picture does not have."""
    temporal: float = 30.0
    identity: float = 10.0
    adversarial: float = 0.0
    """Weight of the patch discriminator, which sees strokes where Gram matrices see statistics; 0
    for none."""
    noise: float = 0.02
    """The greatest standard deviation of a frame's noise, as a share of white."""
    gain: float = 0.03
    """The most that the second frame of a pair is lighter or darker, as a share."""
    rounding: float = 0.0
    """`StyleNet.rounding`."""
    gradient_clip: float = 5.0
    first_weight: float = 20.0
    """Style weight before the first calibration."""
    calibrate_every: int = 8
    """Steps between calibrations of the style weights."""
    average: float = 0.999
    """Decay of the running average of all weights; the average is what is shipped."""
    checkpoint_every: int = 100
    preview_every: int = 1000

    def __post_init__(self) -> None:
        every = ("calibrate_every", "checkpoint_every", "preview_every")
        for name in ("octaves", "steps", "photos_per_step", "styles_per_photo", *every):
            if getattr(self, name) < 1:
                raise TrainingError(f"expected {name} of at least 1, got {getattr(self, name)}")
        _check_numbers(self, "")
        if self.seed >= 2**63:
            raise TrainingError(f"expected a seed below 2**63, got {self.seed}")
        if self.octaves > MOST_OCTAVES:
            raise TrainingError(f"expected at most {MOST_OCTAVES} octaves, got {self.octaves}")
        if min(dataclasses.astuple(self.width)) < 1:
            raise TrainingError(f"expected widths of at least 1, got {self.width}")
        if 2 * self.shift > self.crop or self.zoom >= 1:
            raise TrainingError(
                f"expected motion that stays in sight, a shift of at most half the crop and a zoom "
                f"below 1, got {self.shift} of {self.crop} and {self.zoom}"
            )
        if not self.learning_rate > 0:
            raise TrainingError(f"expected a learning_rate above 0, got {self.learning_rate}")
        if strangers := [name for name in self.only if name not in self.styles]:
            raise TrainingError(f"only names styles that the recipe has not: {strangers}")
        for glob, factor in self.favour.items():
            if not isinstance(factor, int | float) or not 0 < factor < math.inf:
                raise TrainingError(f"favour {glob}: expected a number above 0, got {factor!r}")
        sides = self.photo_short_side
        if len(sides) != 2 or not 1 <= sides[0] <= sides[1]:
            raise TrainingError(f"expected photo_short_side from low to high, got {sides}")
        seen = self.crop - 2 * self.border
        for name, style in self.styles.items():
            if name == IDENTITY or not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
                raise TrainingError(
                    f"expected a style's name of a-z, 0-9, - and _, other than {IDENTITY}, "
                    f"got {name!r}"
                )
            _check_numbers(style, f"style {name}: ")
            smallest = min(style.fine, style.coarse)
            if smallest < 1:
                raise TrainingError(
                    f"style {name}: expected fine and coarse of at least 1, got {smallest}"
                )
            if self.adversarial and smallest < seen:
                raise TrainingError(
                    f"style {name}: the adversary needs a short side of at least {seen} pixels, "
                    f"got {smallest}"
                )


def _check_numbers(recipe: Recipe | StyleRecipe, whose: str) -> None:
    """Raises TrainingError for the first number that is negative (unless a year) or not finite."""
    for name, value in vars(recipe).items():
        if isinstance(value, int | float) and name != "year" and not 0 <= value < math.inf:
            raise TrainingError(f"{whose}expected {name} of at least 0, got {value}")


def load_recipe(path: Path) -> Recipe:
    """Loads a recipe from a TOML file. Raises TrainingError; for an unknown key it lists the
    known."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainingError(f"no recipe at {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path} is not a recipe: {error}") from None
    styles = table.pop("styles", {})
    if not styles or not isinstance(styles, dict):
        raise TrainingError(f"{path}: a recipe needs at least one [styles.NAME] table")
    if "width" in table:
        table["width"] = _build(path, Width, _named(table["width"], Width))
    if isinstance(table.get("photo_short_side"), list):
        table["photo_short_side"] = tuple(table["photo_short_side"])
    named = {name: _build(path, StyleRecipe, style) for name, style in styles.items()}
    return _build(path, Recipe, {**table, "styles": named})


def _named(values: Any, kind: type) -> Any:
    """Turns [16, 32, 3, 16], the notation of papers, into the fields of Width."""
    names = [f.name for f in dataclasses.fields(kind)]
    if isinstance(values, list) and len(values) <= len(names):
        return dict(zip(names, values, strict=False))
    return values


def _build(path: Path, kind: type, table: Any) -> Any:
    if not isinstance(table, dict):
        raise TrainingError(f"{path}: expected a table for {kind.__name__}, got {table!r}")
    known = [f.name for f in dataclasses.fields(kind)]
    for key in table:
        if key not in known:
            raise TrainingError(f"{path}: unknown key {key!r}; known are {', '.join(known)}")
    wanted = get_type_hints(kind)
    for key, value in table.items():
        plain = get_origin(wanted[key]) or wanted[key]
        fits = isinstance(value, (int, float) if plain is float else plain)
        if not fits or (isinstance(value, bool) and plain is not bool):
            raise TrainingError(f"{path}: expected {key} of type {plain.__name__}, got {value!r}")
    try:
        return kind(**table)
    except TypeError as error:
        raise TrainingError(f"{path}: {error}") from None
