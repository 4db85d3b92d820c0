"""Words on a command line → one call. Knows no pixels; heavy imports wait inside each handler."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stylecam import lab
from stylecam.errors import StylecamError
from stylecam.lab import DeviceOption, JsonOption
from stylecam.settings import DEFAULT_STYLE, DEMO_RECORDING, Look, Settings

app = typer.Typer(
    help="Turns a live webcam into a moving painting. Without a command: the window.",
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
styles_app = typer.Typer(help="The styles there are.", invoke_without_command=True)

_state = {"debug": False}

StyleOption = Annotated[
    str, typer.Option("--style", help="A style, or a blend: starry-night:0.5,the-scream:0.5")
]
StrengthOption = Annotated[
    float, typer.Option("--strength", min=0.0, max=1.0, help="0 is the photo, 1 the full style.")
]
ColorOption = Annotated[bool, typer.Option("--preserve-color", help="Keep the photo's colours.")]
SteadyOption = Annotated[bool, typer.Option("--stabilize/--no-stabilize", help="Steady brushwork.")]
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
    except StylecamError as error:
        if _state["debug"]:
            raise
        typer.echo(f"stylecam: {error}", err=True)
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
        if _display():
            raise typer.Exit(_window(None))
        _demo_into_file("There is no display here", DEMO_SECONDS, DEFAULT_STYLE, Settings.device)


@app.command()
def demo(
    seconds: SecondsOption = None,
    headless: HeadlessOption = False,
    record: RecordOption = None,
    style: StyleOption = DEFAULT_STYLE,
    device: DeviceOption = Settings.device,
) -> None:
    """The live picture on a built-in moving portrait, with no camera."""
    if not headless and record is None and seconds is None and _display():
        raise typer.Exit(_window("demo"))
    if headless or record is not None:
        _headless("demo", seconds or DEMO_SECONDS, record, _look(style), device)
    else:
        _demo_into_file("Running without a window", seconds or DEMO_SECONDS, style, device)


@app.command()
def run(
    source: Annotated[
        str, typer.Option("--source", help="A camera's number or name, a file, a URL, or demo.")
    ] = Settings.source,
    headless: HeadlessOption = False,
    seconds: SecondsOption = None,
    record: RecordOption = None,
    style: StyleOption = DEFAULT_STYLE,
    strength: StrengthOption = Look.strength,
    preserve_color: ColorOption = Look.preserve_color,
    stabilize: SteadyOption = Look.stabilize,
    device: DeviceOption = Settings.device,
) -> None:
    """The live picture from a camera, file or URL; in a window unless --headless."""
    if not headless and record is None and seconds is None and _display():
        raise typer.Exit(_window(source))
    look = _look(style, strength, preserve_color, stabilize)
    _headless(source, seconds, record, look, device)


@app.command()
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, a video or a folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; MP4 for videos.")],
    style: StyleOption = DEFAULT_STYLE,
    strength: StrengthOption = Look.strength,
    preserve_color: ColorOption = Look.preserve_color,
    stabilize: SteadyOption = Look.stabilize,
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
    from stylecam.stylizer import Stylizer

    todo = render.jobs(source, target)
    stylizer = Stylizer(device=device)
    stylizer.apply(_look(style, strength, preserve_color, stabilize))
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
for _command in (lab.bench, lab.evaluate, lab.train):
    app.command()(_command)

DEMO_SECONDS = 10.0


def _display() -> bool:
    """Whether a window could be seen."""
    if sys.platform in ("win32", "darwin"):
        return True
    wanted = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return any(os.environ.get(name) for name in wanted)


def _window(source: str | None) -> int:
    from stylecam import settings
    from stylecam.gui import app as gui

    return gui.run(settings.load(), source)


def _look(
    style: str,
    strength: float = Look.strength,
    preserve_color: bool = Look.preserve_color,
    stabilize: bool = Look.stabilize,
) -> Look:
    from stylecam.style import parse

    return Look(parse(style), strength, preserve_color, stabilize)


def _demo_into_file(why: str, seconds: float, style: str, device: str) -> None:
    typer.echo(f"{why}: painting {seconds:g} s of the demo into {DEMO_RECORDING}.")
    Path(DEMO_RECORDING).unlink(missing_ok=True)
    _headless("demo", seconds, Path(DEMO_RECORDING), _look(style), device)


def _headless(
    source: str, seconds: float | None, record: Path | None, look: Look, device: str
) -> None:
    from stylecam import headless

    shot = headless.run(source, look, seconds=seconds, record=record, device=device)
    typer.echo(
        f"{shot.fps:.1f} fps, latency {1000 * shot.latency_s:.0f} ms, "
        f"{shot.dropped} of {shot.delivered + shot.dropped} frames dropped, on {shot.device}."
    )
    if record:
        typer.echo(f"Recorded {shot.recorded_s:.1f} s into {record}.")


def _facts(style: Any) -> dict[str, str]:
    return {
        key: getattr(style, key) for key in ("name", "title", "artist", "year", "source", "body")
    }
