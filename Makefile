# The two commands of a newcomer are `make demo` and `make test`; CI runs the same recipes.
# PYTHON may name another interpreter (3.11 or later). JOBS is how many test processes run at once.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 3
# The tests start dozens of processes: none of them compiles the program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check unit endurance tools soak bench bench-trace clean

# A whole concentrator at work, on this machine alone. STAY=1 leaves it running.
demo: $(VENV)/.runtime
	@$(BIN)/oct demo $(if $(STAY),--stay)

# Every check: style, types, architecture, then all tests on SQLite and PostgreSQL.
test: check unit

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Temporary files lie in memory where it has room for them.
unit endurance: export TMPDIR := $(or $(TMPDIR),$(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }'),/tmp)

unit: $(VENV)/.development tools
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# Real clients and servers that the tests drive; installed as root where that is possible, otherwise named.
tools:
	@sh infra/test-tools.sh

# The long forms of journeys that `test` has in short: more kills, all of production's faults at once, larger files.
endurance: $(VENV)/.development tools
	$(BIN)/pytest -n 2 tests/journeys/endurance

# What takes longer still, one program after the other: each prints what it found and fails when a promise was
# broken. The tests hold shorter forms of the same.
SOAK := mailboxes storm steady api secrecy upgrade flat

soak: $(VENV)/.development tools
	@for one in $(SOAK); do echo "== $$one"; $(BIN)/python -m tests.soak.$$one || exit 1; done

# CPU of one message against its bare cryptography, printed as ratios.
bench: $(VENV)/.development
	$(BIN)/python infra/bench/message_cost.py

# One million events sealed, exported, verified.
bench-trace: $(VENV)/.development
	$(BIN)/python infra/bench/trace_verify.py

$(VENV)/.runtime: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed" >&2; exit 2; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
