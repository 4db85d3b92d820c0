"""Measures speed and quality, in numbers. The app never imports it."""
