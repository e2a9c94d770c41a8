# Everything a new machine needs is installed by the targets themselves, into .venv.
PYTHON ?= python3
# Which rns the environment gets: RNS="rns==1.4.2 lxmf==1.1.1" tests against an older one.
RNS ?= rns==1.5.7 lxmf==1.2.1
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test bench test-coordination bench-coordination test-bluez bench-bluez lint wheel clean

demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py

test: $(VENV)/.installed
	@$(BIN)/python -m pytest

# How fast and how small it is, as one table. BENCHMARKS="codec discovery" runs some.
bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks $(BENCHMARKS) --json bench.json

# The coordination service, with what the suite runs in small in full: eight processes with 2,000 requests each on both
# stores, while instances are killed, and a hundred requests for each operation that the description allows or forbids.
test-coordination: $(VENV)/.installed
	@COORDINATION_THOROUGH=1 $(BIN)/python -m pytest -s tests/coordination/test_history.py tests/coordination/test_openapi.py

# Figures of both stores.
bench-coordination: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.coordination

# Real BlueZ in virtual machines. Needs Debian and, to install what is missing, root; see tests/bluez.
# SCENARIOS="two_hosts* example_*" runs some, on every BlueZ.
test-bluez: $(VENV)/.installed
	@$(BIN)/python -m tests.bluez -v $(foreach name,$(SCENARIOS),'$(name)')

# The same, with everything on every BlueZ and repeated as often as the figures in the README need: two hours.
bench-bluez: $(VENV)/.installed
	@$(BIN)/python -m tests.bluez -v --thorough

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: $(VENV)/.installed
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.installed: setup.cfg pyproject.toml Makefile tools/make-venv
	@tools/make-venv $(PYTHON) $(VENV) $(RNS)
	@touch $@
