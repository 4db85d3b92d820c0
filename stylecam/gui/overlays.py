"""What lies over the picture: the banner, the toast and the list of keys. Knows no pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QHideEvent, QKeyEvent, QMouseEvent, QShowEvent
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from stylecam.gui import theme
from stylecam.gui.widgets import icon_button, quiet, timer

TOAST_MS = 6000


OFFERS = {"retry": "Retry", "back": "Go back", "demo": "Use demo"}
"""What a banner may offer to do, and the labels of its buttons."""


class Banner(QFrame):
    """Says across the top what went wrong and what to do."""

    taken = pyqtSignal(str)
    """One of OFFERS was chosen."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("banner")
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons = {name: QPushButton(words) for name, words in OFFERS.items()}
        self.dismiss_button = icon_button("close", "Dismiss", "")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.MARGIN, 10, theme.MARGIN, 10)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        for button in (*self.buttons.values(), self.dismiss_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(self.hide)
            row.addWidget(button)
        for name, button in self.buttons.items():
            button.clicked.connect(lambda _, name=name: self.taken.emit(name))
        self.hide()

    def show_error(self, words: str, *offered: str) -> None:
        """Shows the words, and buttons for what is `offered`, until it is dismissed or acted on."""
        first = words.partition(" ")[0]
        if first.isalpha():  # but a file's name stays as it is
            words = words[:1].upper() + words[1:]
        self.label.setText(words)
        self.setAccessibleName(self.label.text())
        for name, button in self.buttons.items():
            button.setVisible(name in offered)
        self.show()
        self.raise_()

    def place(self, width: int) -> None:
        """Places the banner across the top of a window of that width."""
        layout = self.layout()
        assert layout is not None
        self.setGeometry(0, 0, width, max(layout.heightForWidth(width), layout.sizeHint().height()))


class Toast(QFrame):
    """A message that disappears by itself, with at most one button."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("toast")
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton()
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._act: Callable[[], object] | None = None
        row = self._row = QHBoxLayout(self)
        row.setSpacing(16)
        row.addWidget(self.label)
        row.addWidget(self.button)
        self._timer = timer(self, TOAST_MS, self.hide, once=True)
        self.button.clicked.connect(self._clicked)
        self.hide()

    def say(self, words: str, action: str = "", act: Callable[[], object] | None = None) -> None:
        """Shows the words, and a button if there is an action."""
        self.label.setText(words)
        self.setAccessibleName(words)
        self.button.setText(action)
        self.button.setVisible(act is not None)
        self._row.setContentsMargins(16, 8, 8 if act else 16, 8)
        self._act = act
        self.adjustSize()
        self.show()
        self.raise_()
        self._timer.start()

    def _clicked(self) -> None:
        self.hide()
        if self._act:
            self._act()


class KeySheet(QFrame):
    """The list of keys on a card over the darkened window; a click or any key closes it.

    It has the keyboard focus while it is shown, and gives it back to its parent.
    """

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("shade")
        card = QFrame()
        card.setObjectName("sheet")
        self._grid = QGridLayout(card)
        self._grid.setContentsMargins(32, 24, 32, 28)
        self._grid.setHorizontalSpacing(36)
        self._grid.setVerticalSpacing(9)
        QVBoxLayout(self).addWidget(card, 0, Qt.AlignmentFlag.AlignCenter)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.hide()

    def fill(self, keys: Sequence[tuple[str, str]]) -> None:
        """Lists keys and what they do."""
        for row, (key, words) in enumerate(keys):
            self._grid.addWidget(QLabel(key), row, 0)
            self._grid.addWidget(quiet(words), row, 1)

    # Overrides of Qt methods

    def showEvent(self, event: QShowEvent | None) -> None:
        self.raise_()
        self.setFocus()

    def hideEvent(self, event: QHideEvent | None) -> None:
        if parent := self.parentWidget():
            parent.setFocus()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        self.hide()

    def focusNextPrevChild(self, next: bool) -> bool:
        self.hide()  # Tab closes it too, and must not move the focus behind it
        return True

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        self.hide()
