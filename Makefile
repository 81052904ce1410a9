# Every task has one name; `make` lists them. Each one sets up what it needs, and does so once.

PYTHON ?= python3
PULUMI_SDK ?=
TAG ?=
EDITABLE ?= -e
ARGS ?=

# One environment; another interpreter or another SDK makes it anew.
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready$(subst /,_,-$(PYTHON)-)$(subst =,,$(PULUMI_SDK))$(if $(EDITABLE),,-wheel)

export TAG
export PULUMI_SKIP_UPDATE_CHECK = true
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The environment comes first: Pulumi's Python host takes the `python3` that it finds on PATH.
WITH_PULUMI = pulumi=$$("$(BIN)/python" tools/pulumi_cli.py) && PATH="$(BIN):$$pulumi:$$PATH"

# Tests with the real CLI wait for it half of their time: two for each core, and no more than eight.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 2 * (os.cpu_count() or 1)))')

.DEFAULT_GOAL := help
.PHONY: help demo test test-archive lowest check hooks reference docs browser quickstarts faults kills bench release-check record plugin-archive clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="-k rotation" is handed on to the task; PYTHON=python3.12 chooses the interpreter.'

demo: $(READY) ## Create, rotate and destroy a vault with the real Pulumi CLI, against the emulator
	@$(WITH_PULUMI) && python tools/demo.py $(ARGS)

# A run of all tests measures branch coverage, with the floors of pyproject.toml and of the lifecycle; one with ARGS does not.
test: $(READY) ## Run all tests, those with the real Pulumi CLI too
	@$(WITH_PULUMI) && pytest --numprocesses $(WORKERS) --dist worksteal $(or $(ARGS),--cov --cov-report=)
	@$(if $(ARGS),,"$(BIN)/coverage" report --include='*/lifecycle/*' --fail-under=100)

# An archive that QODER_PLUGIN_ARCHIVE names is taken as it is. What says "dynamic" and moves nowhere runs no plugin.
test-archive: $(READY) $(if $(QODER_PLUGIN_ARCHIVE),,plugin-archive) ## Run the plugin's tests with the real CLI again, with the plugin of an archive; many minutes
	@$(WITH_PULUMI) && QODER_PLUGIN_ARCHIVE="$(or $(QODER_PLUGIN_ARCHIVE),dist)" \
		pytest --numprocesses $(WORKERS) --dist worksteal $(or $(ARGS),tests/engine -k 'not dynamic or moves')

lowest: $(READY) ## Run the unit tests with the lowest version of every dependency, in an environment of their own
	"$(BIN)/uv" venv --quiet --clear --python "$(PYTHON)" $(VENV)-lowest
	"$(BIN)/uv" pip install --quiet --python $(VENV)-lowest --resolution lowest-direct --editable . --group dev
	"$(VENV)-lowest/bin/pytest" --numprocesses $(WORKERS) $(or $(ARGS),tests/unit tests/contract)

check: $(READY) ## Check style, types and the workflows; changes nothing
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/mypy" pulumi_qoder_vault tools tests
	"$(BIN)/mypy" --platform win32 pulumi_qoder_vault
	"$(BIN)/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
	"$(BIN)/check-jsonschema" --builtin-schema vendor.dependabot .github/dependabot.yml
	"$(BIN)/zizmor" --offline --quiet --persona pedantic .github examples/pipeline/github-actions.yml

hooks: $(READY) ## Let git run the checks of .pre-commit-config.yaml at each commit in this clone
	"$(BIN)/pre-commit" install

reference: $(READY) ## Write the tables of docs/reference.md from those of the code
	@"$(BIN)/python" tools/reference.py

docs: $(READY) ## Build the site of the manual into site/; a link to no page or heading fails
	@"$(BIN)/python" -m pip install --quiet $(EDITABLE) '.[docs]'
	@"$(BIN)/python" tools/build_site.py site

browser: docs ## Look at the front page of the site in a headless Chrome or Chromium; pictures go to .cache/screenshots
	@command -v chromedriver > /dev/null \
		|| { echo 'There is no chromedriver on PATH. On Debian: apt-get install chromium chromium-driver' >&2; exit 1; }
	@QODER_SCREENSHOTS=.cache/screenshots "$(BIN)/pytest" tests/browser $(ARGS)

quickstarts: $(READY) ## Follow the quick starts in empty folders, and write docs/evidence/quickstarts.md; many minutes
	@$(WITH_PULUMI) && PYTHONPATH=tests python -m engine.quickstarts $(ARGS)

faults: $(READY) ## Run the fault table, write docs/evidence/faults.md, and ten thousand lives; ARGS=--check compares, ARGS='--only lives' skips it
	PYTHONPATH=tests "$(BIN)/python" -m faults.table $(ARGS)

kills: $(READY) ## Interrupt and kill forty runs of the real CLI, and write docs/evidence/kills.md
	@$(WITH_PULUMI) && QODER_ALL_KILLS=1 pytest --numprocesses 2 -rP tests/engine/test_kills.py | python tests/engine/kill_table.py

bench: $(READY) ## Measure both fronts with 200 vaults, and access tokens by value and by reference; some minutes
	@$(WITH_PULUMI) && PYTHONPATH=tests python -m engine.bench $(ARGS)

# Everything of a release that needs no network. TAG=v0.1.0 also holds a tag against it.
release-check: $(READY) ## Check a release: versions, sdist, wheel, metadata, and an upgrade from the recorded states
	"$(BIN)/python" tools/release.py check $(if $(TAG),--tag "$$TAG") $(ARGS)
	@$(WITH_PULUMI) && pytest --numprocesses $(WORKERS) tests/upgrade

record: $(READY) ## Record the states that this version writes, for the tests of later ones, into tests/upgrade
	@$(WITH_PULUMI) && PYTHONPATH=tests python -m upgrade.record

plugin-archive: ## Build the plugin for this system as an archive that needs no Python, into dist/
	@$(PYTHON) tools/plugin_archive.py dist $(ARGS)

clean: ## Remove what these tasks made in the checkout; the cached Pulumi CLI stays
	rm -rf $(VENV) $(VENV)-lowest dist site .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .pulumi-demo
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo '$(PYTHON) is not Python 3.11 or newer; choose one that is: make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Environment: installing into $(VENV), with $(PYTHON)' >&2
	@if [ -e '$@' ]; then $(PYTHON) -m venv $(VENV); else $(PYTHON) -m venv --clear $(VENV); fi
	@"$(BIN)/python" -m pip install --quiet --upgrade 'pip>=25.1'
	@"$(BIN)/python" -m pip install --quiet $(EDITABLE) . --group dev 'pulumi$(PULUMI_SDK)'
	@touch '$@'
