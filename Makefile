# The README's two commands. Each sets up whatever is missing, and nothing twice.

VENV := .venv
BIN := $(VENV)/bin

# Blender as a Python module, in every version that the set-up found a Python for.
BLENDERS := $(wildcard .blender/*/bin/python)

.PHONY: demo app extension test check check-blender clean

demo:
	@tools/setup.sh core
	@$(BIN)/omniaudio demo

# The desktop app, with the extra it needs.
app:
	@tools/setup.sh app
	@$(BIN)/omniaudio gui

test:
	@tools/setup.sh dev
	@tools/setup.sh blender
	@$(MAKE) --no-print-directory check

# The Blender extension: a zip for each platform in dist.
extension:
	@tools/setup.sh core
	@tools/setup.sh blender
	@$(BIN)/python tools/extension.py

# One line per tool; the first that fails stops the run.
check:
	@echo "ruff" && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "mypy" && $(BIN)/mypy --no-error-summary
	@echo "import-linter" && $(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log 2>&1 \
		|| { cat $(VENV)/lint-imports.log; exit 1; }
	@tools/check_tests.sh

# The add-on in each Blender, AT_ONCE at a time; all of them also where one fails.
AT_ONCE := 2
check-blender: export OMNIAUDIO_TEST_PYTHON := $(CURDIR)/$(BIN)/python
check-blender:
ifeq ($(BLENDERS),)
	@echo "pytest in Blender: left out, there is none in .blender"
else
	@OMNIAUDIO_EXTENSION_ZIP="$$($(BIN)/python tools/extension.py --platform here --output build/extension)" \
		&& export OMNIAUDIO_EXTENSION_ZIP \
		&& printf '%s\n' $(BLENDERS) | xargs -P $(AT_ONCE) -I PYTHON tools/check_blender.sh PYTHON
endif

clean:
	rm -rf $(VENV) .blender .wheels build dist .mypy_cache .ruff_cache .hypothesis omniaudio-demo
