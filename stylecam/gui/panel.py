"""The controls below the picture: their names and layout. Does not know what they do."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from stylecam.gui import theme
from stylecam.gui.marks import label_of
from stylecam.gui.source_menu import SourceButton
from stylecam.gui.styles import StyleStrip
from stylecam.gui.widgets import Caption, describe, icon_button, quiet, toggle
from stylecam.settings import Look
from stylecam.style import Style


class Panel(QWidget):
    """All controls, as plain attributes for the window to connect."""

    def __init__(self, styles: Mapping[str, Style], look: Look):
        super().__init__()
        self._styles = styles
        self.title = Caption()
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength_text = quiet("")
        self.stroke = QSlider(Qt.Orientation.Horizontal)
        self.stroke_text = quiet("")
        self.steadiness = QSlider(Qt.Orientation.Horizontal)
        self.steadiness_text = quiet("")
        self.colours = toggle("Keep colours")
        self.mirror = toggle("Mirror")
        self.strip = StyleStrip(styles, look.style)
        self.source = SourceButton()
        self.start = icon_button("play", "Start", "Space")
        self.status = Caption()
        self.compare = icon_button("compare", "Hold to see the original", "O")
        self.snapshot = icon_button("snapshot", "Save a snapshot", "S")
        self.record = QPushButton(theme.icon("record", theme.RECORDING), "Record")
        self.full = icon_button("full", "Full screen", "F")
        self.help = icon_button("help", "Keys", "?")
        self._describe()
        self._lay_out()
        self.setAutoFillBackground(True)
        self.show_blend(look.style)
        self.set_running(False)

    def show_blend(self, weights: Mapping[str, float]) -> None:
        """Shows which style or styles are on."""
        by_share = sorted(weights.items(), key=lambda pair: -pair[1])
        style = self._styles.get(by_share[0][0]) if by_share else None
        if style and len(by_share) == 1:
            self.title.say(
                style.title or style.name, ", ".join(filter(None, (style.artist, style.year)))
            )
        else:
            total = sum(weights.values()) or 1.0
            named = [(label_of(self._styles[n]), w) for n, w in by_share if n in self._styles]
            self.title.say(" + ".join(f"{label} {w / total:.0%}" for label, w in named), "")
        self.strip.slider.setAccessibleDescription(self.title.text)

    def show_look(self, look: Look) -> None:
        """Sets the controls to a look."""
        self.show_blend(look.style)
        for name in ("strength", "stroke", "steadiness"):
            value = getattr(look, name)
            getattr(self, name).setValue(round(value * 100))
            getattr(self, f"{name}_text").setText(f"{value:.0%}")
        self.colours.setChecked(look.preserve_color)

    def set_running(self, running: bool) -> None:
        """Switches the start button, and enables what needs a picture."""
        self.start.setIcon(theme.icon("stop" if running else "play"))
        describe(self.start, "Stop" if running else "Start", "Space")
        for button in (self.record, self.snapshot, self.compare):
            button.setEnabled(running)

    def set_recording(self, seconds: float | None) -> None:
        """Shows how long it has been recording; None if it is not."""
        on = seconds is not None
        minutes, rest = divmod(int(seconds or 0), 60)
        self.record.setText(f"{minutes}:{rest:02}" if on else "Record")
        if self.record.property("recording") != on:
            self.record.setProperty("recording", on)
            self.record.setIcon(
                theme.icon("stop", "white") if on else theme.icon("record", theme.RECORDING)
            )
            describe(self.record, "Stop recording" if on else "Record what you see", "R")
            if style := self.record.style():
                style.polish(self.record)  # Qt does not notice a changed property

    def _describe(self) -> None:
        for control, words, keys in (
            (self.strength, "Strength of the style", "Up, Down"),
            (self.colours, "Keep the colours of the photo", "C"),
            (self.mirror, "Show the camera as a mirror does", "M"),
            (self.stroke, "Size of the brush strokes, from fine to coarse", ""),
            (self.steadiness, "Hold the brush strokes steady", ""),
            (self.record, "Record what you see", "R"),
            (self.source, "Choose a camera, a file or a stream", ""),
        ):
            describe(control, words, keys)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for _, slider, percent in self._sliders():
            slider.setRange(0, 100)
            slider.setSingleStep(5)
            slider.setMinimumSize(72, 24)
            percent.setMinimumWidth(self.fontMetrics().horizontalAdvance("100 % "))
            percent.setAlignment(right)
        self.record.setMinimumWidth(96)

    def _sliders(self) -> tuple[tuple[str, QSlider, QLabel], ...]:
        """Returns the sliders' names, the sliders, and the labels with their percentages."""
        return (
            ("Strength", self.strength, self.strength_text),
            ("Strokes", self.stroke, self.stroke_text),
            ("Steadiness", self.steadiness, self.steadiness_text),
        )

    def _lay_out(self) -> None:
        look, sliders, frame = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        sized = any(style.sized for style in self._styles.values())
        for words, slider, percent in self._sliders():
            if slider is self.stroke and not sized:
                slider.setParent(self)  # hidden, since it would change nothing
                slider.hide()
                continue
            if sliders.count():
                sliders.addSpacing(16)
            sliders.addWidget(quiet(words))
            sliders.addWidget(slider, 1)
            sliders.addWidget(percent)
        look.addWidget(self.title, 1)
        look.addWidget(self.colours)
        look.addWidget(self.mirror)
        frame.addWidget(self.source)
        frame.addWidget(self.start)
        frame.addSpacing(8)
        frame.addWidget(self.status, 1)
        frame.addSpacing(8)
        for widget in (self.compare, self.snapshot, self.record, self.full, self.help):
            frame.addWidget(widget)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 14, 0, 16)
        rows.setSpacing(12)
        for row in (look, sliders, frame):
            row.setContentsMargins(theme.MARGIN, 0, theme.MARGIN, 0)
            row.setSpacing(8)
        rows.addLayout(look)
        rows.addLayout(sliders)
        rows.addWidget(self.strip)  # from edge to edge: it scrolls beyond what is visible
        rows.addLayout(frame)
