"""`python -m stylecam`: the command. Knows only where it begins."""

from stylecam.cli import main

main()
