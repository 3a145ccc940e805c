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

bench:
	$(PYTHON) -m benchmarks
	$(PYTHON) -m benchmarks.inside
	$(PYTHON) -m benchmarks.decision
	$(PYTHON) -m benchmarks.plan_quality

# The domain is pure, so its own tests can reach every branch of it, and do.
coverage:
	$(PYTHON) -m pytest tests/domain --cov=quotad/domain --cov-branch --cov-report=term-missing --cov-fail-under=100
