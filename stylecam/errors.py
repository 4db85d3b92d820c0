"""The errors a user can meet; each message says what to do next. Knows no other module.

StylecamError
├── FrameError        a picture that is not uint8 RGB (H, W, 3) with sides of 32 to 8192
├── StyleError        a style or body file, or a value of a style, that cannot be used
│   └── UnknownStyle  a name that no style has
├── EngineError       no device can run the network, or the one asked for cannot
├── SourceError       frames cannot be had from there
│   ├── SourceMissing   no such camera, file or address
│   ├── SourceBusy      there, but another program holds it or permission is refused
│   └── SourceLost      was there, and went away while it was read
├── RecordingError    frames cannot be written there
├── SettingsError     a setting outside its range, or a settings file that cannot be used
└── TrainingError     a recipe, its pictures or its run folder cannot be used
"""


class StylecamError(Exception):
    """Anything the user can act on. The CLI prints it as one line and exits with 1."""


class FrameError(StylecamError):
    """A picture that is not uint8 RGB (H, W, 3) with sides of 32 to 8192."""


class StyleError(StylecamError):
    """A style or body file that is missing, damaged or does not fit, or a value out of range."""


class UnknownStyle(StyleError):
    """A name that neither a bundled style nor one of the user's own has."""


class EngineError(StylecamError):
    """No device here can run the network, or the one asked for cannot."""


class SourceError(StylecamError):
    """Frames cannot be had from a source."""


class SourceMissing(SourceError):
    """There is no such camera, file or address."""


class SourceBusy(SourceError):
    """The camera is there, but another program holds it or permission is refused."""


class SourceLost(SourceError):
    """The source was open and went away while it was read."""


class RecordingError(StylecamError):
    """Frames cannot be written: no room, no permission, or no such folder."""


class SettingsError(StylecamError):
    """A setting outside its range, or a settings file that cannot be read or written."""


class TrainingError(StylecamError):
    """A recipe, its pictures, its encoder or its run folder cannot be used."""
