# make lab    open the workbook (GPU=1 with CUDA)     make test   prove everything
# make notebooks, make bench, make lock, make clean: for authors
PYTHON ?= python3
ARGS ?=
VENV := .venv$(if $(GPU),-gpu)
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
RUN := $(BIN)/python
LOCK := $(if $(GPU),requirements-gpu.lock,requirements.lock)
STAMP := $(VENV)/installed

.PHONY: lab test quick notebooks book bench lock clean
.DEFAULT_GOAL := lab

lab: $(STAMP)
	@$(RUN) -m helpers lab $(ARGS)

# Two processes: more would wait for each other, since TensorFlow uses every core itself.
test: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 --dist worksteal tests $(ARGS)
	$(RUN) -m pytest -n 2 --dist loadfile --nbval solutions $(ARGS)

# What an author needs between two edits: the pages' form, their checks, derived files in step.
quick: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 --dist worksteal tests/pages tests/exercises tests/test_authoring.py $(ARGS)

notebooks: $(VENV)/installed-test
	$(RUN) -m helpers notebooks $(ARGS)

book: $(VENV)/installed-test
	@$(RUN) -m helpers.book $(ARGS)

bench: $(VENV)/installed-test
	$(RUN) -m tests.benchmarks $(ARGS)

# The stamp is written last, so an install that failed or was stopped starts again.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" \
	  || { echo "The workbook needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/python3.12."; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
	  || { echo "Python cannot make a virtual environment; on Debian: apt install python3-venv."; exit 1; }
	@echo "Installing the workbook into $(VENV), once; this takes a minute or two."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/installed-test: requirements-test.lock $(STAMP)
	@test -z "$(GPU)" || { echo "The tests run on the CPU build: leave GPU unset."; exit 1; }
	@echo "Installing what the tests need, once."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

LOCKED = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate pyproject.toml

lock:
	$(LOCKED) --extra cpu -o requirements.lock
	$(LOCKED) --extra cpu --extra test --extra book -c requirements.lock -o requirements-test.lock
	$(LOCKED) --extra gpu -c requirements.lock -o requirements-gpu.lock

clean:
	rm -rf $(VENV)
