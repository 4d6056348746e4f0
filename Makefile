# Every target makes what it needs. `make help` lists them.

PYTHON ?= python3
VENV := .venv
# What users install, compiled where a C compiler is present. Also the environment of the compiled test run.
BUILT := .venv-built
CONFIG ?=
SOURCES := $(shell find core protocols gateway -name '*.py') pyproject.toml hatch_build.py
COMPILED_RUN := build/compiled-run

.PHONY: help
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.PHONY: run
run: $(BUILT)/.installed  ## build and start the broker on loopback (CONFIG=FILE for a configuration of your own)
	@exec $(BUILT)/bin/dragoman serve $(if $(CONFIG),--config $(CONFIG))

.PHONY: test
test: $(VENV)/.installed  ## all tests, interpreted: units, models, and third-party clients against a broker
	$(VENV)/bin/python -m pytest tests bench/tests
	$(VENV)/bin/python -m pytest interop

.PHONY: test-compiled
test-compiled: $(BUILT)/.tested  ## the same tests against the compiled build
	rm -rf $(COMPILED_RUN) && mkdir -p $(COMPILED_RUN)
	cp -r tests interop bench docs pyproject.toml dragoman.example.toml $(COMPILED_RUN)/
	cd $(COMPILED_RUN) && DRAGOMAN_EXPECT=compiled $(CURDIR)/$(BUILT)/bin/python -m pytest tests --ignore tests/architecture
	cd $(COMPILED_RUN) && DRAGOMAN_COMMAND=$(CURDIR)/$(BUILT)/bin/dragoman $(CURDIR)/$(BUILT)/bin/python -m pytest interop

.PHONY: interop
interop: $(VENV)/.installed  ## only the third-party clients
	$(VENV)/bin/python -m pytest interop

.PHONY: check
check: $(VENV)/.installed  ## format, lint, types and import contracts
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

.PHONY: crash
crash: $(VENV)/.installed  ## kill the broker under load again and again, and count what is lost (CRASH="--rounds 1000 --state FILE")
	$(VENV)/bin/python -m interop.crash $(CRASH)

.PHONY: bench
bench: $(BUILT)/.tested  ## ours beside Mosquitto, RabbitMQ and ActiveMQ, where they are installed: one table with ratios
	DRAGOMAN_COMMAND=$(BUILT)/bin/dragoman $(BUILT)/bin/python -m bench $(BENCH)

.PHONY: wheel
wheel: $(VENV)/.installed  ## build the wheel into dist/
	$(VENV)/bin/python -m build --wheel

.PHONY: clean
clean:  ## remove environments and everything built
	rm -rf $(VENV) $(BUILT) build dist bench/.build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable . --group dev
	touch $@

$(BUILT)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(BUILT)
	$(BUILT)/bin/python -m pip install --quiet --upgrade pip
	$(BUILT)/bin/python -m pip install --quiet --upgrade --force-reinstall --no-deps .
	$(BUILT)/bin/python -m pip install --quiet .
	touch $@

$(BUILT)/.tested: $(BUILT)/.installed
	$(BUILT)/bin/python -m pip install --quiet --group test --group interop --group build mypy==2.4.1
	touch $@
