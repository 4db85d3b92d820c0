"""The window: the only room that uses PyQt6, but for `doctor`'s look at it. No training."""
