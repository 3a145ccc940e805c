# Every target runs the tools of the active environment: `pip install '.[test,dev]'` first.
PYTHON ?= python

.PHONY: check test bench coverage

# All that can be said about the code without running it. Each check runs, whatever the one before it said.
check:
	@status=0; \
	run() { printf '\n== %s\n' "$$*"; "$$@" || status=1; }; \
	run $(PYTHON) -m ruff check .; \
	run $(PYTHON) -m ruff format --check .; \
	run $(PYTHON) -m mypy; \
	run $(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo; \
	if [ $$status -eq 0 ]; then printf '\nall checks passed\n'; else printf '\nsome checks failed\n'; fi; \
	exit $$status

test:
	$(PYTHON) -m pytest

# All of it, whatever one part said: BENCH='--beside 20MB,100MB,4GB --write' is the whole truth, and takes longer.
bench:
	@status=0; \
	$(PYTHON) -m benchmarks $(BENCH) || status=1; \
	$(PYTHON) -m benchmarks.decision || status=1; \
	$(PYTHON) -m benchmarks.plan_quality || status=1; \
	exit $$status

# The domain is pure, so its own tests can reach every branch of it, and do.
coverage:
	$(PYTHON) -m pytest tests/domain --cov=quotad/domain --cov-branch --cov-report=term-missing --cov-fail-under=100
