"""The source menu: cameras, demo, file, address, and where recordings go. Opens no source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QDir, QFileInfo, Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QAction, QPaintEvent
from PyQt6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QInputDialog,
    QMenu,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
)


def kinds() -> str:
    """Returns the files to choose from, as a Qt file filter."""
    # Imported here because it loads OpenCV, which must not delay the first paint.
    from stylecam.render import VIDEO_SUFFIXES
    from stylecam.video.picture import SUFFIXES

    names = (f"*{suffix}" for suffix in sorted({*VIDEO_SUFFIXES, *SUFFIXES}))
    return f"Videos and pictures ({' '.join(names)});;All files (*)"


class SourceButton(QPushButton):
    """Names the source; its menu, refilled each time it opens, offers the others."""

    chosen = pyqtSignal(str)
    """What `open_source` should open."""
    folder_chosen = pyqtSignal(str)
    """Where recordings and snapshots should go."""
    opened = pyqtSignal()
    """Its menu was opened, and gets all keys from then on."""

    def __init__(self) -> None:
        super().__init__("Source")
        self.setObjectName("source")
        self.setFixedWidth(184)
        self._name = ""
        self.spec = ""
        """What was chosen last, where a dialog begins."""
        self.adaptive = QAction("Paint less to keep up", self)
        self.adaptive.setCheckable(True)
        self.saved_in: Callable[[], Path] = Path
        """Returns the folder of recordings and snapshots."""
        folder = self._folder = QAction("Save recordings in…", self)
        folder.triggered.connect(self._ask_folder)
        self.recordings = QAction("Show recordings", self)
        menu = QMenu(self)
        menu.aboutToShow.connect(self.fill)
        menu.aboutToShow.connect(self.opened)
        self.setMenu(menu)

    def show_name(self, name: str) -> None:
        """Shows the source's name on the button."""
        if name == self._name:
            return
        self._name = name
        self.setText("Demo" if name == "demo" else name)
        self.setAccessibleDescription(self.text())

    def fill(self) -> None:
        """Fills the menu with what there is now."""
        # Imported here because it loads OpenCV, which must not delay the first paint.
        from stylecam.video.devices import cameras

        menu = self.menu()
        assert menu is not None
        menu.clear()
        found = cameras()
        names = [camera.name for camera in found]
        for camera in found:
            # By name if unique: numbers change with the order in which cameras are plugged in.
            if names.count(camera.name) == 1:
                self._offer(menu, camera.name, camera.name)
            else:
                twin = str(camera.index)
                self._offer(menu, camera.name, twin, self.spec == twin)
        if not found:
            menu.addAction("No camera found").setEnabled(False)  # type: ignore[union-attr]
        menu.addSeparator()
        self._offer(menu, "Demo", "demo")
        menu.addAction("Open file…", self._ask_file)
        menu.addAction("Open URL…", self._ask_url)
        menu.addSeparator()
        menu.addAction(self.adaptive)
        menu.addAction(self._folder)
        menu.addAction(self.recordings)

    def _offer(self, menu: QMenu, words: str, spec: str, this: bool = True) -> None:
        """Adds a source to the menu; `this` is false if it is not the one shown, though of the same
        name."""
        action = QAction(words, menu)
        action.setCheckable(True)
        action.setChecked(this and words.lower() == self._name.lower())
        action.triggered.connect(lambda: self.chosen.emit(spec))
        menu.addAction(action)

    def _ask_file(self) -> None:
        file = QFileInfo(self.spec)
        near = file.path() if file.isFile() else QDir.homePath()
        dialog = QFileDialog(self.window(), "Open a video or picture", near, kinds())
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.chosen)
        dialog.open()  # not exec, so that the picture goes on

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self.window(), "Save recordings in", str(self.saved_in()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder_chosen)
        dialog.open()

    def _ask_url(self) -> None:
        dialog = QInputDialog(self.window())
        dialog.setWindowTitle("Open URL")
        dialog.setLabelText("Address of a stream or network camera, such as rtsp:// or http://…")
        dialog.setTextValue(self.spec if "://" in self.spec else "rtsp://")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(lambda address: self.chosen.emit(address.strip()))
        dialog.resize(440, dialog.height())
        dialog.open()
        if (buttons := dialog.findChild(QDialogButtonBox)) is not None:
            ok = buttons.button(QDialogButtonBox.StandardButton.Ok)
            assert ok is not None

            def check(address: str) -> None:
                ok.setEnabled(bool(QUrl(address.strip()).host()))

            dialog.textValueChanged.connect(check)
            check(dialog.textValue())

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent | None) -> None:
        # Style sheets can neither indent nor shorten the text of a button with a menu.
        painter, option = QStylePainter(self), QStyleOptionButton()
        self.initStyleOption(option)
        words, option.text = option.text, ""
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        room = self.rect().adjusted(13, 0, -28, 0)
        words = option.fontMetrics.elidedText(words, Qt.TextElideMode.ElideMiddle, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, words)
