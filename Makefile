# equivlab: every command needs only make and Python 3.11, 3.12 or 3.13.

# The first Python that fits; say PYTHON=... to choose another for the first install.
FITS := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c '$(FITS)' 2>/dev/null && echo "$$python" && break; done)

PY := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
NOTEBOOK ?= notebooks/00_start_here.ipynb
BENCH ?= planar
ARGS ?=

.PHONY: help lab test lint format notebooks course bundle docs bench \
	pictures widget-page environments clean install-lab install-test

help:
	@echo 'make lab           open the course in JupyterLab  (NOTEBOOK=..., ARGS=... for jupyter lab)'
	@echo 'make test          lint, types, notebooks, tests  (ARGS=... for pytest)'
	@echo 'make lint          ruff and mypy; biome, tsc and unit tests of JavaScript where npm is'
	@echo 'make format        let ruff rewrite the layout'
	@echo 'make notebooks     run every notebook and compare its outputs; time and memory of each'
	@echo 'make course        build/course: the notebooks for students, with solutions, for instructors'
	@echo 'make bundle        one archive in build: all of `make lab` for laptops without a network'
	@echo 'make docs          build/site: the course, guides and the reference as pages'
	@echo 'make bench         benchmarks/planar.py  (BENCH=name for another, ARGS=... for its options)'
	@echo 'make pictures      make notebooks/images again, in Chromium'
	@echo 'make widget-page   a page of each widget that follows its JavaScript as you edit it'
	@echo 'make environments  write both environment.yml files again, from constraints.txt'
	@echo 'make clean         remove .venv, caches and builds'
	@echo 'PYTHON=...         which Python the first install takes (3.11, 3.12 or 3.13)'

lab: install-lab
	$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) \
		--LabApp.default_url=/lab/tree/$(NOTEBOOK) $(ARGS)

# Threads of OpenMP that wait for each other sleep: where others use the machine too, spinning ones
# take minutes away from those that work.
test notebooks: export OMP_WAIT_POLICY ?= PASSIVE

# Compiled once: many tests start Python anew.
test: lint notebooks
	$(PY) -m compileall -q equivlab
	$(PY) -m pytest -n 2 $(ARGS)

lint: install-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && npm run --silent lint; \
	else echo 'npm is not installed: the JavaScript of the widgets was not checked'; fi

format: install-test
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && npm run --silent format; fi

notebooks: install-test
	$(PY) -m pytest -p tools.notebook_budget --nbval --nbval-current-env -n 2 --dist loadfile notebooks

course: install-test
	$(PY) -m tools.course $(ARGS)

bundle: install-lab
	$(PY) -m tools.bundle $(ARGS)

docs: install-test
	$(PY) -m tools.site $(ARGS)

# Large pages keep page faults out of the ratios; other systems ignore the variable.
bench: install-test
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 $(PY) benchmarks/$(BENCH).py $(ARGS)

pictures: install-test
	$(PY) -m tools.pictures $(ARGS)

widget-page: install-test
	$(PY) -m tools.widget_page $(ARGS)

environments: install-test
	$(PY) tools/environments.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

install-lab install-test:
	@test -n "$(PYTHON)" || { \
		echo 'equivlab needs Python 3.11, 3.12 or 3.13 with its venv module; none was found.'; \
		echo 'Install one (Debian and Ubuntu: apt install python3 python3-venv), or say'; \
		echo 'where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12'; \
		exit 1; } >&2
	@"$(PYTHON)" tools/install.py $(@:install-%=%)
