# The README's two commands. Each sets up whatever is missing, and nothing twice.

VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo app test check clean

demo:
	@tools/setup.sh core
	@$(BIN)/omniaudio demo

# One line per tool; the first that fails stops the run.
# The desktop app, with the extra it needs.
app:
	@tools/setup.sh app
	@$(BIN)/omniaudio gui

test:
	@tools/setup.sh dev
	@$(MAKE) --no-print-directory check

check:
	@echo "ruff" && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "mypy" && $(BIN)/mypy --no-error-summary
	@echo "import-linter" && $(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log 2>&1 \
		|| { cat $(VENV)/lint-imports.log; exit 1; }
	@echo "pytest" && $(BIN)/pytest -q

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis omniaudio-demo
