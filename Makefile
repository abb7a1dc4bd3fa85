# `make demo` and `make test` are all that a machine with Python 3.11 and make needs.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := app tests migrations bench
# Apart from the others: schemathesis gives its tests one id, and of those xdist would run a single one in its usual order.
FUZZ := $(BIN)/pytest -n 2 --dist load -p no:randomly tests/check_operations.py

# Install a lock file with a counter as progress; the whole log is shown only if it fails.
define install
	@total=$$(grep -c '==' $(1)); \
	{ $(PIP) install --require-hashes -r $(1) 2>&1; echo $$? > $(VENV)/pip.status; } | tee $(VENV)/pip.log \
	| awk -v total=$$total '/^(Collecting|Requirement already)/ {n++; printf "\r  %d of %d", n, total; fflush()} \
	  /^Installing collected/ {printf "\r  %d of %d, unpacking", n, total; fflush()} END {print ""}' >&2; \
	test "$$(cat $(VENV)/pip.status)" = 0 || { cat $(VENV)/pip.log >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help demo run test fuzz test-browser format catalogs lock clean

help: ## Say what can be done
	@echo "Zhaiyao: digests of new arXiv papers"
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 24

$(BIN)/python:
	@echo "· making the environment in $(VENV)" >&2
	@test -n "$(PYTHON)" || { echo "make: no python3.11 found; install Python 3.11 or newer, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) cannot make environments; on Debian install python3-venv" >&2; exit 1; }

# The stamps depend on the lock files, so that a changed lock is installed and an unchanged one costs nothing.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "· installing what Zhaiyao needs (once, about a minute)" >&2
	$(call install,requirements.lock)
	@$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "· installing what its tests need" >&2
	$(call install,requirements-dev.lock)
	@touch $@

demo: $(VENV)/run.stamp ## Run the main job on the bundled listing and print the digest
	@$(BIN)/zhaiyao demo

run: $(VENV)/run.stamp ## Run the whole service on this machine
	@$(BIN)/zhaiyao up

test: $(VENV)/dev.stamp ## Check style and types, and run every test
	@echo "· style" && $(BIN)/ruff check $(SOURCES) && $(BIN)/ruff format --check --quiet $(SOURCES)
	@echo "· types" && $(BIN)/mypy --no-error-summary
	@echo "· architecture" && $(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "· tests" && $(BIN)/pytest
	@echo "· every operation of the API" && $(FUZZ)
	@echo "all is well; next: make demo, or see CONTRIBUTING.md"

fuzz: $(VENV)/dev.stamp ## Try every operation of the API with many invented requests (ZHAIYAO_FUZZ=500 of each)
	@ZHAIYAO_FUZZ=$${ZHAIYAO_FUZZ:-500} $(FUZZ)

test-browser: $(VENV)/dev.stamp ## Look at the pages in Chromium; pictures in build/screenshots
	@$(BIN)/pytest -n 0 -rsf tests/browser/check_pages.py

format: $(VENV)/dev.stamp ## Bring the code into its usual form
	@$(BIN)/ruff check --fix $(SOURCES); $(BIN)/ruff format $(SOURCES)

catalogs: $(VENV)/dev.stamp ## Bring the catalogs of fixed texts up to date with the code
	@$(BIN)/pybabel -q extract -F app/render/locale/babel.cfg --no-location --sort-output -o $(VENV)/messages.pot app/render app/web
	@for po in app/render/locale/*/messages.po; do \
	  $(BIN)/pybabel -q update -i $(VENV)/messages.pot -o $$po -l $$(basename $$(dirname $$po)) \
	    --width=100 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date; \
	done

lock: ## Renew the lock files (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements-dev.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group build pyproject.toml -c requirements-dev.lock -o requirements.lock

clean: ## Remove the environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
