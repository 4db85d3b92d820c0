"""Words on a command line → one call. Knows no pixels; heavy imports wait inside each handler."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stylecam import lab
from stylecam.errors import StylecamError
from stylecam.files import replacing
from stylecam.lab import ADAPTIVE, DEVICE, DeviceOption, JsonOption
from stylecam.settings import DEFAULT_STYLE, DEMO_RECORDING, Look, Settings

if TYPE_CHECKING:
    from stylecam.live import Snapshot

app = typer.Typer(
    help="Turns a live webcam into a moving painting. Without a command: the window.",
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
styles_app = typer.Typer(help="The styles there are.", invoke_without_command=True)

_state = {"debug": False}

STYLE = typer.Option("--style", help="A style, or a blend: starry-night:0.5,the-scream:0.5")
STRENGTH = typer.Option("--strength", min=0.0, max=1.0, help="0 is the photo, 1 the full style.")
COLOR = typer.Option("--preserve-color", help="Keep the photo's colours.")
STEADY = typer.Option("--stabilize/--no-stabilize", help="Steady brushwork.")
LookStyleOption = Annotated[str | None, STYLE]
LookDeviceOption = Annotated[str | None, DEVICE]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Record the painted picture into this MP4.")
]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", min=0.1, help="Stop after so long.")
]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="No window; print what happens.")]


def main() -> None:
    """The `stylecam` command. Exit codes: 0 fine, 1 an error to act on, 2 wrong usage."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        app()
    except (StylecamError, OSError, MemoryError) as error:
        if _state["debug"]:
            raise
        typer.echo(f"stylecam: {error or repr(error)}", err=True)
        sys.exit(1)


def window() -> None:
    """The `stylecam-gui` command: the window, without a terminal."""
    sys.argv[1:] = []
    main()


@app.callback()
def root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    _state["debug"] = debug
    if debug:
        logging.getLogger("stylecam").setLevel(logging.DEBUG)
    if version:
        from stylecam import __version__

        typer.echo(f"stylecam {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _live(None, False, None, None)


@app.command()
def demo(
    seconds: SecondsOption = None,
    headless: HeadlessOption = False,
    record: RecordOption = None,
    style: LookStyleOption = None,
    device: LookDeviceOption = None,
) -> None:
    """The live picture on a built-in moving portrait, with no camera."""
    _live("demo", headless, seconds, record, style=style, device=device)


@app.command()
def run(
    source: Annotated[
        str, typer.Option("--source", help="A camera's number or name, a file, a URL, or demo.")
    ] = Settings.source,
    headless: HeadlessOption = False,
    seconds: SecondsOption = None,
    record: RecordOption = None,
    style: LookStyleOption = None,
    strength: Annotated[float | None, STRENGTH] = None,
    preserve_color: Annotated[bool | None, COLOR] = None,
    stabilize: Annotated[bool | None, STEADY] = None,
    adaptive: Annotated[bool | None, ADAPTIVE] = None,
    device: LookDeviceOption = None,
) -> None:
    """The live picture from a camera, file or URL.

    In a window, with what it remembers but for the options given; without one where there is no
    display, and with --headless, --seconds or --record.
    """
    changes = {"strength": strength, "preserve_color": preserve_color, "stabilize": stabilize}
    _live(
        source, headless, seconds, record, style=style, device=device, adaptive=adaptive, **changes
    )


@app.command()
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, a video or a folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; MP4 for videos.")],
    style: Annotated[str, STYLE] = DEFAULT_STYLE,
    strength: Annotated[float, STRENGTH] = Look.strength,
    preserve_color: Annotated[bool, COLOR] = Look.preserve_color,
    stabilize: Annotated[bool, STEADY] = Look.stabilize,
    device: DeviceOption = Settings.device,
) -> None:
    """Paint a picture, a video (its sound is kept) or every one in a folder."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from stylecam import render
    from stylecam.style import parse
    from stylecam.stylizer import Stylizer

    todo = render.jobs(source, target)
    stylizer = Stylizer(device=device)
    stylizer.apply(Look(parse(style), strength, preserve_color, stabilize))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    failed: list[str] = []
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        files = bars.add_task("files", total=len(todo), visible=len(todo) > 1)
        for file, painted in todo:
            bar = bars.add_task(file.name, total=None)
            try:
                for done, total in render.render(stylizer, file, painted):
                    bars.update(bar, completed=done, total=total)
            except StylecamError as error:
                if len(todo) == 1:
                    raise
                failed.append(str(error))
            if len(todo) > 1:
                bars.remove_task(bar)
            bars.advance(files)
    for message in failed:
        typer.echo(f"stylecam: {message}", err=True)
    typer.echo(f"{len(todo) - len(failed)} of {len(todo)} painted on {stylizer.description}.")
    if failed:
        raise typer.Exit(1)


@styles_app.callback()
def styles(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        styles_list()


@styles_app.command("list")
def styles_list(as_json: JsonOption = False) -> None:
    """Name, title, artist and year of each style."""
    from stylecam import style

    known = style.styles().values()
    if as_json:
        typer.echo(json.dumps([_facts(each) for each in known], indent=1))
        return
    longest = max((len(each.name) for each in known), default=0)
    for each in known:
        typer.echo(f"{each.name:{longest}}  {each.title}, {each.artist}, {each.year}")


@styles_app.command("show")
def styles_show(name: str, as_json: JsonOption = False) -> None:
    """All that is known of one style."""
    from stylecam import style

    facts = _facts(style.find(name))
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    for key, value in facts.items():
        typer.echo(f"{key:10} {value}")


@app.command()
def devices(as_json: JsonOption = False) -> None:
    """The cameras here, and what the network can run on."""
    from stylecam.engine import DEVICES, open_engine
    from stylecam.video.devices import cameras

    found = cameras()
    engines: dict[str, str] = {}
    for device in DEVICES:
        try:
            engines[device] = open_engine(device).description
        except StylecamError as error:
            engines[device] = f"not here: {error}"
    if as_json:
        listed = [{"index": camera.index, "name": camera.name} for camera in found]
        typer.echo(json.dumps({"cameras": listed, "engines": engines}, indent=1))
        return
    for camera in found:
        typer.echo(f"camera {camera.index}: {camera.name}")
    if not found:
        typer.echo("no camera; `stylecam demo` needs none")
    for device, description in engines.items():
        typer.echo(f"{device:6} {description}")


@app.command()
def doctor() -> None:
    """What is installed and works here; the first thing to send with a question."""
    from stylecam.doctor import checkup

    sound = True
    for item in checkup():
        sound &= item.sound
        typer.echo(f"{'ok ' if item.sound else 'BAD'} {item.name:12} {item.finding}")
    if not sound:
        raise typer.Exit(1)


app.add_typer(styles_app, name="styles")
for _command in (lab.bench, lab.evaluate, lab.paint, lab.train):
    app.command()(_command)

DEMO_SECONDS = 10.0


def _live(
    source: str | None,
    headless: bool,
    seconds: float | None,
    record: Path | None,
    *,
    style: str | None = None,
    device: str | None = None,
    adaptive: bool | None = None,
    **look: Any,
) -> None:
    """The window if there can be one and nothing asks for none; options not given are None."""
    from stylecam import settings
    from stylecam.display import missing

    look = {name: value for name, value in look.items() if value is not None}
    if style is not None:
        from stylecam.style import parse

        look["style"] = parse(style)
    why = "" if headless or record else missing()
    if not (headless or seconds or record or why):
        from stylecam.gui import app as gui

        remembered = settings.load()
        changed = replace(remembered, look=replace(remembered.look, **look))
        if adaptive is not None:
            changed = replace(changed, adaptive=adaptive)
        code = gui.run(replace(changed, device=device or changed.device), source)
        raise typer.Exit(code)
    chosen = replace(Look(), **look)
    device = device or Settings.device
    adaptive = Settings.adaptive if adaptive is None else adaptive
    if source in (None, "demo"):
        seconds = seconds or DEMO_SECONDS
    if not why or source not in (None, "demo"):
        _headless(source or Settings.source, seconds, record, chosen, device, adaptive)
        return
    # Nobody sees it, so it goes into a file, which replaces an older one once it is whole.
    typer.echo(
        f"{why[0].upper()}{why[1:]}: painting {seconds:g} s of the demo into {DEMO_RECORDING}."
    )
    with replacing(Path(DEMO_RECORDING)) as beside:
        _headless("demo", seconds, beside, chosen, device, adaptive, called=DEMO_RECORDING)


def _headless(
    source: str,
    seconds: float | None,
    record: Path | None,
    look: Look,
    device: str,
    adaptive: bool,
    called: str = "",
) -> None:
    from stylecam import headless

    report = _status if sys.stderr.isatty() else None
    shot = headless.run(
        source,
        look,
        seconds=seconds,
        record=record,
        device=device,
        adaptive=adaptive,
        report=report,
    )
    typer.echo(
        f"{shot.fps:.1f} fps, latency {1000 * shot.latency_s:.0f} ms, "
        f"{shot.dropped} of {shot.delivered + shot.dropped} frames dropped, "
        f"on {shot.device}{_size(shot)}."
    )
    if record and record.exists():
        typer.echo(f"Recorded {shot.recorded_s:.1f} s into {called or record}.")


def _status(shot: Snapshot) -> None:
    counts = f"{shot.delivered} frames, {shot.fps:.0f} fps, {shot.dropped} dropped"
    line = f"{counts}{_size(shot)}; Ctrl-C stops"
    typer.echo(f"\r{line:72}", nl=False, err=True)


def _size(shot: Snapshot) -> str:
    return "" if shot.scale == 1 else f", at {shot.scale:.0%} size"


def _facts(style: Any) -> dict[str, str]:
    return {
        key: getattr(style, key) for key in ("name", "title", "artist", "year", "source", "body")
    }
