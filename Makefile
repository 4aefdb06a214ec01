# Two commands do everything: `make story` from a clone to a story, `make test` to check it all. Plain pip equivalents are in README.md.
PYTHON ?= python3
MINUTES ?= 2
VENV = .venv/bin

.venv/ready: pyproject.toml setup.py $(wildcard tavu/engine/*.[ch])
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tavu needs Python 3.11 or newer: make PYTHON=python3.12 story")'
	$(PYTHON) -m venv .venv
	$(VENV)/pip install --quiet --editable '.[dev]'
	touch .venv/ready

.PHONY: story test check golden docs wheel wasm
# Two minutes read little text: small batches, with Muon at every other step, learn more from it (records/LOG.md).
story: .venv/ready    ## Train on a few of the built-in tales for two minutes, then let that model, and the one that comes with tavu, write a story.
	@rm -rf runs/story
	@$(VENV)/tavu train tales --minutes $(MINUTES) --set train.batch_bytes=4096 --set train.muon_every=2 --out runs/story
	@printf '\nA story by your model, which has read tales of a few plots, each with other names and things:\n\n'
	@$(VENV)/tavu generate runs/story "Once upon a time" --temperature 0.5
	@printf '\nA story by the model that comes with tavu, which has read 111 MB of TinyStories:\n\n'
	@$(VENV)/tavu generate stories "Once upon a time" --temperature 0.5
	@printf '\nAn hour of training on one server core takes your own model as far: 0.661 bits per byte of unseen TinyStories; this one has 0.666.\n'
	@printf 'Try it with your own text: %s/tavu train YOUR_TEXT.txt --hours 1\n' $(VENV)

test: .venv/ready     ## Run every test but the slow ones.
	@$(VENV)/python -m pytest

check: .venv/ready    ## Format, lint, types and C warnings, as we hold the code to them.
	@$(VENV)/ruff check . && $(VENV)/ruff format --check .
	@$(VENV)/pyright
	@for compiler in gcc clang; do if command -v $$compiler > /dev/null; then \
		for file in tavu/engine/*.c; do $$compiler -std=c11 -O2 -Wall -Wextra -Werror -c $$file -o /dev/null || exit 1; done; fi; done

golden: .venv/ready   ## Write the golden texts and losses anew, after a change that is meant to change them.
	@$(VENV)/python -m tests.golden.test_texts
	@$(VENV)/python -m tests.golden.test_losses
	@git diff --stat tests/golden

docs: .venv/ready     ## Build the documentation into site/.
	@NO_MKDOCS_2_WARNING=1 $(VENV)/python -m mkdocs build --strict --quiet
	@echo "The documentation: site/index.html"

# The engine for browsers, which comes with tavu, so that an export takes no compiler: the same bytes wherever the same version of ziglang builds it.
WASM = tavu/export/tavu.wasm
WASM_EXPORTS = malloc free tavu_open tavu_close tavu_read_text tavu_write_text tavu_why_ended tavu_free_text
wasm:                 ## Build the engine as WebAssembly anew, after a change of tavu/engine/.
	@$(VENV)/python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -std=c11 -O3 -msimd128 -g0 \
		-fno-math-errno -fno-trapping-math -fno-signed-zeros -Wl,--strip-all $(WASM_EXPORTS:%=-Wl,--export=%) \
		$(sort $(wildcard tavu/engine/*.c)) -o $(WASM)
	@chmod 644 $(WASM) && ls -l $(WASM)

wheel: .venv/ready    ## Build the source archive and the wheel into dist/; on Linux a manylinux wheel, which needs no compiler where it is installed.
	@$(VENV)/pip install --quiet --editable '.[release]'
	@rm -rf dist build
	@$(VENV)/python -m build --outdir dist > /dev/null
	@if [ "$$(uname)" = Linux ]; then PATH="$$PWD/$(VENV):$$PATH" $(VENV)/auditwheel repair --wheel-dir dist dist/*-linux_*.whl && rm dist/*-linux_*.whl; fi
	@ls -l dist
