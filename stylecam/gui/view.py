"""The live picture: paints the newest frame, or a message. Knows no pipeline and no style."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QRegion,
)
from PyQt6.QtWidgets import QWidget

from stylecam.frame import Frame
from stylecam.gui import theme


class LiveView(QWidget):
    """Shows what it was given last, letterboxed."""

    moved = pyqtSignal()
    """The mouse moved over the picture."""
    double_clicked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.painted = False
        """Whether it has ever been painted."""
        self._frame: Frame | None = None
        self._image: QImage | None = None
        self._words = ""
        self._recording = False
        # Every pixel is painted below, so Qt need not clear them first.
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAccessibleName("Live picture")

    @property
    def image(self) -> QImage | None:
        """The picture that is shown, at its own size; None while words are shown."""
        return self._image

    def show_frame(self, frame: Frame) -> None:
        """Shows the frame; does nothing if it is already shown."""
        if frame is self._frame:
            return
        self._frame = frame
        height, width = frame.pixels.shape[:2]
        # Qt scales 32-bit pixels about three times as fast as 24-bit ones, conversion included;
        # and the converted image is a copy, so no buffer must be kept alive.
        rgb = QImage.Format.Format_RGB888
        wrapped = QImage(frame.pixels.data, width, height, 3 * width, rgb)  # type: ignore[call-overload]
        self._image = wrapped.convertToFormat(QImage.Format.Format_RGB32)
        self.update()

    def say(self, words: str) -> None:
        """Shows words in place of a picture."""
        if self._image is not None or words != self._words:
            self._frame = self._image = None
            self._words = words
            self.setAccessibleDescription(words)
            self.update()

    def set_recording(self, on: bool) -> None:
        """Shows a red dot in a corner, or none."""
        if on != self._recording:
            self._recording = on
            self.update()

    def picture_rect(self) -> QRect:
        """Returns where the picture lies in the widget; all of it while there is none."""
        if self._image is None:
            return self.rect()
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        rect = QRect(0, 0, size.width(), size.height())
        rect.moveCenter(self.rect().center())
        return rect

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent | None) -> None:
        self.painted = True
        painter = QPainter(self)
        if self._image is None:
            painter.fillRect(self.rect(), QColor(theme.SURROUND))
            painter.setPen(QColor(theme.QUIET))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
            return
        picture = self.picture_rect()
        # Only the bars, and one pixel of what the picture will cover: on a scaled screen its edges
        # may lie between pixels.
        bars = QRegion(self.rect()).subtracted(QRegion(picture.adjusted(1, 1, -1, -1)))
        painter.setClipRegion(bars)
        painter.fillRect(self.rect(), QColor(theme.SURROUND))
        painter.setClipping(False)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(picture, self._image)
        if self._recording:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(theme.SURROUND), 2))
            painter.setBrush(QColor(theme.RECORDING))
            painter.drawEllipse(QPoint(self.width() - theme.MARGIN, theme.MARGIN), 7, 7)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        self.moved.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        self.double_clicked.emit()
