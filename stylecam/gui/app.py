"""Starts Qt and the window, and ends both cleanly. Knows none of the window's controls."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from types import TracebackType

from PyQt6.QtCore import QCameraPermission, Qt, QTimer
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import (
    QApplication,
    QProxyStyle,
    QStyle,
    QStyleHintReturn,
    QStyleOption,
    QWidget,
)

from stylecam.gui import theme
from stylecam.gui.window import MainWindow
from stylecam.settings import DEFAULT_STYLE, Settings
from stylecam.style import thumbnail

log = logging.getLogger(__name__)


class _Style(QProxyStyle):
    """Sliders jump to where they are pressed, as the style slider does."""

    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returnData: QStyleHintReturn | None = None,
    ) -> int:
        if hint == QStyle.StyleHint.SH_Slider_AbsoluteSetButtons:
            return Qt.MouseButton.LeftButton.value  # type: ignore[return-value]
        return super().styleHint(hint, option, widget, returnData)


def application() -> QApplication:
    """Returns the only QApplication, in dark colours; a second call only restyles it."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName("stylecam")
    app.setDesktopFileName("stylecam")
    app.setWindowIcon(QIcon(str(thumbnail(DEFAULT_STYLE) or "")))
    app.setStyle(_Style("Fusion"))
    app.setPalette(theme.palette())
    app.setStyleSheet(theme.STYLESHEET)
    return app


def run(
    settings: Settings,
    source: str | None = None,
    kept: Settings | None = None,
    troubles: Sequence[str] = (),
) -> int:
    """Shows the window until it is closed; returns the exit code.

    `source` is shown this time in place of the one remembered in the settings. If `kept` is given,
    `settings` also hold for this time only, and `kept` is what is remembered. `troubles` are shown
    in the window.
    """
    app = application()
    window = MainWindow(settings, source, kept=kept, troubles=troubles)

    def stumbled(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        log.critical("unexpected", exc_info=(kind, error, trace))
        window.complain(f"unexpected error: {error!r}")

    sys.excepthook = stumbled  # else PyQt aborts, and a recording with it
    window.show()
    # Only now, since a window that is not shown cannot be closed. Python notices a signal only
    # while it runs Python code, as the window's timer does; the single shot keeps the window from
    # being closed in the middle of painting.
    ending = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(hangup := getattr(signal, "SIGHUP", signal.SIGTERM)) != signal.SIG_IGN:
        ending.append(hangup)  # nohup ignores it, and Windows has none
    for number in ending:
        signal.signal(number, lambda *_: QTimer.singleShot(0, window.close))
    if app.checkPermission(QCameraPermission()) == Qt.PermissionStatus.Undetermined:
        # macOS asks only on the main thread. After a refusal, the banner offers Retry.
        app.requestPermission(QCameraPermission(), lambda _: None)
    return app.exec()
