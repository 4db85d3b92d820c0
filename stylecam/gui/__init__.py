"""The window: the only room of stylecam that uses PyQt6. It knows nothing of training."""
