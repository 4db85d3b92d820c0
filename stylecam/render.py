"""Files in, painted files out: pictures, videos, folders. Knows nothing of threads or windows."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from stylecam.errors import RecordingError, SourceError, SourceMissing
from stylecam.files import replacing
from stylecam.frame import check_size
from stylecam.stylizer import Stylizer
from stylecam.video.media import FileSource
from stylecam.video.picture import SUFFIXES, is_picture, read_picture, write_picture
from stylecam.video.recorder import Recorder, check_name

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg"}
    | {".mts", ".m2ts", ".3gp", ".wmv", ".flv", ".ogv", ".gif"}
)
"""Suffixes of what counts as a video in a folder; a file given by itself may have any suffix."""


def jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """The (file, painted file) pairs for `render`: for a folder, all pictures and videos in it.

    In a target that is a folder, or has no suffix, files keep their own names; videos become MP4.
    Raises SourceMissing if there is nothing to paint, RecordingError if names clash.
    """
    if source.is_dir():
        if target.is_file():
            raise RecordingError(f"{target} is a file; name a folder for what is in {source}")
        files = sorted(p for p in source.iterdir() if is_picture(p) or _is_video(p))
        files = [p for p in files if not p.name.startswith(".")]  # added by operating systems
        if not files:
            raise SourceMissing(f"there are no pictures and no videos in {source}")
        named = Counter(file.stem for file in files if not is_picture(file))
        todo = [(file, target / _name(file, alone=named[file.stem] == 1)) for file in files]
        taken: dict[Path, Path] = {file.resolve(): file for file in files}
        for file, painted in todo:
            if (other := taken.setdefault(painted.resolve(), file)) is not file:
                raise RecordingError(
                    f"{painted} would overwrite the painting of {other}; rename one"
                )
        return todo
    if not source.exists():
        raise SourceMissing(f"there is no file {source}")
    if target.is_dir() or not target.suffix:
        painted = target / _name(source)
        own = painted.resolve() == source.resolve()  # which `render` refuses
        if painted.exists() and not own and target.resolve() == source.resolve().parent:
            raise RecordingError(f"{painted} already exists; name the file to write")
        return [(source, painted)]
    return [(source, target)]


def render(stylizer: Stylizer, source: Path, target: Path) -> Iterator[tuple[int, int]]:
    """Paints one file into another, which appears only once it is whole.

    Yields (done, total): frames of a video, 1 of 1 for a picture. If the iteration is ended early,
    no file is left behind.

    Raises StylecamError if the source cannot be read or the target cannot be written.
    """
    if source.resolve() == target.resolve():
        raise RecordingError(f"{target} is also the input; name another file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"cannot make {target.parent}: {error.strerror}") from None
    stylizer.reset()
    if is_picture(source):
        write_picture(target, stylizer.still(check_size(source.name, read_picture(source))))
        yield 1, 1
        return
    if is_picture(target) and not _is_video(source):
        kinds = ", ".join(sorted(SUFFIXES))
        raise SourceError(f"{source.name} is not a picture that can be read; expected {kinds}")
    check_name(target)
    video = FileSource(source)
    with closing(video.frames()) as frames:
        # Read before anything is written, so that a file that is not a video leaves nothing behind.
        first = next(frames)
        try:
            with (
                replacing(target) as beside,
                Recorder(beside, video.rate, source, video.begin_s) as recorder,
            ):
                film = stylizer.film(itertools.chain([first], frames))
                for done, painted in enumerate(film, 1):
                    recorder.put(painted)
                    yield done, max(done + 1, round((video.seconds or 0) * video.rate))
                recorder.play_out(painted, video.last_s)
            if video.damaged:
                log.warning("%s is damaged; what could be read of it is in %s", source, target)
            yield done, done  # the length was a guess
        except OSError as error:
            raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _name(file: Path, *, alone: bool = True) -> str:
    """The name of the painted file; `alone` if no other video in the folder has the same stem."""
    if is_picture(file) or file.suffix.lower() == ".mp4":
        return file.name
    return f"{file.stem if alone else file.name}.mp4"
