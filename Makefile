# `make demo` and `make test` do everything on a fresh machine: Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread each: OpenMP workers that spin at barriers make two processes on two cores up to 14 times slower.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check bench install clean

demo: $(VENV)/.demo
	$(BIN)/python launch.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_documentation.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

install: $(VENV)/.demo

# A stamp file, so that a second call starts at once and a changed pyproject installs again.
$(VENV)/.demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist *.egg-info
