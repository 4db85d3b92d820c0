"""A style, its file, the library of styles, and blends. Knows nothing about networks or pictures.

A style is a *code*: the scales and shifts of the body's conditional norms and its shares of the
grain (see `body`). Each style has two, for fine and for coarse strokes; codes between them paint
strokes of sizes between. A blend of styles is a weighted mean of codes. Strength interpolates from
the identity code, which reproduces the photo, to the style's.
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from pathlib import Path
from types import MappingProxyType

import numpy as np
import platformdirs
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stylecam import assets
from stylecam.errors import StyleError, UnknownStyle
from stylecam.files import replacing

log = logging.getLogger(__name__)

FORMAT = "1"
SUFFIX = ".safetensors"
_STROKES = ("fine", "coarse")
_FACTS = ("title", "artist", "year", "source")


@dataclass(frozen=True, eq=False)
class Style:
    """One style of one body.

    `fine` and `coarse` are its codes, float32 (code_length,); `body` is the id of the body that it
    was learnt with.
    """

    name: str
    fine: np.ndarray
    coarse: np.ndarray
    body: str
    title: str = ""
    artist: str = ""
    year: str = ""
    source: str = ""
    side: int = 0
    """Pixels of the short side of the picture that it was learnt from, for strokes between fine
    and coarse; 0 if not known."""

    @classmethod
    def load(cls, path: Path | str) -> Style:
        """The style in a file. Raises StyleError, with its own message for each kind of fault."""
        path = Path(path)
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                codes = [file.get_tensor(key) for key in _STROKES if key in file.keys()]
        except FileNotFoundError:
            raise StyleError(f"no style file at {path}") from None
        except (OSError, SafetensorError, TypeError) as error:  # numpy has no bfloat16
            raise StyleError(f"{path} is damaged or not a style file ({error})") from None
        if facts.get("format") != FORMAT:
            raise StyleError(f"{path}: expected style format {FORMAT}, got {facts.get('format')}")
        if len(codes) < len(_STROKES):
            raise StyleError(f"{path} does not hold the codes {' and '.join(_STROKES)}")
        for code in codes:
            if code.ndim != 1 or code.dtype != np.float32:
                got = f"{code.dtype} {code.shape}"
                raise StyleError(f"{path}: expected float32 (n,) code, got {got}")
            if not np.isfinite(code).all():
                raise StyleError(f"{path}: its code holds a number that is not finite")
        named = {fact: facts.get(fact, "") for fact in _FACTS}
        fine, coarse = codes
        name, body, side = (facts.get(fact, "") for fact in ("name", "body", "side"))
        pixels = int(side) if side.isdecimal() else 0
        return cls(name or path.stem, fine, coarse, body, **named, side=pixels)

    def save(self, path: Path | str) -> None:
        """Writes the style to a file, replacing an older one once complete. Raises StyleError."""
        facts = {"format": FORMAT, "body": self.body, "name": self.name}
        facts |= {fact: getattr(self, fact) for fact in _FACTS} | {"side": str(self.side)}
        codes = {key: np.ascontiguousarray(getattr(self, key), np.float32) for key in _STROKES}
        try:
            with replacing(Path(path)) as beside:
                save_file(codes, beside, facts)
        except (OSError, SafetensorError) as error:
            raise StyleError(f"cannot write the style to {path}: {error}") from None

    def fits(self, body: str, length: int) -> None:
        """Raises StyleError unless the style is of that body and its codes have that length."""
        if self.body != body:
            raise StyleError(
                f"style {self.name} belongs to body {self.body or 'unknown'}, "
                f"this stylecam has body {body}; train it again"
            )
        for code in (self.fine, self.coarse):
            if len(code) != length:
                raise StyleError(
                    f"style {self.name}: expected a code of {length} numbers, got {len(code)}"
                )

    @property
    def sized(self) -> bool:
        """Whether its fine and its coarse strokes differ."""
        return not np.array_equal(self.fine, self.coarse)

    def at(self, stroke: float) -> np.ndarray:
        """The code for strokes of size 0 (fine) to 1 (coarse), float32. Raises StyleError."""
        if not 0 <= stroke <= 1:
            raise StyleError(f"expected a stroke from 0 (fine) to 1 (coarse), got {stroke}")
        return _between(self.fine, self.coarse, stroke)


def user_folder() -> Path:
    """The folder of the user's own styles."""
    return Path(platformdirs.user_data_dir("stylecam", appauthor=False)) / "styles"


@cache
def identity() -> Style:
    """The style whose code reproduces the photo."""
    return Style.load(assets.IDENTITY)


@cache
def styles() -> Mapping[str, Style]:
    """All styles by name: the bundled ones, then the user's own, which may replace them.

    A style of the user's that is damaged or made for another body is skipped, with a log entry.
    """
    found = {}
    for path in sorted(assets.STYLES.glob(f"*{SUFFIX}")):
        style = load_fitting(path)
        found[style.name] = style
    for path in sorted(user_folder().glob(f"*{SUFFIX}")):
        try:
            style = load_fitting(path)
            found[style.name] = style
        except StyleError as error:
            log.warning("skipping a style: %s", error)
    return MappingProxyType(found)  # read-only, since all callers share it


def load_fitting(path: Path) -> Style:
    """The style in a file, if it belongs to the shipped body. Raises StyleError."""
    style = Style.load(path)
    style.fits(identity().body, len(identity().fine))
    return style


def find(name: str) -> Style:
    """The style of that name. Raises UnknownStyle, which suggests similar names."""
    known = styles()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.lower().replace(" ", "-"), known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownStyle(f"no style named {name!r}; {hint}`stylecam styles` lists them")


def thumbnail(name: str) -> Path | None:
    """The path of a JPEG of the demo portrait in that style, or None if there is none."""
    for folder in (user_folder(), assets.STYLES):
        if (path := folder / f"{name}.jpg").exists():
            return path
    return None


def parse(text: str) -> dict[str, float]:
    """Parses `NAME` or `A:0.5,B:0.5` into weights. Raises StyleError or UnknownStyle."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition(":")
        try:
            weights[find(name).name] = float(share) if share else 1.0
        except ValueError:
            raise StyleError(f"expected NAME:NUMBER in a blend, got {part.strip()!r}") from None
    return weights


def blend(parts: Mapping[Style, float], stroke: float) -> np.ndarray:
    """The weighted mean of the codes at `stroke`, float32 (code_length,). A style of weight 0 has
    no effect. Raises StyleError."""
    shares = list(parts.values())
    numbers = all(isinstance(share, Real) and share >= 0 for share in shares)
    if not numbers or not 0 < (total := sum(shares)) < math.inf:
        raise StyleError(f"expected weights of 0 or more with a positive sum, got {shares}")
    codes = np.stack([style.at(stroke) for style in parts])
    return (np.array(shares) / total).astype(np.float32) @ codes


def strengthen(code: np.ndarray, identity: np.ndarray, strength: float) -> np.ndarray:
    """From the identity code (strength 0: the photo) to the style's (strength 1), float32. Raises
    StyleError."""
    if not 0 <= strength <= 1:
        raise StyleError(f"expected a strength from 0 to 1, got {strength}")
    return _between(identity, code, strength)


def _between(here: np.ndarray, there: np.ndarray, way: float) -> np.ndarray:
    return (here * np.float32(1 - way) + there * np.float32(way)).astype(np.float32)
