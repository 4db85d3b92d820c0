"""The window: the only package that uses PyQt6, apart from a check in `doctor`. No training."""
