"""The window's frame: layout of picture, controls and overlays, full screen, saved geometry.

Knows no pipeline and no settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QEvent, QSettings, QSize, Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import QWidget

from stylecam.gui import theme
from stylecam.gui.overlays import Banner, KeySheet, Toast
from stylecam.gui.panel import Panel
from stylecam.gui.view import LiveView
from stylecam.gui.widgets import timer
from stylecam.settings import settings_path

FIRST_SIZE, LEAST_SIZE, FRAME = QSize(1100, 760), QSize(720, 520), QSize(20, 60)
"""The window's initial and minimum size, where the screen has room for them, and the space that the
desktop adds around it."""

IDLE_MS = 2000
"""In full screen, controls and cursor hide when the mouse has been still for this long, unless it
is over the controls or Tab has led to one."""


_PAGES = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_REPEATING = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, *_PAGES)
_WITH = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier

Action = Callable[[], object]
KeyTable = list[tuple[str, str, dict[int, Action]]]
"""Keys as people call them, what they do, and the actions by Qt's key number."""


class Shell(QWidget):
    """The picture above the controls; in full screen the controls lie over it and come and go."""

    dropped = pyqtSignal(str)
    """A file or an address was dropped on the window."""

    def __init__(self, view: LiveView, panel: Panel):
        super().__init__()
        self.view, self.panel = view, panel
        for part in (view, panel):
            part.setParent(self)
        self.banner, self.toast, self.keys = Banner(self), Toast(self), KeySheet(self)
        self._alone = False
        """Whether the user has hidden the controls."""
        self._presses: dict[int, Action] = {}
        self._releases: dict[int, Action] = {}
        self._idle = timer(self, IDLE_MS, self._hide_controls, once=True)
        self.view.moved.connect(self._wake)
        self.view.double_clicked.connect(self.toggle_full_screen)

        self.setAcceptDrops(True)
        self.setWindowTitle("stylecam")
        least, first = LEAST_SIZE, FIRST_SIZE
        if (screen := self.screen()) is not None:
            room = screen.availableSize() - FRAME
            least, first = least.boundedTo(room), first.boundedTo(room)
        self.setMinimumSize(least.expandedTo(QSize(panel.minimumSizeHint().width(), 0)))
        self.resize(first)
        # The window gets the keys unless Tab has led to a control.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()
        self._memory = QSettings(
            str(settings_path().with_name("window.ini")), QSettings.Format.IniFormat
        )
        geometry = self._memory.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)

    def toggle_full_screen(self) -> None:
        """Switches between full screen and the window."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def toggle_controls(self) -> None:
        """Shows or hides the controls, for example to capture the picture alone."""
        self._alone = not self._alone
        self.panel.setVisible(not self._alone)
        self.setFocus()
        self._arrange()

    def bind(self, presses: KeyTable, releases: dict[int, Action]) -> None:
        """Sets what keys do that no control handles; the presses are also the list behind "?"."""
        self._presses = {key: act for _, _, acts in presses for key, act in acts.items()}
        self._releases = releases
        self.keys.fill([(key, words) for key, words, _ in presses])

    def tell(self, words: str, action: str = "", act: Action | None = None) -> None:
        """Shows a message above the controls, with at most one button."""
        self.toast.say(words, action, act)
        self._arrange()

    def complain(self, words: str, *offered: str) -> None:
        """Shows an error across the top, with buttons for what may help, of OFFERS."""
        self.banner.show_error(words, *offered)
        self._arrange()

    def show_folder(self, folder: Path) -> None:
        """Opens a folder in the desktop's file manager."""
        if not folder.is_dir():
            self.tell("Nothing has been saved yet.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.complain(f"nothing here opens folders; this one is {folder}")

    def remember(self) -> None:
        """Saves the window's geometry for the next time."""
        self._memory.setValue("geometry", self.saveGeometry())

    def _wake(self) -> None:
        if self.isFullScreen():
            self.unsetCursor()
            self.panel.show()
            self._arrange()
            self._idle.start()

    def _hide_controls(self) -> None:
        if not self.isFullScreen():
            return
        focus = self.focusWidget()
        if self.panel.underMouse() or (focus and self.panel.isAncestorOf(focus)):
            self._idle.start()
            return
        self.panel.hide()
        self._arrange()
        self.setFocus()
        self.setCursor(Qt.CursorShape.BlankCursor)

    def _arrange(self) -> None:
        width, height = self.width(), self.height()
        below = self.panel.sizeHint().height()
        shown = below if self.panel.isVisibleTo(self) else 0
        self.view.setGeometry(0, 0, width, height - (0 if self.isFullScreen() else shown))
        self.panel.setGeometry(0, height - below, width, below)
        self.keys.setGeometry(0, 0, width, height)
        self.banner.place(width)
        bottom = height - shown - theme.MARGIN
        self.toast.move((width - self.toast.width()) // 2, bottom - self.toast.height())
        self.keys.raise_()

    # Overrides of Qt methods

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._arrange()

    def changeEvent(self, event: QEvent | None) -> None:
        assert event is not None
        if event.type() == QEvent.Type.WindowStateChange:
            self._idle.stop()
            self.unsetCursor()
            self.panel.setVisible(not (self.isFullScreen() or self._alone))
            if self.isFullScreen():
                self.setFocus()
            self._idle.start()
            self._arrange()
        super().changeEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        self._wake()
        return super().focusNextPrevChild(next)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        act = self._presses.get(event.key())
        if event.modifiers() & _WITH and event.key() != Qt.Key.Key_Q:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Escape and self.isFullScreen():
            self.toggle_full_screen()
        elif event.key() == Qt.Key.Key_Escape:
            self.setFocus()  # takes the keys back from a control that Tab has led to
        elif act and (not event.isAutoRepeat() or event.key() in _REPEATING):
            act()

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        act = self._releases.get(event.key())
        if act and not event.isAutoRepeat():
            act()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        assert event is not None
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        assert event is not None
        event.acceptProposedAction()
        self.dropped.emit(_dropped(event))


def _dropped(event: QDropEvent) -> str:
    """Returns the single file or address that was dropped, else an empty string."""
    mime = event.mimeData()
    urls = mime.urls() if mime else []
    return (urls[0].toLocalFile() or urls[0].toString()) if len(urls) == 1 else ""
