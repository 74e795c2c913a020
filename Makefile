# make lab    open the workbook (GPU=1 with CUDA)     make test   run all tests
# make quick, make notebooks, make bench, make lock, make clean: for authors
ARGS ?=
VENV := .venv$(if $(GPU),-gpu)
ifeq ($(OS),Windows_NT)
PYTHON ?= python
RUN := $(VENV)/Scripts/python
else
PYTHON ?= python3
RUN := $(VENV)/bin/python
endif
LOCK := $(if $(GPU),requirements-gpu.lock,requirements.lock)
STAMP := $(VENV)/installed

.PHONY: lab test quick notebooks book bench lock clean
.DEFAULT_GOAL := lab

lab: $(STAMP)
	@$(RUN) -m helpers lab $(ARGS)

# Two processes: more would wait for each other, since TensorFlow uses every core itself.
# Slow tests are those that repeat others in more variants: ARGS="-m slow" runs them.
test: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 --dist worksteal -m "not slow" tests $(ARGS)
	$(RUN) -m pytest -n 2 --dist loadfile --nbval solutions $(ARGS)

# Fast tests for authors: the form of the pages, their checks, whether derived files are up to date.
quick: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 --dist worksteal -m "not slow" tests/pages tests/exercises tests/test_authoring.py $(ARGS)

notebooks: $(VENV)/installed-test
	$(RUN) -m helpers notebooks $(ARGS)

book: $(VENV)/installed-test
	@$(RUN) -m helpers.book $(ARGS)

bench: $(VENV)/installed-test
	$(RUN) -m tests.benchmarks $(ARGS)

# The stamp is written last, so an installation that failed or was stopped continues the next time.
$(STAMP): $(LOCK) pyproject.toml helpers/lab/overrides.json
	@$(PYTHON) helpers/install.py --venv $(VENV) --lock $(LOCK)

$(VENV)/installed-test: requirements-test.lock $(STAMP)
	$(if $(GPU),$(error The tests run on the CPU build: leave GPU unset))
	@$(PYTHON) helpers/install.py --venv $(VENV) --lock requirements-test.lock --stamp installed-test

# The lock files serve pip and uv. The lock of the tests includes the first and lists its additions.
LOCKED = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml --extra build

lock:
	$(LOCKED) --extra cpu -o requirements.lock
	$(LOCKED) --extra gpu -c requirements.lock -o requirements-gpu.lock
	$(LOCKED) --extra cpu --extra test --extra book -c requirements.lock -o requirements-test.lock
	$(PYTHON) .github/added.py requirements.lock requirements-test.lock

clean:
	$(PYTHON) -c "import shutil; shutil.rmtree('$(VENV)', ignore_errors=True)"
