"""The parts of the style slider: a thumbnail and the line itself. Knows nothing of blends."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QBrush,
    QColor,
    QCursor,
    QEnterEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractButton, QSlider, QWidget

from stylecam.gui import theme
from stylecam.style import Style


def label_of(style: Style) -> str:
    """Returns a style's short name as people write it: great-wave → Great wave."""
    words = style.name.replace("-", " ").replace("_", " ")
    return style.title if style.title.lower() == words else words[:1].upper() + words[1:]


class Mark(QAbstractButton):
    """A style's thumbnail and name. Its outline is as opaque as the style's share."""

    SIDE = 64
    HEIGHT = SIDE + 22

    def __init__(self, style: Style, picture: Path | None, parent: QWidget):
        super().__init__(parent)
        self.name = style.name
        self.setText(label_of(style))
        self.setToolTip(" · ".join(filter(None, (style.title, style.artist, style.year))))
        self.setAccessibleName(style.title or self.text())
        # The slider below handles the keys for all marks.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._share = 0.0
        self._picture = QPixmap(str(picture)) if picture else QPixmap()
        smaller = self.font()
        smaller.setPointSizeF(smaller.pointSizeF() * 0.9)
        self.setFont(smaller)

    def set_share(self, share: float) -> None:
        """Sets how much of the blend is this style, 0 to 1."""
        if share != self._share:
            self._share = share
            self.update()

    # Overrides of Qt methods

    def enterEvent(self, event: QEnterEvent | None) -> None:
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.SIDE, self.HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        box = QRectF((self.width() - self.SIDE) / 2, 2, self.SIDE - 2, self.SIDE - 2)
        pointed = self.underMouse() and self.rect().contains(self.mapFromGlobal(QCursor.pos()))
        lit = self._share > 0 or pointed
        if self._picture.isNull():
            painter.setBrush(QColor(theme.RAISED))
        else:
            brush = QBrush(self._picture)
            scale = box.width() / self._picture.width()
            brush.setTransform(brush.transform().translate(box.x(), box.y()).scale(scale, scale))
            painter.setBrush(brush)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setOpacity(1.0 if lit else 0.78)
        painter.drawRoundedRect(box, 8, 8)
        painter.setOpacity(1.0)
        if self._share > 0:
            outline = QColor(theme.ACCENT)
            outline.setAlphaF(self._share)
            painter.setPen(QPen(outline, 2.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)
        words = QRect(2, self.SIDE + 2, self.width() - 4, self.HEIGHT - self.SIDE - 2)
        painter.setPen(QColor(theme.TEXT if lit else theme.QUIET))
        short = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, short)


class StyleSlider(QSlider):
    """The line through the styles: drag the handle, or press anywhere on the line."""

    HEIGHT = 26

    stepped = pyqtSignal(int)
    """An arrow key asks for the next style in that direction, -1 or 1."""
    nudged = pyqtSignal(int)
    """Page Up or Page Down asks for a blend with the style in that direction, -1 or 1."""
    pressed_at = pyqtSignal(float)
    """The line was pressed beside the handle, at this position in styles."""

    def __init__(self, steps: int, count: int, parent: QWidget):
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._steps, self._count = steps, count
        self._first, self._pitch, self._sight = 0.0, 1.0, 1
        self._grabbed: float | None = None
        """How far right of the handle's middle the mouse holds it, in pixels; None if not
        dragging."""
        self.held_at: float | None = None
        """Where in the visible part the mouse has dragged the handle, in pixels; None if not
        dragging."""
        self.setRange(0, max(0, count - 1) * steps)
        # Focus by Tab only: a click must not take the arrow keys away from the window.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Style")
        self.setToolTip("Drag to blend neighbouring styles (Left, Right, 1–9)")

    def set_scale(self, first: float, pitch: float, sight: int) -> None:
        """Sets, in pixels, where the first style lies, the distance to the next, and the view's
        width."""
        self._first, self._pitch, self._sight = first, pitch, sight
        self.update()

    def x_of(self, value: int) -> float:
        """Returns where a value lies on the line, in pixels."""
        return self._first + value / self._steps * self._pitch

    def follow(self) -> None:
        """Keeps a dragged handle under the mouse while the line scrolls."""
        if self.held_at is not None:
            at = self.held_at - self._scrolled()
            self.setValue(round((at - self._first) / self._pitch * self._steps))

    def _scrolled(self) -> float:
        """Returns where the line begins in the visible part, in pixels: it lies on a scrolled
        widget."""
        row = self.parentWidget()
        assert row is not None
        return row.x() + self.x()

    # Overrides of Qt methods

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        x, handle = event.position().x(), self.x_of(self.value())
        if abs(x - handle) <= 14:
            self._grabbed = x - handle
            self.setSliderDown(True)
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            position = (x - self._first) / self._pitch
            # Near a style, snap to it.
            near = round(position)
            position = near if abs(position - near) < 0.15 else position
            self.pressed_at.emit(float(min(max(position, 0), self._count - 1)))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if self._grabbed is not None:
            at = event.position().x() + self._scrolled() - self._grabbed
            self.held_at = min(max(at, 0.0), float(self._sight))
            self.follow()

    def hideEvent(self, event: QHideEvent | None) -> None:
        self.mouseReleaseEvent(None)  # a hidden widget gets no release event

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        self._grabbed = self.held_at = None
        self.setSliderDown(False)
        self.unsetCursor()
        self.update()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        nudges = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
        if event.key() in steps:
            self.stepped.emit(steps[Qt.Key(event.key())])
        elif event.key() in nudges:
            self.nudged.emit(nudges[Qt.Key(event.key())])
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        assert event is not None
        event.ignore()  # so that the strip scrolls

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        painter.setPen(QPen(QColor(theme.EDGE), 3, cap=Qt.PenCapStyle.RoundCap))
        ends = (QPointF(self.x_of(v), middle) for v in (0, self.maximum()))
        painter.drawLine(*ends)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.FAINT))
        for i in range(self._count):
            painter.drawEllipse(QPointF(self.x_of(i * self._steps), middle), 3, 3)
        handle = QPointF(self.x_of(self.value()), middle)
        painter.setBrush(QColor(theme.ACCENT))
        radius = 9 if self.isSliderDown() else 8
        painter.drawEllipse(handle, radius, radius)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.TEXT), 2))
            painter.drawEllipse(handle, 11, 11)
