"""The main window: joins the controls to the live pipeline. Knows no thread, no codec, no network.

The window polls: a timer asks the session for its state and shows it. Whatever the user changes
becomes a new `Settings`, which goes to the session at once and to disk a little later. Settings
that were given for this time only are not saved.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QEvent
from PyQt6.QtGui import QCloseEvent

from stylecam import style
from stylecam.errors import (
    EngineError,
    FrameError,
    RecordingError,
    SettingsError,
    SourceError,
    SourceLost,
    StylecamError,
)
from stylecam.gui.keys import bindings
from stylecam.gui.panel import Panel
from stylecam.gui.session import OpenSource, Session, new_file, open_source, short_name, status_line
from stylecam.gui.shell import Shell
from stylecam.gui.view import LiveView
from stylecam.gui.widgets import timer
from stylecam.settings import Look, Settings, save

if TYPE_CHECKING:
    from stylecam.frame import Frame
    from stylecam.live import Snapshot
    from stylecam.video.sources import Source

log = logging.getLogger(__name__)

TICK_MS = 16
SAVE_MS = 500
"""Settings are saved when they have not changed for this long."""
RETRY_MS = 3000  # to the next try for a lost source


class MainWindow(Shell):
    """Shows `source`, or the one remembered in `settings`, once it is on screen.

    If `kept` is given, `settings` hold for this time only, and `kept`, with the user's changes, is
    what is saved. `troubles` are shown once there is a picture or an error.
    """

    def __init__(
        self,
        settings: Settings,
        source: str | None = None,
        open_source: OpenSource = open_source,
        kept: Settings | None = None,
        troubles: Sequence[str] = (),
    ):
        library = style.styles()
        known = {n: w for n, w in settings.look.style.items() if w and n in library}
        look = replace(settings.look, style=known or Look().style)
        super().__init__(LiveView(), Panel(library, look))
        self.settings = replace(settings, look=look)
        self._kept = kept or self.settings
        self.session = Session(open_source)
        self._spec = source or settings.source
        self._source: Source | None = None
        self._chosen: str | None = None
        """What to remember as the source once it shows something."""
        self._shown: str | None = None
        """The last source that showed something."""
        self._lost: Source | None = None
        """The source that went away while it was shown, and is waited for."""
        self._record_to: Path | None = None
        self._began = self._original = False
        self._troubles = troubles
        self._ticker = timer(self, TICK_MS, self._tick)
        self._saver = timer(self, SAVE_MS, self._save, once=True)
        self._waiter = timer(self, RETRY_MS, self._reopen, once=True)
        self.bind(*bindings(self))
        self._show_settings()
        self._connect()
        self._ticker.start()

    # What the user can do

    def start(self) -> None:
        """Shows the source from its beginning."""
        self.banner.hide()
        self.stop("Starting…")
        if self._spec != "auto":
            self.panel.source.show_name(short_name(self._spec))
        self.panel.source.spec = self._spec
        self.session.open(self._spec, self.settings)
        self.panel.set_running(True)

    def stop(self, words: str = "Stopped. Press Space to start.") -> None:
        """Releases the source, and shows words in place of the picture."""
        self.session.stop()  # before the recording is forgotten, so that it is reported
        self._record(None)
        self._source = self._lost = None
        self._waiter.stop()
        self.view.say(words)
        self.panel.set_running(False)
        self.panel.status.say("", "")

    def toggle(self) -> None:
        """Starts or stops."""
        if self.session.active:
            self.stop()
        else:
            self.start()

    def show_source(self, spec: str) -> None:
        """Shows another source."""
        self._spec, self._chosen = spec, None
        self.start()

    def choose(self, spec: str) -> None:
        """Shows another source, and remembers it for the next time once it shows something."""
        self.show_source(spec)
        self._chosen = spec

    def toggle_recording(self) -> None:
        """Starts or ends a recording; the file is complete when the toast says so."""
        if self._record_to or not self.session.active:
            self._record(None)
            return
        try:
            self._record(new_file(self.settings.recordings(), ".mp4"))
        except RecordingError as error:
            self.complain(str(error))
        else:
            if self.isFullScreen():  # where the button may be hidden
                self.tell("Recording…")

    def save_snapshot(self) -> None:
        """Saves the picture that is seen as PNG."""
        shot = self.session.snapshot()
        frame = self._seen(shot) if shot else None
        if frame is None:
            return
        from stylecam.video.picture import write_picture  # loads OpenCV: not before the first paint

        try:
            path = new_file(self.settings.recordings(), ".png")
            write_picture(path, frame.pixels)
        except RecordingError as error:
            self.complain(str(error))
        else:
            self._tell_saved(path)

    def show_original(self, on: bool) -> None:
        """Shows the picture before it is painted, while `on`."""
        self._original = on

    def change(self, **new: Any) -> None:
        """Changes settings, or those of the look, by name; takes effect at once."""
        self.settings, self._kept = (each.changed(**new) for each in (self.settings, self._kept))
        self._show_settings()
        self.session.update(self.settings, self._record_to)
        self._saver.start()

    def _change_style(self, weights: dict[str, float]) -> None:
        self.change(style=weights)
        if weights == self.panel.strip.asked:  # not during a cross-fade
            self._tell_unseen(self.panel.title.text)

    def _change_strength(self, percent: int) -> None:
        self.change(strength=percent / 100)
        self._tell_unseen(f"Strength {percent}%")

    def _tell_unseen(self, words: str) -> None:
        """Says what a key did while the controls are hidden."""
        if not self.panel.isVisible():  # as in full screen
            self.tell(words)

    # What happens on its own

    def _tick(self) -> None:
        if not self._began:
            if self.view.painted:  # nothing may delay the first paint
                self._began = True
                self.start()
            return
        shot = self.session.snapshot()
        for path, broken, left_out in self.session.finished():
            if broken or path == self._record_to:
                self._record(None)
            if broken:
                self.complain(str(broken))
            else:
                self._tell_saved(path, left_out)
        if shot is None:
            return
        self._show_source()
        if self._record_to:
            self.panel.set_recording(shot.recorded_s)
        if shot.error:
            self._fail(shot.error)
        elif shot.ended:
            self.stop("End of the video. Press Space to play it again.")
        else:
            self._show_picture(shot)

    def _fail(self, error: StylecamError) -> None:
        log.info("stopped: %s", error)
        if isinstance(error, EngineError) and self.settings.device != "auto":
            # For this time only: the device may come back, and the window has no way to choose one.
            self.settings = replace(self.settings, device="auto")
            self.start()
            why, _, _ = str(error).partition(";")
            self.tell(f"{why[0].upper()}{why[1:]}. Using what there is instead.")
            return
        awaited = self._lost if isinstance(error, SourceError) else None
        lost = awaited or (self._source if isinstance(error, SourceLost) else None)
        self.stop(f"Waiting for {lost.name} to come back…" if lost else "No picture")
        if lost:
            self._lost = lost
            self._waiter.start()
        if awaited:  # its banner is still there
            return
        other = isinstance(error, SourceError | FrameError) and self._spec != "demo"
        way_out = "demo" if self._shown in (None, self._spec) else "back"
        offered = ["retry", way_out] if other else ["retry"]
        self.complain(self._with_troubles(str(error)), *offered)

    def _reopen(self) -> None:
        if self._lost:
            self.session.open(self._lost, self.settings)
            self.panel.set_running(True)

    def _with_troubles(self, *words: str) -> str:
        """Returns the troubles not yet shown, followed by the words, in one text: a second message
        would replace the first."""
        lines, self._troubles = [*self._troubles, *words], ()
        return "\n".join(lines)

    def _show_picture(self, shot: Snapshot) -> None:
        name = self._source.name if self._source else "the source"
        frame = self._seen(shot)
        if frame is None:
            network = shot.opened or not shot.device
            self.view.say("Preparing the network…" if network else f"Opening {name}…")
            return
        self.view.show_frame(frame)
        self.view.set_recording(shot.recording is not None and self.isFullScreen())
        self._shown = self._spec
        if self._lost:  # it is back
            self._lost = None
            self.banner.hide()
        if self._chosen is not None:
            chosen, self._chosen = self._chosen, None
            self.change(source=chosen)
        if self._troubles:
            self.complain(self._with_troubles())
        self.panel.status.say("", status_line(shot, name))

    def _seen(self, shot: Snapshot) -> Frame | None:
        return shot.original if self._original else shot.frame

    def _show_source(self) -> None:
        source = self.session.source()
        if source is not None and source is not self._source:
            self._source = source
            self.panel.source.show_name(source.name)
            self.panel.mirror.setEnabled(source.mirrored)
            if self._spec == "auto" and source.name == "demo":
                self.tell("No camera found; showing the demo.")

    def _show_settings(self) -> None:
        panel = self.panel
        panel.show_look(self.settings.look)
        panel.mirror.setChecked(self.settings.mirror)
        panel.source.adaptive.setChecked(self.settings.adaptive)
        panel.source.saved_in = self.settings.recordings  # called later: it reads a file

    def _record(self, path: Path | None) -> None:
        self._record_to = path
        self.panel.set_recording(0.0 if path else None)
        self.session.update(self.settings, path)

    def _tell_saved(self, path: Path, left_out: int = 0) -> None:
        words = f"Saved {path.name}" + (f", {left_out} frames missing" if left_out else "")
        self.tell(words, "Show in folder", partial(self.show_folder, path.parent))

    def _take(self, offer: str) -> None:
        """Does what the banner offered."""
        if offer == "retry":
            self.start()
        else:
            self.show_source(self._shown if offer == "back" and self._shown else "demo")

    def _save(self) -> None:
        try:
            save(self._kept)
        except SettingsError as error:
            log.error("%s", error)  # for when the window is already closing
            self.complain(str(error))

    def _connect(self) -> None:
        panel = self.panel
        self.banner.taken.connect(self._take)
        panel.strip.changed.connect(self._change_style)
        panel.strength.valueChanged.connect(self._change_strength)
        panel.colours.clicked.connect(lambda on: self.change(preserve_color=on))
        panel.stroke.valueChanged.connect(lambda value: self.change(stroke=value / 100))
        panel.steadiness.valueChanged.connect(lambda value: self.change(steadiness=value / 100))
        panel.mirror.clicked.connect(lambda on: self.change(mirror=on))
        panel.source.chosen.connect(self.choose)
        self.dropped.connect(self.choose)
        panel.source.adaptive.triggered.connect(lambda on: self.change(adaptive=on))
        panel.source.folder_chosen.connect(lambda folder: self.change(folder=folder))
        panel.source.recordings.triggered.connect(
            lambda: self.show_folder(self.settings.recordings())
        )
        panel.start.clicked.connect(self.toggle)
        panel.record.clicked.connect(self.toggle_recording)
        panel.snapshot.clicked.connect(self.save_snapshot)
        panel.compare.pressed.connect(partial(self.show_original, True))
        panel.compare.released.connect(partial(self.show_original, False))
        panel.source.opened.connect(partial(self.show_original, False))
        panel.full.clicked.connect(self.toggle_full_screen)
        panel.help.clicked.connect(self.keys.show)

    # Overrides of Qt methods

    def changeEvent(self, event: QEvent | None) -> None:
        assert event is not None
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.show_original(False)  # the key's release goes to another window, such as a menu
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self._ticker.stop()
        self.panel.strip.settle()  # saves the style asked for, not one on the way there
        if self._saver.isActive():  # else nothing changed here, and another window may have saved
            self._saver.stop()
            self._save()
        self.remember()
        self.hide()  # what follows may take a moment
        self.session.close()
        super().closeEvent(event)
