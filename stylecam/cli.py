"""The command line: each command becomes one call. Knows nothing about pixels.

Heavy imports wait inside each handler.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stylecam import lab
from stylecam.errors import StylecamError
from stylecam.lab import ADAPTIVE, DEVICE, DeviceOption, JsonOption
from stylecam.settings import DEFAULT_STYLE, DEVICES, Look, Settings
from stylecam.watch import DEMO_SECONDS, watch

app = typer.Typer(
    help="Turns a live webcam into a moving painting. Without a command, opens the window.",
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
styles_app = typer.Typer(help="List the styles, or show one.", invoke_without_command=True)

_state = {"debug": False}

STYLE = typer.Option("--style", help="A style, or a blend: starry-night:0.5,the-scream:0.5")
STRENGTH = typer.Option("--strength", min=0.0, max=1.0, help="0 is the photo, 1 the full style.")
STROKE = typer.Option("--stroke", min=0.0, max=1.0, help="0 is fine brushwork, 1 coarse.")
COLOR = typer.Option("--preserve-color", help="Keep the photo's colours.")
STEADINESS = typer.Option(
    "--steadiness",
    min=0.0,
    max=1.0,
    help="How firmly brushwork is held, against flicker; 0 not at all.",
)
BareOption = Annotated[bool, typer.Option("--no-stabilize", help="The same as --steadiness 0.")]
LookStyleOption = Annotated[str | None, STYLE]
LookDeviceOption = Annotated[str | None, DEVICE]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Record the painted picture into this MP4.")
]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        min=0.1,
        help=f"Stop after so many seconds (the demo without a window: {DEMO_SECONDS:g}).",
    ),
]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="No window; print what happens.")]


def main() -> None:
    """The `stylecam` command. Exit codes: 0 fine, 1 an error to act on, 2 wrong usage."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    # A request to end, or a closed terminal, ends it as Ctrl-C does: the recording is kept, and no
    # half-written file is left.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None on Windows without a terminal
            stream.reconfigure(errors="replace")  # for characters that its encoding lacks
    try:
        app()
    except (StylecamError, OSError, MemoryError) as error:
        if _state["debug"]:
            raise
        typer.echo(f"stylecam: {str(error) or repr(error)}", err=True)
        sys.exit(1)
    except RuntimeError as error:
        if _state["debug"] or "home directory" not in str(error):  # from Path.home: unknown user
            raise
        typer.echo(
            "stylecam: there is no home directory; set HOME to a folder that you can write to",
            err=True,
        )
        sys.exit(1)


def window() -> None:
    """The `stylecam-gui` command: opens the window, without a terminal."""
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
        watch(None, False, None, None)


@app.command()
def demo(
    seconds: SecondsOption = None,
    headless: HeadlessOption = False,
    record: RecordOption = None,
    style: LookStyleOption = None,
    device: LookDeviceOption = None,
) -> None:
    """Show the live picture of a built-in moving portrait; needs no camera."""
    watch("demo", headless, seconds, record, style=style, device=device)


@app.command()
def run(
    source: Annotated[
        str | None,
        typer.Option("--source", help="A camera's number or name, a file, a URL, demo, or auto."),
    ] = None,
    headless: HeadlessOption = False,
    seconds: SecondsOption = None,
    record: RecordOption = None,
    style: LookStyleOption = None,
    strength: Annotated[float | None, STRENGTH] = None,
    stroke: Annotated[float | None, STROKE] = None,
    preserve_color: Annotated[bool | None, COLOR] = None,
    steadiness: Annotated[float | None, STEADINESS] = None,
    no_stabilize: BareOption = False,
    size: Annotated[
        str | None, typer.Option("--size", help="Resolution to ask a camera for, WIDTHxHEIGHT.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=1.0, max=240.0, help="Frame rate to ask a camera for."),
    ] = None,
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Show a camera as a mirror does.")
    ] = None,
    adaptive: Annotated[bool | None, ADAPTIVE] = None,
    device: LookDeviceOption = None,
) -> None:
    """Show the live picture from a camera, file or URL.

    Opens the window with the settings that it remembers, except for the options given. Runs without
    a window if there is no display, or with --headless, --seconds or --record.
    """
    watch(
        source,
        headless,
        seconds,
        record,
        unseen=Settings.source,
        style=style,
        strength=strength,
        stroke=stroke,
        preserve_color=preserve_color,
        steadiness=0.0 if no_stabilize else steadiness,
        size=size,
        rate=rate,
        mirror=mirror,
        adaptive=adaptive,
        device=device,
    )


@app.command()
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, a video or a folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write; MP4 for videos.")],
    style: Annotated[str, STYLE] = DEFAULT_STYLE,
    strength: Annotated[float, STRENGTH] = Look.strength,
    stroke: Annotated[float, STROKE] = Look.stroke,
    preserve_color: Annotated[bool, COLOR] = Look.preserve_color,
    steadiness: Annotated[float, STEADINESS] = Look.steadiness,
    no_stabilize: BareOption = False,
    device: DeviceOption = Settings.device,
) -> None:
    """Paint a picture, a video (its sound is kept) or all of them in a folder."""
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
    steadiness = 0.0 if no_stabilize else steadiness
    stylizer.apply(Look(parse(style), strength, stroke, preserve_color, steadiness))
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
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
    into = target if len(todo) > 1 else todo[0][1]
    well = f"{len(todo) - len(failed)} of {len(todo)}"
    typer.echo(f"{well} painted into {into} on {stylizer.description}.")
    if failed:
        raise typer.Exit(1)


@styles_app.callback()
def styles(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        styles_list()


@styles_app.command("list")
def styles_list(as_json: JsonOption = False) -> None:
    """List the name, title, artist and year of each style."""
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
    """Show everything that is known of one style."""
    from stylecam import style

    facts = _facts(style.find(name))
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    for key, value in facts.items():
        typer.echo(f"{key:10} {value}")


@app.command()
def devices(as_json: JsonOption = False) -> None:
    """List the cameras, and the devices that the network can run on."""
    from stylecam.engine import open_engine
    from stylecam.video.devices import cameras

    found = cameras()
    engines: dict[str, str] = {}
    for device in DEVICES:
        try:
            engines[device] = open_engine(device).description
        except StylecamError as error:
            engines[device] = f"not available: {error}"
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
    """Check what is installed and works here; send its output along when you report a problem."""
    from stylecam.doctor import checkup

    sound = True
    for item in checkup():
        sound &= item.sound
        typer.echo(f"{'ok ' if item.sound else 'BAD'} {item.name:12} {item.finding}")
    if not sound:
        raise typer.Exit(1)


app.add_typer(styles_app, name="styles")
for _command in (lab.bench, lab.evaluate, lab.draw, lab.paint, lab.train):
    app.command()(_command)


def _facts(style: Any) -> dict[str, str | int]:
    return {
        key: getattr(style, key)
        for key in ("name", "title", "artist", "year", "source", "side", "body")
    }
