# The commands of this project. All of them work in .venv, which the first one makes.
#   make demo    train a small model, search its plane, report            (about seven minutes on 2 free cores)
#   make test    the tests                                                (make test-slow: those that take minutes)
#   make notebooks   the notebooks, from top to bottom                    (about a minute)
#   make lint    style, types and the direction of imports
#   make locked  installs .venv as the others do, but every file except torch's is compared with requirements.lock
#   make lock    writes requirements.lock anew, after a change of pyproject.toml or constraints.txt

# Linux without a GPU: TORCH_INDEX=<PyTorch's CPU wheel index> saves 2 GB. Unset means the standard index.
TORCH_INDEX ?=
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# --no-compile: a module is compiled when it is first imported, instead of all of torch and mteb now.
INSTALL := $(BIN)/pip install -q --no-compile
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test test-slow notebooks lint locked lock clean

demo: .venv/.ready
	$(BIN)/tl run experiments=quickstart/run

test: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: .venv/.ready
	$(INSTALL) -c constraints.txt -e ".[dev,published]"
	TL_EXAMPLES=thorough $(BIN)/python -m pytest -rs

notebooks: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake notebooks

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(INSTALL) -c constraints.txt -e ".[dev]"
	touch $@

locked:
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch .venv/.ready

# torch is left out: its files on PyPI and on PyTorch's own indexes are not the same. `editables` is for -e.
lock:
	$(PYTHON) -m venv .venv/.uv && .venv/.uv/bin/pip install -q uv
	echo "torch ; python_version < '3'" > .venv/.uv/without
	echo editables | .venv/.uv/bin/uv pip compile -q pyproject.toml - --extra dev --extra peptide -c constraints.txt \
		--override .venv/.uv/without --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--default-index https://pypi.org/simple -o requirements.lock

clean:
	rm -rf .venv runs dist
