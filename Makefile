# make demo   set everything up and see a moving painting
# make test   set everything up and run the tests
# make check  the tests, the linter and the types
# Windows and macOS: pip install . && stylecam demo

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

# What Qt needs of the system to draw, offscreen and on a real X11 display, in Debian's names.
QT_PACKAGES := libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0 \
  libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-image0 \
  libxcb-render-util0 libxcb-xinerama0 fonts-dejavu-core

.PHONY: demo test check clean

demo: $(VENV)/app
	$(BIN)/stylecam demo

test: $(VENV)/dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest

check: test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/app: pyproject.toml | $(VENV)/system
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stylecam needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing: install the package python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/app
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# On Debian installs what is missing where it may, or says what to install; elsewhere does nothing.
$(VENV)/system:
	@mkdir -p $(VENV)
	@missing=""; \
	if command -v dpkg-query >/dev/null; then \
	  for p in $(QT_PACKAGES) $$($(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv); do \
	    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q '^install ok' || missing="$$missing $$p"; \
	  done; \
	fi; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then SUDO=""; elif sudo -n true 2>/dev/null; then SUDO="sudo"; else SUDO="none"; fi; \
	  if [ "$$SUDO" = none ] || ! command -v apt-get >/dev/null; then \
	    echo "Qt may need these system packages; install them if the window does not open:"; \
	    echo "  sudo apt-get install$$missing"; \
	  else \
	    echo "Installing system packages:$$missing"; \
	    $$SUDO apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq --no-install-recommends $$missing >/dev/null || exit 1; \
	  fi; \
	fi; \
	touch $@

clean:
	rm -rf $(VENV) build dist
