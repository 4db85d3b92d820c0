"""Runs the `stylecam` command for `python -m stylecam`. Knows only its entry point."""

from stylecam.cli import main

main()
