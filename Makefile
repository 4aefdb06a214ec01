# Two commands do everything: `make story` from a clone to a story, `make test` to check it all. Plain pip equivalents are in README.md.
PYTHON ?= python3
MINUTES ?= 2
VENV = .venv/bin

.venv/ready: pyproject.toml setup.py $(wildcard tavu/engine/*.[ch])
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tavu needs Python 3.11 or newer: make PYTHON=python3.12 story")'
	$(PYTHON) -m venv .venv
	$(VENV)/pip install --quiet --editable '.[dev]'
	touch .venv/ready

.PHONY: story test check golden
story: .venv/ready    ## Train on the built-in tales for two minutes, then write a story.
	@rm -rf runs/story
	@$(VENV)/tavu train tales --minutes $(MINUTES) --out runs/story
	@echo; echo "A story:"; echo
	@$(VENV)/tavu generate runs/story "Once upon a time" --temperature 0.6

test: .venv/ready     ## Run every test but the slow ones.
	@$(VENV)/python -m pytest

check: .venv/ready    ## Format, lint and C warnings, as we hold the code to them.
	@$(VENV)/ruff check . && $(VENV)/ruff format --check .
	@for compiler in gcc clang; do if command -v $$compiler > /dev/null; then \
		for file in tavu/engine/*.c; do $$compiler -std=c11 -O2 -Wall -Wextra -Werror -c $$file -o /dev/null || exit 1; done; fi; done

golden: .venv/ready   ## Write the golden texts and losses anew, after a change that is meant to change them.
	@$(VENV)/python -m tests.golden.test_texts
	@$(VENV)/python -m tests.golden.test_losses
	@git diff --stat tests/golden
