"""Turns a checkpoint into the app's assets: body, identity, styles, thumbnails. Trains nothing."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from stylecam import assets, body, network
from stylecam.errors import StyleError, TrainingError
from stylecam.files import replacing
from stylecam.settings import Look
from stylecam.style import SUFFIX, Style
from stylecam.training import calibrate
from stylecam.training.checkpoint import read_checkpoint
from stylecam.training.data import to_short_side, to_tensor
from stylecam.training.recipe import IDENTITY, Recipe
from stylecam.video.picture import read_picture, write_picture

THUMBNAIL = 192
"""Side of a thumbnail in pixels."""

FACE = np.s_[:330, 60:390]
"""The part of the portrait that thumbnails show."""


def export(
    recipe: Recipe, checkpoint: Path, folder: Path, held_back: Collection[str] = ()
) -> list[Style]:
    """Writes body.safetensors, its int8 ranges, identity and the styles into `folder`.

    The body is the running average, in fp16. Styles in `held_back` are not written. Their files
    from an earlier export are removed, as are those of styles of the body that is replaced, since
    nothing could use them. Returns the styles written. Raises TrainingError before anything is
    written, for instance if a file in `folder` belongs to another body.
    """
    tensors, metadata = read_checkpoint(checkpoint)
    names = metadata.get("styles", "").split()[:-1]
    if not names or "average.codes" not in tensors:
        raise TrainingError(f"{checkpoint} is not a training checkpoint")
    for asked, known, words in (
        (names, recipe.styles, "the recipe does not name"),
        (held_back, names, "the run did not learn"),
    ):
        if strangers := [name for name in asked if name not in known]:
            raise TrainingError(f"{words} {', '.join(strangers)}")
    average = {
        name.removeprefix("average."): value.numpy().astype(np.float16)
        for name, value in tensors.items()
        if name.startswith("average.") and not name.endswith("num_batches_tracked")
    }
    codes = tensors["average.codes"].numpy()
    del average["codes"]
    for name, array in {**average, "codes": codes}.items():
        if not np.isfinite(array).all():
            raise TrainingError(f"{checkpoint}: {name} holds a number that is not finite")
    identifier = body.body_id(average)
    _check(folder, identifier)
    weights = {name: value.astype(np.float32) for name, value in average.items()}
    folded = body.fold(weights)
    net = network.folded(folded)
    portrait = to_short_side(read_picture(assets.PORTRAIT)[FACE], 2 * THUMBNAIL)
    seen = [to_tensor(each) for each in (portrait, calibrate.chart(*portrait.shape[:2]))]
    ranges = calibrate.ranges(folded, seen, codes)
    written = []
    thumbnails = []
    for name, fine, coarse in zip(names, *np.split(codes[:-1], 2), strict=True):
        if name in held_back:
            continue
        credit = recipe.styles[name]
        told = credit.title, credit.artist, str(credit.year), credit.source
        side = credit.side(Look.stroke)
        style = Style(name, fine, coarse, identifier, *told, side=side)
        code = torch.from_numpy(style.at(Look.stroke))[None]
        with torch.no_grad():
            painted = net(to_tensor(portrait), code)[0]
        picture = (painted.permute(1, 2, 0) * 255).round().byte().numpy()
        thumbnails.append(to_short_side(picture, THUMBNAIL))
        written.append(style)
    (folder / "styles").mkdir(parents=True, exist_ok=True)
    # No new file fits the old ones: once all are written, they replace the old ones together.
    with ExitStack() as stack:

        def beside(path: Path) -> Path:
            return stack.enter_context(replacing(path))

        facts = {"format": body.FORMAT, "step": metadata.get("step", "")}
        save_file(average, beside(folder / assets.BODY.name), facts)
        facts = {"format": body.FORMAT, "body": identifier}
        save_file(ranges, beside(folder / assets.RANGES.name), facts)
        own = Style(IDENTITY, codes[-1], codes[-1], identifier)
        own.save(beside(folder / assets.IDENTITY.name))
        for style, thumbnail in zip(written, thumbnails, strict=True):
            style.save(beside(folder / "styles" / f"{style.name}{SUFFIX}"))
            write_picture(beside(folder / "styles" / f"{style.name}.jpg"), thumbnail)
    for path in (folder / "styles").glob(f"[!.]*{SUFFIX}"):
        if path.stem in held_back or Style.load(path).body != identifier:
            path.unlink()
            path.with_suffix(".jpg").unlink(missing_ok=True)
    return written


def _check(folder: Path, identifier: str) -> None:
    """Raises TrainingError if an export of this body would replace files in `folder` that are not
    from such an export: styles of other bodies, or other pictures."""
    known = {identifier}
    with suppress(StyleError):  # there may be no readable body yet
        known.add(body.body_id(body.load(folder / assets.BODY.name)))
    for path in (folder / "styles").glob(f"[!.]*{SUFFIX}"):
        try:
            theirs = Style.load(path).body
        except StyleError as error:
            raise TrainingError(f"{error}; remove it or name another folder") from None
        if theirs not in known:
            raise TrainingError(
                f"{path} belongs to a body that is not in {folder}; choose another folder"
            )
    for picture in (folder / "styles").glob("[!.]*.jpg"):
        if not picture.with_suffix(SUFFIX).exists():
            raise TrainingError(f"{picture} is not a style's thumbnail; choose another folder")
