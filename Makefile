# `make` alone lists the targets. Everything runs in .venv, which holds exactly requirements.txt.
PYTHON = python3
VENV = .venv
INSIDE = $(VENV)/bin/python
# Touched only after a complete install: an interrupted one starts again at the next make.
INSTALLED = $(VENV)/installed
# An environment names its own folder in many places: in a moved checkout, a new one is made.
MOVED := $(shell test ! -e $(VENV)/pyvenv.cfg || \
	grep -qF "$(abspath $(VENV))" $(VENV)/pyvenv.cfg || echo moved)
MATHJAX = book/_static/mathjax
PAGE = _build/html/index.html

# As book/_tools/determinism.py sets them for tests and chapters. Its third switch would slow a GPU.
reference bench paint record grade: export TF_CPP_MIN_LOG_LEVEL = 3
reference bench paint record grade: export TF_ENABLE_ONEDNN_OPTS = 1

.PHONY: help book test matrix execute record paint bench reference assignments grade students serve lint clean lock repository moved
.DELETE_ON_ERROR:

help:  ## list what make can do here
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile
	@echo 'Another Python: make book PYTHON=python3.12 (it is used when .venv is created).'

# Stored outputs make a build quick, so every build reads all pages: no warning is missed.
book: $(MATHJAX)  ## build the book from the stored outputs; creates .venv when it is missing
	$(VENV)/bin/jupyter-book build --quiet --all -W -n --keep-going .
	@echo 'Open $(CURDIR)/$(PAGE)'

# Two processes, each with whole files: a cell needs those before it, a module its fixtures.
# Those with the most tests first, notebooks in the order of book/conftest.py.
test: SPREAD = --numprocesses=2 --dist=loadfile
test: book  ## run the tests, then every notebook against its stored outputs
	$(INSIDE) -m pytest $(SPREAD)
	$(INSIDE) -m pytest $(SPREAD) --no-loadscope-reorder --nbval book

matrix: $(INSTALLED)  ## run the unit tests on every Python found here and as on Colab (needs uv)
	@command -v uv > /dev/null || { echo 'make matrix needs uv: https://docs.astral.sh/uv'; exit 1; }
	$(INSIDE) book/_tools/matrix.py $(if $(QUICK),--quick)

execute: $(INSTALLED)  ## run the notebooks and store their outputs; one: CHAPTER=train_pix2pix
	$(INSIDE) book/_tools/execute.py $(CHAPTER)
	$(INSIDE) book/_tools/readme_picture.py

record: $(INSTALLED)  ## train again what a chapter shows and store it: RUN=name; alone, list the names
	$(INSIDE) -m companion.recorded $(RUN)

paint: $(INSTALLED)  ## write the weights that the painting on the first page uses, from the recording
	$(INSIDE) book/_tools/paint.py

bench: $(INSTALLED)  ## measure how fast training steps are here, beside those of others
	$(INSIDE) book/_tools/bench.py

# uv does not read pip's settings. Where those name a folder with a CPU build of PyTorch, use that;
# elsewhere uv takes the package index's, which on Linux is the CUDA build of some gigabytes.
reference: export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
reference:  ## ask PyTorch and TensorFlow Addons anew; fails where tests/reference differs (needs uv)
	@command -v uv > /dev/null || \
		{ echo 'make reference needs uv: https://docs.astral.sh/uv'; exit 1; }
	uv run --quiet --script tests/reference/pytorch.py
	uv run --quiet --script tests/reference/tfa.py

# otter-grader comes on top of .venv and only here. In the lock it would replace the tested wrapt by
# an older one and add thirty packages, for the one reader in many who grades.
OTTER = uv run --quiet --no-project --python $(INSIDE) --with 'otter-grader[grading]==7.0.0' \
	python book/_tools/assignments.py --output '$(OUTPUT)'
OUTPUT = _build/assignments
LIMIT = 300

assignments: $(INSTALLED)  ## write the assignments for students and for grading (needs uv)
	@command -v uv > /dev/null || \
		{ echo 'make assignments needs uv: https://docs.astral.sh/uv'; exit 1; }
	$(OTTER)

grade: $(INSTALLED)  ## grade a folder of notebooks: NAME=pix2pix FOLDER=submissions (needs uv)
	@command -v uv > /dev/null || { echo 'make grade needs uv: https://docs.astral.sh/uv'; exit 1; }
	$(OTTER) --limit '$(LIMIT)' --grade '$(NAME)' '$(FOLDER)'

students: $(INSTALLED)  ## copy the repository without the assignments' solutions, for students
	$(INSIDE) book/_tools/students.py

serve: book  ## build the book and show it at http://localhost:8000
	$(INSIDE) -m http.server --bind localhost --directory _build/html 8000

lint: $(INSTALLED)  ## check code style, spelling and the notebooks' hygiene
	$(INSIDE) -m ruff check .
	$(INSIDE) -m ruff format --check .
	$(INSIDE) -m codespell_lib .
	$(INSIDE) book/_tools/hygiene.py

clean:  ## remove what was built; .venv stays
	rm -rf _build $(MATHJAX) *.egg-info .pytest_cache .ruff_cache

lock:  ## compile requirements.txt anew from pyproject.toml (needs uv)
	@command -v uv > /dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv'; exit 1; }
	uv pip compile pyproject.toml --extra book --extra export --extra test --universal --fork-strategy fewest \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--quiet --output-file requirements.txt

repository: $(INSTALLED)  ## point the book and its notebooks at your fork: URL=https://github.com/you/fork
	$(INSIDE) book/_tools/repository.py '$(URL)'

$(INSTALLED): requirements.txt pyproject.toml $(MOVED)
	@rm -f $@
	@command -v $(PYTHON) > /dev/null || \
		{ echo 'There is no $(PYTHON) here. Name your Python: make book PYTHON=python3.12'; exit 1; }
	@$(PYTHON) book/_tools/check_python.py
	@test -z '$(MOVED)' && $(INSIDE) -m pip --version > /dev/null 2>&1 || \
		$(PYTHON) -m venv --clear $(VENV)
	$(INSIDE) -m pip install --quiet --require-hashes -r requirements.txt
	PYTHONWARNINGS=ignore $(INSIDE) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# The part of MathJax that the pages need, from the installed package, so that they work offline.
# input/tex/extensions: what MathJax loads when a formula says \boldsymbol, \color or \cancel.
# Copied aside and renamed, so that half a copy never counts as one.
$(MATHJAX): aside = _build/mathjax
$(MATHJAX): $(INSTALLED)
	@rm -rf $@ $(aside) && mkdir -p $(@D) $(aside)/output/chtml/fonts $(aside)/input/tex
	@from=$$($(INSIDE) -c 'import mathjax; print(mathjax.__path__[0])')/static/mathjax/es5 && \
		cp $$from/tex-mml-chtml.js $(aside) && \
		cp -R $$from/output/chtml/fonts/woff-v2 $(aside)/output/chtml/fonts && \
		cp -R $$from/input/tex/extensions $(aside)/input/tex
	@mv $(aside) $@
