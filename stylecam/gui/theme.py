"""Colours, the style sheet and the icons: how the window looks. Knows none of its widgets."""

from __future__ import annotations

from PyQt6.QtCore import QByteArray, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PyQt6.QtSvg import QSvgRenderer

SURROUND = "#08080a"
"""Around the picture."""
PANEL = "#131317"
RAISED = "#212127"
EDGE = "#2e2e36"
TEXT = "#ececf0"
QUIET = "#94949f"
FAINT = "#5a5a64"
ACCENT = "#e9ad52"
RECORDING = "#e5484d"

MARGIN = 24
"""Pixels between the window's edge and its contents."""

_ICONS = {
    "play": '<path d="M8 5.5v13l10.5-6.5z" fill="{0}" stroke="none"/>',
    "stop": '<rect x="6.5" y="6.5" width="11" height="11" rx="1.5" fill="{0}" stroke="none"/>',
    "record": '<circle cx="12" cy="12" r="5.5" fill="{0}" stroke="none"/>',
    "compare": '<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="M12 3v18"/>'
    '<path d="M12 5h6.5a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H12z" fill="{0}" opacity=".45"/>',
    "snapshot": '<path d="M4 8h3.5l1.5-2.5h6L16.5 8H20a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4'
    'a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"/><circle cx="12" cy="13" r="3.3"/>',
    "full": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
    "help": '<path d="M9 9.2a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4"/>'
    '<circle cx="12" cy="18" r="1" fill="{0}" stroke="none"/>',
    "close": '<path d="M6.5 6.5l11 11M17.5 6.5l-11 11"/>',
}

STYLESHEET = f"""
QWidget {{ color: {TEXT}; }}
QPushButton {{
  outline: none;
  background: {RAISED}; border: 1px solid {EDGE}; border-radius: 8px;
  padding: 0 12px; min-height: 32px;
}}
QPushButton[icon_only="true"] {{ padding: 0; min-width: 34px; max-width: 34px; }}
QPushButton:hover {{ background: {EDGE}; }}
QPushButton:pressed {{ background: {FAINT}; }}
QPushButton:disabled {{ color: {FAINT}; background: {PANEL}; }}
QPushButton:checked {{ color: {ACCENT}; border-color: {ACCENT}; }}
QPushButton:checked:disabled {{ color: {FAINT}; border-color: {EDGE}; }}
QPushButton:focus {{ border: 2px solid {ACCENT}; }}
QPushButton[recording="true"], QPushButton[recording="true"]:hover {{
  background: {RECORDING}; border-color: {RECORDING}; color: white;
}}
QPushButton[recording="true"]:focus {{ border-color: white; }}
QPushButton::menu-indicator {{ subcontrol-position: right center; right: 10px; }}
QSlider::groove:horizontal {{ height: 3px; border-radius: 1px; background: {EDGE}; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: 1px; }}
QSlider::handle:horizontal {{
  width: 14px; height: 14px; margin: -6px 0; border-radius: 7px; background: {TEXT};
}}
QSlider::handle:horizontal:focus {{
  background: {ACCENT}; border: 2px solid {TEXT}; width: 13px; margin: -7px 0; border-radius: 8px;
}}
QMenu {{ background: {RAISED}; border: 1px solid {EDGE}; padding: 6px; }}
QMenu::item {{ padding: 7px 28px 7px 26px; border-radius: 5px; }}
QMenu::item:selected {{ background: {EDGE}; }}
QMenu::item:disabled {{ color: {FAINT}; }}
QMenu::separator {{ height: 1px; background: {EDGE}; margin: 6px 4px; }}
QMenu::indicator {{ left: 8px; width: 10px; height: 10px; border-radius: 5px; }}
QMenu::indicator:checked {{ background: {ACCENT}; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {EDGE}; padding: 5px 8px; }}
QScrollArea {{ background: transparent; border: none; }}
#banner {{ background: #3b1d1f; border: none; border-bottom: 1px solid {RECORDING}; }}
#toast, #sheet {{ background: {RAISED}; border: 1px solid {EDGE}; border-radius: 12px; }}
#shade {{ background: rgba(0, 0, 0, 170); }}
#quiet {{ color: {QUIET}; }}
"""


def palette() -> QPalette:
    """Dark colours for what the style sheet leaves to Qt: dialogs, selections, links."""
    roles, colours = QPalette.ColorRole, QPalette()
    for role, colour in (
        (roles.Window, PANEL),
        (roles.Base, SURROUND),
        (roles.AlternateBase, PANEL),
        (roles.Button, RAISED),
        (roles.WindowText, TEXT),
        (roles.Text, TEXT),
        (roles.ButtonText, TEXT),
        (roles.PlaceholderText, QUIET),
        (roles.ToolTipBase, RAISED),
        (roles.ToolTipText, TEXT),
        (roles.Highlight, ACCENT),
        (roles.HighlightedText, SURROUND),
        (roles.Link, ACCENT),
    ):
        colours.setColor(role, QColor(colour))
    for role in (roles.Text, roles.ButtonText, roles.WindowText):
        colours.setColor(QPalette.ColorGroup.Disabled, role, QColor(FAINT))
    return colours


def icon(name: str, colour: str = TEXT) -> QIcon:
    """Returns the line icon of that name; fainter where its button is disabled."""
    both = QIcon(_drawn(name, colour))
    both.addPixmap(_drawn(name, FAINT), QIcon.Mode.Disabled)
    return both


def _drawn(name: str, colour: str) -> QPixmap:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{colour}" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">'
        f"{_ICONS[name].format(colour)}</svg>"
    )
    # Three times the size it is shown at, so that it is crisp on high-DPI screens.
    picture = QPixmap(60, 60)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    return picture
