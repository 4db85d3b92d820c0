"""The style slider: one continuous line through all styles, with thumbnails. Knows no pipeline.

Position 2.3 is 70 % of style 2 and 30 % of style 3. A jump cross-fades straight from the blend on
screen to the requested style, without passing through the styles in between.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PyQt6.QtCore import (
    QEasingCurve,
    QRectF,
    QSignalBlocker,
    QSize,
    Qt,
    QVariantAnimation,
    pyqtSignal,
)
from PyQt6.QtGui import QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QFrame, QScrollArea, QScrollBar, QWidget

from stylecam.gui import theme
from stylecam.gui.marks import Mark, StyleSlider
from stylecam.gui.widgets import timer
from stylecam.style import Style, thumbnail

FADE_MS = 300
STEPS = 100
"""Slider positions from one style to the next."""
PITCH = 106
"""Minimum distance from one style to the next in pixels."""
EDGE, FASTEST = 64, 12
"""Pixels from either side within which a dragged handle scrolls the line, and the most pixels it
scrolls per tick."""
TICK_MS = 16


def weights_at(position: float, names: Sequence[str]) -> dict[str, float]:
    """Returns the blend at a position: the two styles around it, by nearness."""
    left = min(int(position), len(names) - 1)
    share = round(position - left, 4)
    if share <= 0 or left + 1 == len(names):
        return {names[left]: 1.0}
    return {names[left]: round(1 - share, 4), names[left + 1]: share}


def position_of(weights: Mapping[str, float], names: Sequence[str]) -> float:
    """Returns where a blend lies on the line; unless it is of two neighbours, at its strongest
    style."""
    known = sorted((names.index(n), w) for n, w in weights.items() if n in names and w > 0)
    if len(known) == 2 and known[1][0] - known[0][0] == 1:
        return known[0][0] + known[1][1] / (known[0][1] + known[1][1])
    return float(max(known, key=lambda pair: pair[1])[0]) if known else 0.0


def mixed(a: Mapping[str, float], b: Mapping[str, float], t: float) -> dict[str, float]:
    """Interpolates from blend `a` (t = 0) to blend `b` (t = 1)."""
    shares = {name: a.get(name, 0.0) * (1 - t) + b.get(name, 0.0) * t for name in {*a, *b}}
    return {name: round(share, 4) for name, share in shares.items() if share > 5e-5}


class StyleStrip(QScrollArea):
    """Thumbnails above one slider; `weights` is the current blend."""

    changed = pyqtSignal(object)
    """The new blend: dict of style name to share."""

    def __init__(self, styles: Mapping[str, Style], weights: Mapping[str, float]):
        super().__init__()
        self.names = list(styles)
        self.weights = dict(weights)
        self._goal = position_of(weights, self.names)
        self._row = QWidget()
        self.marks = [Mark(styles[name], thumbnail(name), self._row) for name in self.names]
        for number, mark in enumerate(self.marks[:9], 1):
            mark.setToolTip(f"{mark.toolTip()} ({number})")
        self.slider = StyleSlider(STEPS, len(self.names), self._row)
        self._fade = QVariantAnimation(self)
        self._fade.setDuration(FADE_MS)
        self._fade.setEasingCurve(QEasingCurve.Type.InOutQuad)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._from: tuple[dict[str, float], float] = (self.weights, self._goal)
        self._to = self.weights
        self._scroll = 0, 0
        """Where a cross-fade's scrolling begins and ends."""

        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._row)
        self.setFixedHeight(Mark.HEIGHT + StyleSlider.HEIGHT)
        for i, mark in enumerate(self.marks):
            mark.clicked.connect(lambda _, i=i: self.go(i))
        self.slider.setValue(round(self._goal * STEPS))
        self.slider.valueChanged.connect(self._moved)
        self.slider.stepped.connect(self.step)
        self.slider.nudged.connect(self.nudge)
        self.slider.pressed_at.connect(self.go)
        self._drift = timer(self, TICK_MS, self._drifted)
        self.slider.sliderPressed.connect(self._drift.start)
        self.slider.sliderReleased.connect(self._drift.stop)
        self._fade.valueChanged.connect(self._faded)
        self._bar.rangeChanged.connect(self._center)
        self._bar.valueChanged.connect(self._scrolled)
        self._show_shares()

    @property
    def asked(self) -> dict[str, float]:
        """The blend that a cross-fade leads to, else the current one."""
        return weights_at(self._goal, self.names)

    @property
    def _bar(self) -> QScrollBar:
        bar = self.horizontalScrollBar()
        assert bar is not None
        return bar

    def go(self, position: float) -> None:
        """Cross-fades to a position; one beyond the ends is ignored."""
        if not 0 <= position <= len(self.names) - 1:
            return
        self._fade.stop()
        self._goal = position
        self._from = (self.weights, self.slider.value() / STEPS)
        self._to = self.asked
        self._scroll = self._bar.value(), self._needed()
        self._fade.start()

    def step(self, by: int) -> None:
        """Goes to the next style in that direction (+1 or -1)."""
        self.go(math.floor(self._goal) + 1 if by > 0 else math.ceil(self._goal) - 1)

    def nudge(self, tenths: int) -> None:
        """Moves by tenths of the way to the next style, or the one before: a blend of the two."""
        self.settle()
        self.slider.setValue(self.slider.value() + tenths * STEPS // 10)

    def settle(self) -> None:
        """Finishes a cross-fade at once."""
        if self._fade.state() == QVariantAnimation.State.Running:
            self._fade.setCurrentTime(FADE_MS)

    def _moved(self, value: int) -> None:
        self._fade.stop()
        self._goal = value / STEPS
        self._set(self.asked)
        if self.slider.held_at is None:
            self._reveal()

    def _drifted(self) -> None:
        at = self.slider.held_at
        if at is None:
            return
        beyond = max(0.0, at - (self.width() - EDGE)) - max(0.0, EDGE - at)
        self._bar.setValue(self._bar.value() + round(FASTEST * beyond / EDGE))
        self.slider.follow()

    def _faded(self, t: float) -> None:
        weights, position = self._from
        with QSignalBlocker(self.slider):
            self.slider.setValue(round((position + (self._goal - position) * t) * STEPS))
        begin, end = self._scroll
        self._bar.setValue(round(begin + (end - begin) * t))
        self._set(mixed(weights, self._to, t))

    def _set(self, weights: dict[str, float]) -> None:
        self.weights = weights
        self._show_shares()
        self.changed.emit(weights)

    def _show_shares(self) -> None:
        total = sum(self.weights.values()) or 1.0
        for mark in self.marks:
            mark.set_share(self.weights.get(mark.name, 0.0) / total)

    def _needed(self) -> int:
        """Returns the scroll position nearest to the current one that shows the goal's styles and
        half of their neighbours. As the nearest, it tends to leave what was pressed under the
        pointer."""
        first, last = (self.marks[end(self._goal)] for end in (math.floor, math.ceil))
        left = first.x() - first.width() // 2
        right = last.x() + 3 * last.width() // 2
        scroll = min(max(self._bar.value(), right - self.width()), left)
        return min(max(scroll, 0), self._bar.maximum())

    def _center(self) -> None:
        self._bar.setValue(round(self.slider.x_of(self.slider.value()) - self.width() / 2))

    def _reveal(self) -> None:
        self._bar.setValue(self._needed())

    def _scrolled(self) -> None:
        for mark in self.marks:
            if mark.underMouse():
                mark.update()  # Qt does not report that it scrolled away from the mouse

    # Overrides of Qt methods

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        count, inset = max(1, len(self.marks)), theme.MARGIN - (PITCH - Mark.SIDE) // 2
        pitch = max(PITCH, (self.width() - 2 * inset) / count)
        self._row.resize(round(2 * inset + pitch * count), self.height())
        for i, mark in enumerate(self.marks):
            mark.setGeometry(QRectF(inset + i * pitch, 0, pitch, Mark.HEIGHT).toRect())
        self.slider.setGeometry(0, Mark.HEIGHT, self._row.width(), StyleSlider.HEIGHT)
        self.slider.set_scale(inset + pitch / 2, pitch, self.width())
        self._center()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        assert event is not None
        turned = event.angleDelta()
        self._bar.setValue(self._bar.value() - (turned.x() or turned.y()))
        event.accept()

    def focusNextPrevChild(self, next: bool) -> bool:
        scroll = self._bar.value()
        took = super().focusNextPrevChild(next)
        self._bar.setValue(scroll)  # undoes the scroll area's own centring of what has the focus
        self._reveal()
        return took

    def sizeHint(self) -> QSize:
        return QSize(PITCH * 8, self.height())
