"""Small widgets that several modules of the window use. Knows nothing of what they show."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, QRect, QSize, Qt, QTimer
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

from stylecam.gui import theme


def timer(parent: QObject, ms: int, act: Callable[[], object], *, once: bool = False) -> QTimer:
    """Returns a timer that is not started yet."""
    made = QTimer(parent)
    made.setInterval(ms)
    made.setSingleShot(once)
    made.timeout.connect(act)
    return made


def quiet(words: str) -> QLabel:
    """Returns a label in a subdued colour."""
    label = QLabel(words)
    label.setObjectName("quiet")
    return label


def toggle(words: str) -> QPushButton:
    """Returns a button that stays down when pressed."""
    button = QPushButton(words)
    button.setCheckable(True)
    return button


def icon_button(name: str, words: str, keys: str) -> QPushButton:
    """Returns an icon button; words and keys make its tooltip, words its accessible name."""
    button = QPushButton()
    button.setIcon(theme.icon(name))
    button.setIconSize(QSize(20, 20))
    button.setProperty("icon_only", True)
    describe(button, words, keys)
    return button


def describe(button: QWidget, words: str, keys: str) -> None:
    """Gives a control its accessible name and a tooltip that tells its key."""
    button.setAccessibleName(words)
    button.setToolTip(f"{words} ({keys})" if keys else words)
    # Focus by Tab only: a click must not take Space and the arrows away from the window.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)


class Caption(QWidget):
    """A heading followed by quiet words on one line, cut short with … where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self._heading, self._quiet = "", ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, heading: str, quiet: str) -> None:
        """Shows the words."""
        if (heading, quiet) != (self._heading, self._quiet):
            self._heading, self._quiet = heading, quiet
            self.setAccessibleName(self.text)
            self.setToolTip(self.text)  # in full, even if it is cut short
            self.update()

    @property
    def text(self) -> str:
        """The heading and the quiet words."""
        return f"{self._heading}  {self._quiet}".strip()

    # Overrides of Qt methods

    def sizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter, left = QPainter(self), 0
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        for words, font, colour in (
            (self._heading, bold, theme.TEXT),
            (self._quiet, self.font(), theme.QUIET),
        ):
            painter.setFont(font)
            painter.setPen(QColor(colour))
            room = QRect(left, 0, max(0, self.width() - left), self.height())
            measure = painter.fontMetrics()
            words = measure.elidedText(words, Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, words)
            left += measure.horizontalAdvance(words) + (10 if words else 0)
