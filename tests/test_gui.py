"""The window, driven as a user would, with the demo as its source and the real pipeline."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PyQt6.QtGui import QColor, QDesktopServices, QDragEnterEvent, QDropEvent, QFont, QImage
from PyQt6.QtWidgets import QDialogButtonBox, QFileDialog, QInputDialog, QWidget

from stylecam import engine
from stylecam import settings as settings_file
from stylecam.errors import RecordingError, SourceBusy, SourceLost, SourceMissing
from stylecam.frame import Frame
from stylecam.gui import shell, theme
from stylecam.gui.app import application, run
from stylecam.gui.marks import label_of
from stylecam.gui.panel import Panel
from stylecam.gui.session import open_source
from stylecam.gui.source_menu import kinds
from stylecam.gui.styles import PITCH, StyleStrip, mixed, position_of, weights_at
from stylecam.gui.view import LiveView
from stylecam.gui.window import MainWindow
from stylecam.live import Snapshot
from stylecam.render import VIDEO_SUFFIXES
from stylecam.settings import Look, Settings
from stylecam.style import Style
from stylecam.video import devices
from stylecam.video.demo import DemoSource
from stylecam.video.devices import Camera
from stylecam.video.picture import SUFFIXES, read_picture
from stylecam.video.recorder import Recorder
from stylecam.watch import watch

PATIENCE_MS = 30_000
SIZE = (160, 120)
KEY = Qt.Key


def small_demo(spec, settings):
    return DemoSource(SIZE)


class Mirrored(DemoSource):
    """A demo that claims to be a camera."""

    name = "Front camera"
    mirrored = True


@pytest.fixture
def dressed(qapp):
    return application()


@pytest.fixture
def opened(qtbot, dressed):
    """Opens windows, which show the demo unless told otherwise. At the end it closes them, and
    checks that they have ended their threads."""
    windows, before = [], threading.enumerate()

    def open_window(settings=None, source="demo", opener=small_demo, wait=True):
        window = MainWindow(settings or Settings(), source, opener)
        qtbot.addWidget(window)
        windows.append(window)
        window.resize(1100, 760)
        window.show()
        if wait:
            qtbot.waitUntil(lambda: window.view.image is not None, timeout=PATIENCE_MS)
        return window

    yield open_window
    for window in windows:
        window.close()
    assert set(threading.enumerate()) <= set(before)
    # Collected here and now, since otherwise it may happen on any thread, and Qt's objects must be
    # deleted on Qt's.
    window = None
    windows.clear()
    gc.collect()


def soon(qtbot, true):
    qtbot.waitUntil(lambda: bool(true()), timeout=PATIENCE_MS)


def pixels(image: QImage) -> np.ndarray:
    """uint8 RGB (H, W, 3) of an image."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bgra = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    # A copy, since the memory is freed with the image.
    return bgra.reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


def mean_colour(window) -> np.ndarray:
    return pixels(window.view.image).mean((0, 1))


def frames_in(path) -> tuple[int, tuple[int, int]]:
    with av.open(str(path)) as movie:
        stream = movie.streams.video[0]
        return sum(1 for _ in movie.decode(stream)), (stream.width, stream.height)


# The picture


def test_shows_the_demo_and_says_how_it_goes(qtbot, opened):
    window = opened()
    first = window.session.snapshot().delivered
    soon(qtbot, lambda: window.session.snapshot().delivered > first + 5)
    soon(qtbot, lambda: re.search(r"\d+ fps · \d+ ms · (.+ · )?OpenVINO", window.panel.status.text))
    assert (window.view.image.width(), window.view.image.height()) == SIZE
    assert window.panel.source.text() == "Demo"


def test_picture_keeps_its_shape_between_near_black_bars(opened):
    window = opened()
    rect = window.view.picture_rect()
    assert rect.width() / rect.height() == pytest.approx(SIZE[0] / SIZE[1], rel=0.01)
    shown = pixels(window.view.grab().toImage())
    bar = shown[:, : shown.shape[1] // 10]
    assert bar.max() < 16
    assert shown.mean() > 32


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5])
@pytest.mark.parametrize("size", [(640, 201), (201, 333), (161, 121), (160, 120)])
def test_every_pixel_of_the_view_is_painted(qtbot, dressed, size, scale):
    view = LiveView()
    qtbot.addWidget(view)
    view.resize(*size)
    view.show_frame(Frame(np.full((120, 160, 3), 200, np.uint8), 0, 0.0))
    shown = QImage(*(round(side * scale) for side in size), QImage.Format.Format_RGB32)
    shown.setDevicePixelRatio(scale)
    shown.fill(QColor("magenta"))
    view.render(shown, flags=QWidget.RenderFlag(0))
    colours = np.unique(pixels(shown).reshape(-1, 3), axis=0)
    assert {tuple(colour) for colour in colours} <= {(8, 8, 10), (200, 200, 200)}


def test_original_is_shown_while_its_key_is_held(qtbot, opened):
    window = opened()

    def shows_original():
        shot, image = window.session.snapshot(), window.view.image
        return np.array_equal(pixels(image), shot.original.pixels)

    qtbot.keyPress(window, KEY.Key_O)
    soon(qtbot, shows_original)
    qtbot.keyRelease(window, KEY.Key_O)
    soon(
        qtbot,
        lambda: np.array_equal(pixels(window.view.image), window.session.snapshot().frame.pixels),
    )


def test_the_painting_comes_back_when_another_window_takes_the_keys(qtbot, opened):
    window = opened()
    qtbot.keyPress(window, KEY.Key_O)
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    soon(qtbot, lambda: not window.isActiveWindow())
    soon(
        qtbot,
        lambda: np.array_equal(pixels(window.view.image), window.session.snapshot().frame.pixels),
    )


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_painting_comes_back_when_a_menu_takes_the_keys(qtbot, opened):
    window = opened()
    qtbot.keyPress(window, KEY.Key_O)
    QTimer.singleShot(100, window.panel.source.menu().close)
    window.panel.source.showMenu()
    soon(
        qtbot,
        lambda: np.array_equal(pixels(window.view.image), window.session.snapshot().frame.pixels),
    )


def test_space_stops_and_starts(qtbot, opened):
    window = opened()
    qtbot.keyClick(window, KEY.Key_Space)
    assert window.view.image is None
    assert not window.panel.record.isEnabled()
    qtbot.keyClick(window, KEY.Key_Space)
    soon(qtbot, lambda: window.view.image is not None)


def test_end_of_a_source_is_no_error(qtbot, opened):
    window = opened(opener=lambda *_: DemoSource(SIZE, frames=4), wait=False)
    soon(qtbot, lambda: "End of the video" in window.view.accessibleDescription())
    assert not window.banner.isVisible()


# The style slider


def test_weights_and_positions_are_inverse():
    names = ["a", "b", "c", "d"]
    assert weights_at(2.3, names) == {"c": 0.7, "d": 0.3}
    assert weights_at(3.0, names) == {"d": 1.0}
    for position in (0.0, 0.25, 1.0, 2.3, 3.0):
        assert position_of(weights_at(position, names), names) == pytest.approx(position)


def test_position_of_distant_styles_is_that_of_the_strongest():
    assert position_of({"a": 0.4, "c": 0.6}, ["a", "b", "c"]) == 2
    assert position_of({"gone": 1.0}, ["a", "b"]) == 0


def test_cross_fade_goes_straight_from_blend_to_blend():
    blend = mixed({"a": 1.0}, {"c": 0.5, "d": 0.5}, 0.5)
    assert blend == {"a": 0.5, "c": 0.25, "d": 0.25}
    assert mixed({"a": 1.0}, {"c": 1.0}, 1.0) == {"c": 1.0}


def test_dragging_the_slider_blends_neighbours_and_changes_the_picture(qtbot, opened):
    window = opened(Settings(look=Look(style={"starry-night": 1.0})))
    strip, slider = window.panel.strip, window.panel.strip.slider
    before = mean_colour(window)
    handle = QPoint(round(slider.x_of(slider.value())), slider.height() // 2)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=handle)
    for _ in range(30):
        x = round(slider.x_of(slider.value()))
        qtbot.mouseMove(slider, QPoint(x + 10, slider.height() // 2))
        if slider.value() > (strip.names.index("the-scream") - 0.1) * 100:
            break
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton)
    blend = window.settings.look.style
    position = slider.value() / 100
    assert blend == weights_at(position, strip.names)
    assert position > strip.names.index("starry-night") + 1
    soon(qtbot, lambda: np.abs(mean_colour(window) - before).max() > 8)


@pytest.fixture
def strip(qtbot, dressed, library):
    """A strip that is too narrow to show all styles."""
    strip = StyleStrip(library, {next(iter(library)): 1.0})
    qtbot.addWidget(strip)
    strip.resize(900, strip.height())
    strip.show()
    assert strip.horizontalScrollBar().maximum() > 500
    return strip


def in_sight(strip, child, x=0.0):
    """Where an x coordinate of a scrolled child is seen in the strip."""
    return child.mapTo(strip, QPoint(round(x), 0)).x()


def test_the_handle_stays_under_the_mouse_that_drags_it(qtbot, strip):
    slider, seen = strip.slider, []
    strip.slider.setValue(400)
    strip.horizontalScrollBar().setValue(170)  # as if scrolled by a wheel
    start = QPoint(round(slider.x_of(400)) + 5, slider.height() // 2)
    mouse = in_sight(strip, slider, start.x())
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    assert strip.horizontalScrollBar().value() == 170
    for to in (mouse + 100, mouse + 400, mouse - 50):
        qtbot.mouseMove(slider, slider.mapFrom(strip, QPoint(to, start.y())))
        handle = in_sight(strip, slider, slider.x_of(slider.value()))
        assert handle == pytest.approx(to - 5, abs=2)
        seen.append(slider.value())
    assert seen == pytest.approx([400 + 100 * way / PITCH for way in (100, 400, -50)], abs=2)
    for to, end in ((895, slider.maximum()), (5, 0)):  # near the edges the line scrolls under it
        qtbot.mouseMove(slider, slider.mapFrom(strip, QPoint(to, start.y())))
        soon(qtbot, lambda end=end: slider.value() == end)
        assert 0 <= in_sight(strip, slider, slider.x_of(end)) <= 900
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton)


def test_a_handle_that_is_held_without_a_drag_stays(qtbot, strip):
    bar, slider = strip.horizontalScrollBar(), strip.slider
    slider.setValue(400)
    bar.setValue(round(slider.x_of(400)) - 30)
    before = bar.value()
    handle = QPoint(round(slider.x_of(400)), slider.height() // 2)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=handle)
    qtbot.wait(100)
    assert (slider.value(), bar.value()) == (400, before)


def test_a_handle_that_is_hidden_is_let_go(qtbot, strip):
    slider = strip.slider
    handle = QPoint(round(slider.x_of(slider.value())), slider.height() // 2)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=handle)
    qtbot.mouseMove(slider, slider.mapFrom(strip, QPoint(895, handle.y())))
    strip.hide()
    before = slider.value()
    qtbot.wait(100)
    assert slider.value() == before
    assert not slider.isSliderDown()


def test_a_blend_asked_for_during_a_fade_is_with_the_style_that_it_leads_to(qtbot, strip):
    strip.go(6)
    strip.nudge(1)
    assert strip.weights == {strip.names[6]: 0.9, strip.names[7]: 0.1}


def test_a_pressed_mark_that_is_in_sight_stays_where_it_is(qtbot, strip):
    bar = strip.horizontalScrollBar()
    bar.setValue(300)
    for name in strip.names[5:8]:
        mark = strip.marks[strip.names.index(name)]
        qtbot.mouseClick(mark, Qt.MouseButton.LeftButton)
        soon(qtbot, lambda name=name: strip.weights == {name: 1.0})
        assert bar.value() == 300
    strip.go(len(strip.names) - 1)
    soon(qtbot, lambda: strip.weights == {strip.names[-1]: 1.0})
    assert bar.value() == bar.maximum()


def test_both_styles_of_a_blend_are_in_sight(qtbot, strip):
    for position in (8.0, 8.3, 12.7, 3.5, 0.2):
        strip.slider.setValue(round(position * 100))
        for mark in strip.marks[int(position) : int(np.ceil(position)) + 1]:
            assert in_sight(strip, mark) >= 0
            assert in_sight(strip, mark, mark.width()) <= strip.width()


def test_between_two_styles_both_are_named(opened):
    window = opened(wait=False)
    strip = window.panel.strip
    left = strip.names.index("the-scream")
    strip.slider.setValue(left * 100 + 30)
    assert window.settings.look.style == {"the-scream": 0.7, strip.names[left + 1]: 0.3}
    assert window.panel.title.text.startswith("The Scream 70% + ")


def test_clicking_a_mark_fades_to_its_style(qtbot, opened):
    window = opened()
    mark = next(mark for mark in window.panel.strip.marks if mark.name == "great-wave")
    seen = []
    window.panel.strip.changed.connect(seen.append)
    qtbot.mouseClick(mark, Qt.MouseButton.LeftButton)
    soon(qtbot, lambda: window.settings.look.style == {"great-wave": 1.0})
    assert {"great-wave", "starry-night"} in [set(blend) for blend in seen]
    assert window.panel.title.text == "The Great Wave off Kanagawa  Katsushika Hokusai, 1831"


def test_pressing_the_line_goes_there(qtbot, opened):
    window = opened(wait=False)
    slider = window.panel.strip.slider
    place = QPoint(round(slider.x_of(350)), slider.height() // 2)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=place)
    soon(qtbot, lambda: abs(slider.value() - 350) <= 2)


def test_arrows_and_numbers_choose_styles(qtbot, opened):
    window = opened(wait=False)
    names = window.panel.strip.names
    qtbot.keyClick(window, KEY.Key_3)
    soon(qtbot, lambda: window.settings.look.style == {names[2]: 1.0})
    qtbot.keyClick(window, KEY.Key_Right)
    qtbot.keyClick(window, KEY.Key_Right)
    soon(qtbot, lambda: window.settings.look.style == {names[4]: 1.0})
    window.panel.strip.slider.setFocus()
    qtbot.keyClick(window.panel.strip.slider, KEY.Key_Left)
    soon(qtbot, lambda: window.settings.look.style == {names[3]: 1.0})


@pytest.mark.parametrize("focus", ["window", "slider"])
def test_home_and_end_go_to_the_first_and_the_last_style(qtbot, opened, focus):
    window = opened(wait=False)
    strip = window.panel.strip
    receiver = window if focus == "window" else strip.slider
    receiver.setFocus()
    for key, name in ((KEY.Key_End, strip.names[-1]), (KEY.Key_Home, strip.names[0])):
        qtbot.keyClick(receiver, key)
        soon(qtbot, lambda name=name: window.settings.look.style == {name: 1.0})


@pytest.mark.parametrize("focus", ["window", "slider"])
def test_page_keys_blend_neighbours(qtbot, opened, focus):
    window = opened(wait=False)
    strip = window.panel.strip
    strip.slider.setValue(0)
    receiver = window if focus == "window" else strip.slider
    receiver.setFocus()
    for key, position in ((KEY.Key_PageDown, 0.1), (KEY.Key_PageDown, 0.2), (KEY.Key_PageUp, 0.1)):
        qtbot.keyClick(receiver, key)
        assert window.settings.look.style == weights_at(position, strip.names)


def test_keys_with_control_are_left_alone(qtbot, opened):
    window = opened(wait=False)
    qtbot.keyClick(window, KEY.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert not window.settings.look.preserve_color
    qtbot.keyClick(window, KEY.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()


@pytest.mark.parametrize("width", [720, 1100, 2400])
def test_handle_is_in_sight_at_both_ends(qtbot, dressed, library, width):
    strip = StyleStrip(library, {next(iter(library)): 1.0})
    qtbot.addWidget(strip)
    strip.resize(width, strip.height())
    strip.show()
    for value in (0, strip.slider.maximum()):
        strip.slider.setValue(value)
        x = strip.slider.mapTo(strip, QPoint(round(strip.slider.x_of(value)), 0)).x()
        assert 0 < x < width


def test_tab_leaves_the_handle_in_sight(qtbot, opened):
    window = opened(wait=False)
    window.resize(720, 520)
    strip = window.panel.strip
    strip.slider.setValue(0)
    strip.slider.setFocus()
    assert strip.horizontalScrollBar().maximum() > 0
    qtbot.keyClick(strip.slider, KEY.Key_Tab)
    assert window.focusWidget() is not strip.slider
    assert strip.horizontalScrollBar().value() == 0


def test_labels_read_like_words():
    def label(name, title=""):
        return label_of(Style(name, *2 * [np.zeros(1, np.float32)], "", title))

    assert label("great-wave", "The Great Wave off Kanagawa") == "Great wave"
    assert label("composition-vii", "Composition VII") == "Composition VII"


# Looks and sources


def test_sliders_and_toggles_reach_the_settings(qtbot, opened):
    window = opened(opener=lambda *_: Mirrored(SIZE))
    qtbot.keyClick(window, KEY.Key_Down)
    qtbot.keyClick(window, KEY.Key_Down)
    for button in (window.panel.colours, window.panel.mirror):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    window.panel.steadiness.setValue(0)
    window.panel.stroke.setValue(25)
    look = window.settings.look
    assert (look.strength, look.preserve_color, look.steadiness) == (0.9, True, 0.0)
    assert window.settings.mirror is False
    assert window.panel.strength_text.text() == "90%"
    assert window.panel.steadiness_text.text() == "0%"
    assert look.stroke == 0.25
    assert window.panel.stroke_text.text() == "25%"


def test_mirror_is_offered_for_cameras_alone(qtbot, opened):
    assert not opened().panel.mirror.isEnabled()
    camera = opened(opener=lambda *_: Mirrored(SIZE))
    assert camera.panel.mirror.isEnabled()
    assert camera.panel.source.text() == "Front camera"


def test_without_a_camera_the_demo_is_shown_and_named(qtbot, opened):
    window = opened(source="auto")
    assert window.toast.isVisible()
    assert "demo" in window.toast.label.text()


def test_menu_offers_what_there_is_and_choosing_is_remembered(qtbot, opened):
    chosen = []

    def opener(spec, settings):
        chosen.append(spec)
        return DemoSource(SIZE)

    window = opened(source="0", opener=opener)
    window.panel.source.fill()
    offered = {action.text(): action for action in window.panel.source.menu().actions()}
    assert {"Demo", "Open file…", "Open URL…"} <= set(offered)
    offered["Demo"].trigger()
    soon(qtbot, lambda: chosen == ["0", "demo"] and window.view.image is not None)
    assert window.settings.source == "demo"


def test_of_two_cameras_of_one_name_the_one_that_is_shown_is_ticked(qtbot, opened, monkeypatch):
    twins = [Camera(0, "demo", ""), Camera(2, "demo", ""), Camera(3, "other", "")]
    monkeypatch.setattr(devices, "cameras", lambda: twins)
    window = opened(source="2")
    soon(qtbot, lambda: window.view.image is not None)
    menu = window.panel.source
    menu.fill()
    assert [action.isChecked() for action in menu.menu().actions()][:3] == [False, True, False]


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin lacks it
def test_an_address_without_a_server_cannot_be_chosen(qtbot, opened):
    window, chosen = opened(), []
    window.panel.source.chosen.disconnect()
    window.panel.source.chosen.connect(chosen.append)
    window.panel.source.fill()
    (action,) = (a for a in window.panel.source.menu().actions() if "URL" in a.text())
    action.trigger()
    (dialog,) = window.findChildren(QInputDialog)
    ok = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    for address in (None, "", "http://", "10.0.0.2"):
        if address is not None:
            dialog.setTextValue(address)
        assert not ok.isEnabled()
    dialog.setTextValue(" http://10.0.0.2/video ")
    assert ok.isEnabled()
    ok.click()
    assert chosen == ["http://10.0.0.2/video"]


def test_every_kind_of_file_that_is_painted_can_be_chosen():
    offered = set(re.findall(r"\*(\.\w+)", kinds().split(";;")[0]))
    assert offered >= VIDEO_SUFFIXES | SUFFIXES


def test_painting_less_can_be_switched_off(qtbot, opened):
    window = opened(opener=lambda spec, settings: DemoSource((1920, 1080), 5.0))
    soon(qtbot, lambda: "% size" in window.panel.status.text)
    window.panel.source.fill()
    (action,) = (a for a in window.panel.source.menu().actions() if "less" in a.text())
    assert action.isChecked()
    action.trigger()
    assert not window.settings.adaptive
    soon(qtbot, lambda: "% size" not in window.panel.status.text)


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin lacks it
def test_the_folder_of_recordings_can_be_chosen(qtbot, opened, tmp_path):
    window = opened()
    window.panel.source.fill()
    (action,) = (a for a in window.panel.source.menu().actions() if "Save recordings" in a.text())
    action.trigger()
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectFile(str(tmp_path))
    dialog.accept()
    assert window.settings.recordings() == tmp_path
    window.close()
    assert settings_file.load().recordings() == tmp_path


def test_a_picture_file_is_painted_too(opened, tmp_path):
    picture = tmp_path / "still.png"
    QImage(100, 80, QImage.Format.Format_RGB32).save(str(picture))
    window = opened(source=str(picture), opener=open_source)
    assert (window.view.image.width(), window.view.image.height()) == (100, 80)


# What goes wrong


def test_a_failing_source_shows_the_banner_and_retry_recovers(qtbot, opened):
    answers = [SourceBusy("another program holds the camera; close it and press Retry")]

    def opener(spec, settings):
        if answers:
            raise answers.pop()
        return DemoSource(SIZE)

    window = opened(source="0", opener=opener, wait=False)
    soon(qtbot, lambda: window.banner.isVisible())
    assert window.banner.label.text().startswith("Another program holds the camera")
    assert not window.session.active
    qtbot.mouseClick(window.banner.buttons["retry"], Qt.MouseButton.LeftButton)
    soon(qtbot, lambda: window.view.image is not None)
    assert not window.banner.isVisible()


def test_a_banner_leaves_names_as_they_are(qtbot, opened):
    window = opened(wait=False)
    for words, said in (
        ("no such thing", "No such thing"),
        ("big.jpg is 9000x6000", "big.jpg is 9000x6000"),
    ):
        window.complain(words)
        assert window.banner.label.text() == said


def test_what_was_wrong_at_the_start_is_told(qtbot, opened, tmp_path):
    path, troubles = tmp_path / "settings.json", []
    path.write_text("{")
    assert settings_file.load(path, troubles.append) == Settings()
    window = MainWindow(Settings(), "demo", small_demo, troubles=troubles)
    qtbot.addWidget(window)
    window.show()
    soon(qtbot, window.banner.isVisible)
    assert "settings.broken" in window.banner.label.text()
    window.close()


def test_what_was_wrong_at_the_start_is_told_beside_a_source_that_is_not_there(qtbot, tmp_path):
    missing = str(tmp_path / "no.mp4")
    window = MainWindow(Settings(), missing, troubles=["the settings were damaged"])
    qtbot.addWidget(window)
    window.show()
    soon(qtbot, window.banner.isVisible)
    told = window.banner.label.text()
    assert told.startswith("The settings were damaged\n")
    assert told.endswith(f"there is no file {missing}")
    window.complain("another")
    assert window.banner.label.text() == "Another"
    window.close()


@pytest.mark.qt_log_ignore("No such method MainWindow::cannot")
def test_a_folder_that_nothing_can_open_is_named(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path)))
    QDesktopServices.setUrlHandler("file", window, "cannot")
    try:
        window.save_snapshot()
        qtbot.mouseClick(window.toast.button, Qt.MouseButton.LeftButton)
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert str(tmp_path) in window.banner.label.text()


def test_a_lost_camera_can_be_swapped_for_the_demo(qtbot, opened):
    class Unplugged(Mirrored):
        def frames(self):
            for frame in super().frames():
                if frame.index > 5:
                    raise SourceLost("the camera is gone; plug it in and press Retry")
                yield frame

    def opener(spec, settings):
        return DemoSource(SIZE) if spec == "demo" else Unplugged(SIZE)

    window = opened(Settings(source="0"), None, opener, wait=False)
    soon(qtbot, lambda: window.banner.isVisible())
    qtbot.mouseClick(window.banner.buttons["demo"], Qt.MouseButton.LeftButton)
    soon(qtbot, lambda: window.view.image is not None)
    assert window.settings.source == "0"  # the demo was a way out, not a choice


class Unsteady(Mirrored):
    """A camera that goes away after a few frames, as often as `times` says, and is missing the
    first time that it is looked for after that."""

    def __init__(self, times: int) -> None:
        super().__init__(SIZE)
        self.left, self.asked = times, 0

    def frames(self):
        self.asked += 1
        if self.asked % 2 == 0:
            raise SourceMissing("no camera")
        for frame in super().frames():
            if frame.index > 5 and self.left:
                self.left -= 1
                raise SourceLost("the camera is gone; plug it in and press Retry")
            yield frame


def test_a_lost_camera_is_shown_again_once_it_is_back(qtbot, opened):
    source = Unsteady(times=2)
    window = opened(Settings(source="0"), None, lambda spec, settings: source, wait=False)
    window._waiter.setInterval(100)
    soon(qtbot, lambda: window.banner.isVisible())
    assert window.banner.label.text() == "The camera is gone; plug it in and press Retry"
    assert "come back" in window.view.accessibleDescription()
    soon(qtbot, lambda: source.asked == 5 and window.view.image is not None)
    soon(qtbot, lambda: not window.banner.isVisible())
    assert window.session.active


def test_a_lost_camera_is_waited_for_until_something_else_is_asked_for(qtbot, opened):
    source = Unsteady(times=1)

    def opener(spec, settings):
        return DemoSource(SIZE) if spec == "demo" else source

    window = opened(Settings(source="0"), None, opener, wait=False)
    window._waiter.setInterval(300)
    soon(qtbot, lambda: window.banner.isVisible())
    qtbot.mouseClick(window.banner.buttons["demo"], Qt.MouseButton.LeftButton)
    qtbot.wait(600)
    assert source.asked == 1
    assert window.session.source().name == "demo"


def test_the_status_says_what_is_waited_for(qtbot, opened):
    window = opened()
    window._ticker.stop()
    frame = window.session.snapshot().frame
    window._show_picture(Snapshot(frame, fps=30.0, device="a CPU", dropped=2))
    assert window.panel.status.text == "30 fps · 0 ms · 2 dropped · a CPU"
    window._show_picture(Snapshot(frame, waiting=True, device="a CPU", recorded_s=1.0, left_out=3))
    assert window.panel.status.text == "Waiting for demo… · a CPU"
    recording = Snapshot(frame, fps=30.0, device="a CPU", recording=Path("x.mp4"), left_out=3)
    window._show_picture(recording)
    assert "3 not recorded · x.mp4" in window.panel.status.text
    for shot, words in (
        (Snapshot(), "Preparing the network…"),
        (Snapshot(device="a CPU"), "Opening demo…"),
        (Snapshot(device="a CPU", opened=True), "Preparing the network…"),
    ):
        window._show_picture(shot)
        assert window.view.accessibleDescription() == words


def test_a_camera_that_does_not_answer_does_not_freeze_the_window(qtbot, opened):
    answers = threading.Event()

    class Stuck(Mirrored):
        def frames(self):
            answers.wait()
            return super().frames()

    def opener(spec, settings):
        return DemoSource(SIZE) if spec == "demo" else Stuck(SIZE)

    window = opened(Settings(source="0"), None, opener, wait=False)
    soon(qtbot, lambda: window.view.accessibleDescription() == "Opening Front camera…")
    window.choose("demo")
    assert window.view.accessibleDescription() == "Starting…"
    answers.set()
    soon(qtbot, lambda: window.view.image is not None)
    assert window.panel.source.text() == "Demo"


def test_what_cannot_be_shown_is_not_remembered(qtbot, opened):
    window = opened(opener=lambda spec, settings: open_source(spec, settings))
    window.choose("/nowhere/at/all.mp4")
    soon(qtbot, lambda: window.banner.isVisible())
    assert window.settings.source == Settings.source
    window.choose("demo")
    soon(qtbot, lambda: window.settings.source == "demo")


def test_one_can_go_back_from_what_cannot_be_shown(qtbot, opened, tmp_path):
    window = opened(source="demo", opener=open_source)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    window.choose(str(tmp_path / "broken.mp4"))
    soon(qtbot, lambda: window.banner.isVisible())
    offered = [name for name, button in window.banner.buttons.items() if button.isVisible()]
    assert offered == ["retry", "back"]
    qtbot.mouseClick(window.banner.buttons["back"], Qt.MouseButton.LeftButton)
    soon(qtbot, lambda: window.view.image is not None)
    assert window.settings.source != str(tmp_path / "broken.mp4")


def test_what_is_dropped_on_the_window_is_shown(qtbot, opened, tmp_path):
    opened_specs = []

    def opener(spec, settings):
        opened_specs.append(spec)
        return DemoSource(SIZE)

    window = opened(opener=opener)
    clip, mime = tmp_path / "clip.mp4", QMimeData()
    actions, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    at = QPoint(9, 9), actions, mime, button, Qt.KeyboardModifier.NoModifier
    for urls, taken in (([], False), ([str(clip)] * 2, False), ([str(clip)], True)):
        mime.setUrls([QUrl.fromLocalFile(url) for url in urls])
        entering = QDragEnterEvent(*at)
        entering.ignore()
        window.dragEnterEvent(entering)
        assert entering.isAccepted() == taken
    window.dropEvent(QDropEvent(QPointF(at[0]), *at[1:]))
    soon(qtbot, lambda: opened_specs == ["demo", str(clip)])
    mime.setUrls([QUrl("rtsp://10.0.0.2/video")])
    window.dropEvent(QDropEvent(QPointF(at[0]), *at[1:]))
    soon(qtbot, lambda: opened_specs[2:] == ["rtsp://10.0.0.2/video"])


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin lacks it
def test_dialogs_begin_at_what_was_chosen_last(qtbot, opened, tmp_path):
    file, window = tmp_path / "clip.mp4", opened()
    file.write_text("")
    menu = window.panel.source
    for spec, kind, begins in (
        (str(file), QFileDialog, lambda dialog: dialog.directory().path() == str(tmp_path)),
        ("rtsp://10.0.0.2/video", QInputDialog, lambda dialog: dialog.textValue() == menu.spec),
    ):
        window.show_source(spec)
        menu.fill()
        words = {QFileDialog: "Open file…", QInputDialog: "Open URL…"}[kind]
        next(action for action in menu.menu().actions() if action.text() == words).trigger()
        (dialog,) = window.findChildren(kind)
        assert begins(dialog)
        dialog.reject()


def test_a_slider_goes_to_where_it_is_pressed(qtbot, opened):
    slider = opened(wait=False).panel.strength
    at = QPoint(round(0.3 * slider.width()), slider.height() // 2)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=at)
    assert slider.value() == pytest.approx(30, abs=4)


def test_the_window_has_an_icon(opened):
    assert not opened(wait=False).windowIcon().isNull()


def test_a_broken_opener_is_told_not_swallowed(qtbot, opened):
    def opener(spec, settings):
        raise ZeroDivisionError("bug")

    window = opened(opener=opener, wait=False)
    soon(qtbot, lambda: window.banner.isVisible())
    assert "ZeroDivisionError" in window.banner.label.text()


def test_a_device_that_is_gone_gives_way_to_what_there_is(qtbot, opened, monkeypatch):
    monkeypatch.setattr(engine, "_gpu", lambda: "")
    kept = Settings(device="cuda")
    settings_file.save(kept)
    window = opened(kept)
    assert "no cuda" in window.toast.label.text()
    assert not window.banner.isVisible()
    window.close()
    assert settings_file.load() == kept  # it may come back


def test_a_window_in_which_nothing_changed_leaves_the_settings_alone(qtbot, opened):
    window, other = opened(), replace(Settings(), mirror=False)
    settings_file.save(other)
    window.close()
    assert settings_file.load() == other


def test_a_camera_is_named_without_its_password(qtbot, opened):
    window = opened()
    window.show_source("rtsp://me:secret@127.0.0.1:1/stream")
    assert window.panel.source.text() == "127.0.0.1:1/stream"


def test_recording_where_one_cannot_write_leaves_the_picture_alone(qtbot, opened, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    window = opened(Settings(folder=str(blocked / "below")))
    for key in (KEY.Key_R, KEY.Key_S):
        window.banner.hide()
        qtbot.keyClick(window, key)
        soon(qtbot, lambda: window.banner.isVisible())
        assert not window.banner.buttons["retry"].isVisible()
    assert window.panel.record.text() == "Record"
    before = window.session.snapshot().delivered
    soon(qtbot, lambda: window.session.snapshot().delivered > before)


# Files


def start_recording(qtbot, window):
    qtbot.keyClick(window, KEY.Key_R)
    soon(qtbot, lambda: window.session.snapshot().recorded_s > 1.1)


def test_recording_is_shown_and_its_file_plays(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path)))
    start_recording(qtbot, window)
    soon(qtbot, lambda: window.panel.record.text() == "0:01")
    assert ".mp4" in window.panel.status.text
    qtbot.mouseClick(window.panel.record, Qt.MouseButton.LeftButton)
    soon(qtbot, lambda: window.toast.isVisible())
    (path,) = tmp_path.glob("*.mp4")
    assert window.toast.label.text() == f"Saved {path.name}"
    assert window.panel.record.text() == "Record"
    count, size = frames_in(path)
    assert count > 5
    assert size == SIZE


@pytest.mark.parametrize("end", ["close", "stop"])
def test_a_recording_survives_whatever_ends_it(qtbot, opened, tmp_path, end):
    window = opened(Settings(folder=str(tmp_path)))
    start_recording(qtbot, window)
    getattr(window, end)()
    if end == "stop":
        soon(qtbot, lambda: window.toast.isVisible())
    (path,) = tmp_path.glob("*.mp4")
    assert frames_in(path)[0] > 5


def test_a_recording_that_has_only_begun_is_told_of(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path)))
    window._ticker.stop()  # so that the window does not see it begin
    window.toggle_recording()
    window.session.snapshot()
    soon(qtbot, lambda: any(tmp_path.glob("*.mp4")))
    window.stop()
    told = []
    soon(qtbot, lambda: told.extend(window.session.finished()) or told)
    assert told == [(next(tmp_path.glob("*.mp4")), None, 0)]


def test_what_breaks_a_recording_as_the_window_closes_is_logged(
    qtbot, opened, tmp_path, monkeypatch, caplog
):
    window = opened(Settings(folder=str(tmp_path)))
    start_recording(qtbot, window)

    def full(recorder):
        recorder._file.close()
        raise RecordingError("the disk is full; free some space on it")

    monkeypatch.setattr(Recorder, "close", full)
    window.close()
    assert "the disk is full" in caplog.text


def test_snapshots_are_png_of_the_frames_size_and_never_overwrite(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path / "new")))
    qtbot.keyClick(window, KEY.Key_S)
    qtbot.mouseClick(window.panel.snapshot, Qt.MouseButton.LeftButton)
    files = list((tmp_path / "new").iterdir())
    assert len(files) == 2
    for file in files:
        assert file.suffix == ".png"
        image = QImage(str(file))
        assert (image.width(), image.height()) == SIZE


def test_a_snapshot_is_of_what_is_seen(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path / "new")))
    window.show_original(True)
    window.save_snapshot()
    (file,) = (tmp_path / "new").iterdir()
    seen = window.session.snapshot()
    saved = read_picture(file).astype(int)
    assert (
        np.abs(saved - seen.original.pixels).mean() < np.abs(saved - seen.frame.pixels).mean() / 2
    )


# The window


def test_settings_survive_close_and_reopen(qtbot, opened):
    window = opened(wait=False)
    window.change(style={"the-kiss": 1.0}, strength=0.35, preserve_color=True, mirror=False)
    window.resize(780, 640)  # the screen of these tests is 800x800
    window.close()
    remembered = settings_file.load()
    assert remembered == window.settings
    again = MainWindow(remembered, "demo", small_demo)
    qtbot.addWidget(again)
    panel = again.panel
    assert panel.strip.slider.value() == panel.strip.names.index("the-kiss") * 100
    assert (panel.strength.value(), panel.colours.isChecked()) == (35, True)
    assert not panel.mirror.isChecked()
    assert (again.width(), again.height()) == (780, 640)


def test_a_window_closed_in_a_fade_remembers_where_it_leads(qtbot, opened):
    window = opened(wait=False)
    strip = window.panel.strip
    strip.go(7)
    soon(qtbot, lambda: 0 < strip.weights.get(strip.names[7], 0) < 1)
    window.close()
    assert settings_file.load().look.style == {strip.names[7]: 1.0}


def test_settings_are_written_before_the_window_is_closed(qtbot, opened):
    window = opened(wait=False)
    window.change(strength=0.5)
    soon(qtbot, lambda: settings_file.load().look.strength == 0.5)


@pytest.mark.parametrize("style", [{"gone": 1.0}, {"gone": 1.0, "great-wave": 0.0}])
def test_a_style_that_is_gone_gives_way_to_the_default(opened, style):
    look = Look(style=style)
    assert opened(Settings(look=look), wait=False).settings.look.style == Look().style


def test_full_screen_leaves_the_picture_alone(qtbot, opened, tmp_path):
    window = opened(Settings(folder=str(tmp_path)))
    qtbot.keyClick(window, KEY.Key_F)
    soon(qtbot, lambda: window.isFullScreen())
    assert not window.panel.isVisible()
    assert window.view.size() == window.size()
    qtbot.keyClick(window, KEY.Key_R)
    assert window.toast.label.text() == "Recording…"

    def dotted():
        grabbed = window.view.grab().toImage()
        return grabbed.pixelColor(grabbed.width() - theme.MARGIN, theme.MARGIN)

    soon(qtbot, lambda: dotted() == QColor(theme.RECORDING))
    window.view.moved.emit()
    assert window.panel.isVisible()
    assert window.toast.geometry().bottom() < window.panel.y()
    soon(qtbot, lambda: not window.panel.isVisible())
    assert window.toast.geometry().bottom() > window.panel.y()  # where the controls would be
    qtbot.keyClick(window, KEY.Key_End)
    last = window.panel.strip.marks[-1].accessibleName()
    soon(qtbot, lambda: window.toast.label.text().startswith(last))
    qtbot.keyClick(window, KEY.Key_Down)
    assert window.toast.label.text() == "Strength 95%"
    qtbot.keyClick(window, KEY.Key_Tab)
    assert window.panel.isVisible()
    qtbot.wait(shell.IDLE_MS + 200)
    assert window.panel.isVisible()  # since a control has the focus
    qtbot.keyClick(window, KEY.Key_Escape)
    soon(qtbot, lambda: not window.isFullScreen())
    assert window.panel.isVisible()


def test_question_mark_lists_the_keys(qtbot, opened):
    window = opened(wait=False)
    qtbot.keyClick(window, "?")
    assert window.keys.isVisible()
    qtbot.keyClick(window.focusWidget(), KEY.Key_Escape)
    assert not window.keys.isVisible()


@pytest.mark.parametrize("key", [KEY.Key_Tab, KEY.Key_Backtab])
def test_tab_leads_nowhere_behind_the_list(qtbot, opened, key):
    window = opened(wait=False)
    qtbot.keyClick(window, "?")
    qtbot.keyClick(window.focusWidget(), key)
    assert not window.keys.isVisible()
    assert window.focusWidget() is window


def test_nothing_lies_over_the_list(qtbot, opened):
    window = opened(wait=False)

    def above(what):
        order = window.children()  # in Qt's order, the last is on top
        return order.index(what) > order.index(window.keys)

    window.tell("Saved")
    assert above(window.toast) == window.keys.isVisible() is False
    qtbot.keyClick(window, "?")
    for say in (window.tell, window.complain):
        say("Something new")
        assert not above(window.toast)
        assert not above(window.banner)


def test_any_key_closes_the_list_wherever_tab_had_led(qtbot, opened):
    window = opened()
    window.panel.help.setFocus()
    qtbot.keyClick(window.focusWidget(), KEY.Key_Space)
    assert window.keys.isVisible()
    qtbot.keyClick(window.focusWidget(), KEY.Key_Space)
    assert not window.keys.isVisible()
    assert window.session.active
    assert window.focusWidget() is window


def test_the_first_window_fits_its_screen(qtbot, dressed):
    window = MainWindow(Settings(), "demo", small_demo)
    qtbot.addWidget(window)
    room = window.screen().availableSize()
    assert window.size() == window.size().boundedTo(room)
    assert window.height() < room.height()


SMALL_SCREEN = """
import sys
from stylecam.gui.app import application
from stylecam.gui.window import MainWindow
from stylecam.settings import Settings
app = application()
window = MainWindow(Settings(), "demo")
room = window.screen().availableSize()
assert (room.width(), room.height()) == (700, 450), room
assert window.minimumSize() == window.minimumSize().boundedTo(room), window.minimumSize()
window.show()
help = window.panel.help
corner = help.mapTo(window, help.rect().bottomRight())
assert window.rect().contains(corner), corner
"""


def test_it_fits_a_screen_that_is_smaller_than_it_likes(tmp_path):
    """700x450 is what a screen of 1400x900 offers at a scale of 2."""
    screen = {"name": "small", "x": 0, "y": 0, "width": 700, "height": 450}
    (tmp_path / "screens.json").write_text(json.dumps({"screens": [screen]}))
    platform = f"offscreen:configfile={tmp_path / 'screens.json'}"
    done = subprocess.run(
        [sys.executable, "-c", SMALL_SCREEN],
        env={**os.environ, "QT_QPA_PLATFORM": platform},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_no_control_is_cut_off_where_letters_are_large(qtbot, dressed):
    usual = dressed.font()
    larger = QFont(usual)
    larger.setPointSizeF(1.5 * usual.pointSizeF())
    dressed.setFont(larger)
    try:
        window = MainWindow(Settings(), "demo", small_demo)
        qtbot.addWidget(window)
        assert window.minimumWidth() >= window.panel.minimumSizeHint().width() > 720
    finally:
        dressed.setFont(usual)


def test_all_controls_fit_a_small_window(qtbot, opened):
    window = opened(wait=False)
    window.resize(800, 600)
    panel = window.panel
    right = panel.help.mapTo(window, panel.help.rect().topRight()).x()
    assert right < 800
    assert panel.sizeHint().height() < 280
    assert panel.minimumSizeHint().width() <= 800


def test_stroke_size_is_offered_where_a_style_has_two(qtbot, dressed, library):
    plain = {name: replace(style, coarse=style.fine) for name, style in library.items()}
    name, style = next(iter(library.items()))
    for styles, offered in (
        (plain, False),
        ({**plain, name: replace(style, coarse=-style.fine)}, True),
    ):
        panel = Panel(styles, Look())
        qtbot.addWidget(panel)
        assert panel.stroke.isVisibleTo(panel) == offered


def test_every_control_has_a_name_for_those_who_hear_it(qtbot, dressed, library):
    panel = Panel(library, Look())
    qtbot.addWidget(panel)
    for name in ("strength", "stroke", "colours", "mirror", "steadiness", "source", "start",
                 "compare", "snapshot", "record", "full", "help"):  # fmt: skip
        control = getattr(panel, name)
        assert control.accessibleName()
        assert control.toolTip()
    assert panel.strip.slider.accessibleName()
    assert all(mark.accessibleName() for mark in panel.strip.marks)
    panel.show_blend({"great-wave": 0.25, "udnie": 0.75})
    assert panel.strip.slider.accessibleDescription() == "Udnie 75% + Great wave 25%"


def test_controls_can_be_hidden_in_the_window(qtbot, opened):
    window = opened(wait=False)
    whole = window.height()
    assert window.view.height() < whole
    qtbot.keyClick(window, KEY.Key_H)
    assert not window.panel.isVisible()
    assert window.view.height() == whole
    qtbot.keyClick(window, KEY.Key_Down)
    assert window.toast.label.text() == "Strength 95%"  # a toast says what a key did
    for _ in range(2):
        window.toggle_full_screen()
        soon(qtbot, lambda: not window.panel.isVisible())
    qtbot.keyClick(window, KEY.Key_H)
    assert window.panel.isVisible()
    assert window.view.height() < whole


def test_escape_gives_the_keys_back_to_the_window(qtbot, opened):
    window = opened(wait=False)
    window.activateWindow()
    window.panel.stroke.setFocus()
    soon(qtbot, window.panel.stroke.hasFocus)
    qtbot.keyClick(window.panel.stroke, KEY.Key_Escape)
    assert window.focusWidget() is window


def test_recordings_are_shown_once_there_are_any(qtbot, opened, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url) or True)
    window = opened(Settings(folder=str(tmp_path / "new")), wait=False)
    window.panel.source.recordings.trigger()
    assert not shown
    assert window.toast.label.text() == "Nothing has been saved yet."
    (tmp_path / "new").mkdir()
    window.panel.source.recordings.trigger()
    assert shown == [QUrl.fromLocalFile(str(tmp_path / "new"))]


@pytest.fixture
def handlers(monkeypatch):
    """Restores the handlers that the app sets for the whole process."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    kept = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.getsignal(number) for number in kept if number}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_interrupt_in_the_terminal_closes_the_window(qtbot, dressed, handlers):
    QTimer.singleShot(300, lambda: signal.raise_signal(signal.SIGINT))
    assert run(replace(Settings(), width=SIZE[0], height=SIZE[1]), "demo") == 0


def test_options_hold_for_this_time_and_what_the_user_changes_is_kept(qtbot, dressed, handlers):
    kept = Settings(look=Look(strength=0.5), source="0", adaptive=False)
    settings_file.save(kept)
    seen = []

    def use():
        try:
            window = dressed.activeWindow()
            seen.append(window.settings)
            window.change(mirror=False)
            window.panel.strength.setValue(60)
        finally:
            dressed.closeAllWindows()

    QTimer.singleShot(300, use)
    options = {"strength": 0.9, "stroke": 0.25, "adaptive": True, "device": "cpu"}
    with pytest.raises(typer.Exit):
        watch("demo", False, None, None, style="udnie", **options)
    (now,) = seen
    assert now == kept.changed(style={"udnie": 1.0}, **options)
    assert settings_file.load() == kept.changed(mirror=False, strength=0.6)


def test_first_paint_waits_for_nothing_heavy():
    code = """
import sys
from stylecam.gui.app import application
from stylecam.gui.window import MainWindow
from stylecam.settings import Settings
app = application()
window = MainWindow(Settings(), "demo")
window._ticker.stop()
window.show()
while not window.view.painted:
    app.processEvents()
heavy = {"torch", "openvino", "cv2", "av", "stylecam.training"} & set(sys.modules)
window.close()
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
