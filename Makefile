# `make demo` and `make test` do everything on a fresh machine: Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread each: OpenMP workers that spin at barriers make two processes on two cores up to 14 times slower.
export OMP_NUM_THREADS ?= 1
# The tests run in two processes (`make test ARGS="-n 0 --pdb"`: in one): while one waits for a page or a worker, the other
# computes. `worksteal` deals them out in order, so that what the tests of a module share is made once or twice, and evens
# out the end.
TESTS := -n 2 --dist worksteal

.PHONY: demo test check bench install chromium clean

demo: $(VENV)/.demo
	$(BIN)/python launch.py --workspace earmark-demo

test: $(VENV)/.dev chromium
	$(BIN)/python -m pytest $(TESTS) $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_documentation.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

install: $(VENV)/.demo

# Browser tests need a Chromium: EARMARK_CHROMIUM, else one on the path, else (as root) the system's package. Without one
# they skip and say so.
chromium:
	@for name in "$$EARMARK_CHROMIUM" chromium chromium-browser google-chrome chrome; do \
	  if [ -n "$$name" ] && command -v "$$name" >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	fi || echo "no Chromium could be installed: browser tests will skip (set EARMARK_CHROMIUM)"

# A stamp file, so that a second call starts at once and a changed pyproject installs again.
$(VENV)/.demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV), once: a few minutes'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV), once: a few minutes'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist *.egg-info
