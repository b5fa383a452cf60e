# Every target does its own set-up; all it needs is Python 3.11+ and git.
PYTHON ?= python3
BIN := .venv/bin

help:      ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

run: .venv/ready        ## tell the whole story on the sample brand; writes out/report.html
	$(BIN)/orchestrator demo

serve: .venv/ready      ## start the web app on the sample brand at http://127.0.0.1:8321
	@{ test -f out/demo/brand.yaml || $(BIN)/orchestrator demo; } && $(BIN)/orchestrator --brand out/demo serve

test: .venv/ready       ## run every test, real servers included (it says first what it downloads)
	$(BIN)/python -m tests.servers && $(BIN)/python -m pytest

test-fast: .venv/ready  ## run the tests that need no server
	$(BIN)/python -m pytest -m "not servers and not slow"

check: .venv/ready      ## lint, format, types, import contract, tests
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports
	$(MAKE) test

bench: .venv/ready      ## measure against bare references, as ratios; ARGS=--quick for a glance
	$(BIN)/python -m bench $(ARGS)

faults: .venv/ready     ## break everything on purpose, and count what came of it; writes docs/reference/faults.md
	$(BIN)/python -m faults $(ARGS)

docs: .venv/ready       ## write the generated reference pages and schema again
	$(BIN)/python -m docs.generate

lock:                   ## resolve requirements.lock anew
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install -q uv
	.venv-lock/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --all-extras --group dev pyproject.toml -o requirements.lock -q

.venv/ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e . && touch $@
