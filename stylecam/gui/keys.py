"""The keys of the main window. Knows which window method each one calls, not what that does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QSlider

from stylecam.gui.shell import Action, KeyTable

if TYPE_CHECKING:
    from stylecam.gui.window import MainWindow


def bindings(window: MainWindow) -> tuple[KeyTable, dict[int, Action]]:
    """Returns what keys do when pressed, as a table to show, and when released."""
    key, steps = Qt.Key, QSlider.SliderAction
    panel, strip = window.panel, window.panel.strip
    full = window.toggle_full_screen
    numbers: dict[int, Action] = {key.Key_1 + i: partial(strip.go, i) for i in range(9)}
    more = partial(panel.strength.triggerAction, steps.SliderSingleStepAdd)
    less = partial(panel.strength.triggerAction, steps.SliderSingleStepSub)
    back, on = partial(strip.nudge, -1), partial(strip.nudge, 1)
    before, after = partial(strip.step, -1), partial(strip.step, 1)
    first, last = partial(strip.go, 0), partial(strip.go, len(strip.names) - 1)
    table: KeyTable = [
        ("Space", "Start or stop", {key.Key_Space: window.toggle}),
        ("R", "Record", {key.Key_R: window.toggle_recording}),
        ("S", "Save a snapshot", {key.Key_S: window.save_snapshot}),
        ("O", "Hold to see the original", {key.Key_O: partial(window.show_original, True)}),
        ("F, F11", "Full screen; Esc leaves it", {key.Key_F: full, key.Key_F11: full}),
        ("H", "Hide or show the controls", {key.Key_H: window.toggle_controls}),
        (
            "Left, Right, Home, End",
            "Style before or after, first or last",
            {key.Key_Left: before, key.Key_Right: after, key.Key_Home: first, key.Key_End: last},
        ),
        (
            "Page Up, Page Down",
            "Blend with the style before or after",
            {key.Key_PageUp: back, key.Key_PageDown: on},
        ),
        ("1 – 9", "Style by number", numbers),
        ("Up, Down", "More or less strength", {key.Key_Up: more, key.Key_Down: less}),
        ("C", "Keep colours", {key.Key_C: panel.colours.click}),
        ("M", "Mirror", {key.Key_M: panel.mirror.click}),
        ("?", "This list", {key.Key_Question: window.keys.show}),
        ("Q, Ctrl+Q", "Quit", {key.Key_Q: window.close}),
    ]
    return table, {key.Key_O: partial(window.show_original, False)}
