"""The window: the only room of stylecam that imports PyQt6. It knows nothing of training."""
