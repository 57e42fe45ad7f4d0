# The two commands of the README are `make run` and `make test`; each creates .venv if it is missing.
PYTHON ?= python3
# In the environment, because every user can read the command lines of processes.
export SOURCE ?= demo
export ARGS ?=
export SINKS ?=
OUT ?= results
SECONDS ?= 600
SEED ?= 1
TAG ?= latest
CYCLONEDX := 7.5.0
PODMAN_COMPOSE := 1.6.0
BIN := .venv/bin

.DEFAULT_GOAL := help

.PHONY: help redis run analyse capacity test check lint bench chaos soak check-deploy check-deploy-full images \
	check-images sbom release lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

redis: .venv/installed-run ## a server at 127.0.0.1:6379 that keeps frames in memory alone
	@exec $(BIN)/python -m deploy.redis_server

run: .venv/installed-run ## analyse SOURCE (demo, 0, rtsp://..., a file), deliver to SINKS (a file), print the events
	@case "$(if $(filter command,$(origin SOURCE)),$$SOURCE)" in *://*@*|*://*\?*=*) \
		echo "make: every user of this machine could read the password; write SOURCE before make:" >&2; \
		echo "    SOURCE='rtsp://...' make run" >&2; exit 2;; esac
	@case "$$ARGS" in *'$${'*) ;; *://*@*|*://*\?*=*) \
		echo "make: every user of this machine could read the password; set NAME to it and write" >&2; \
		printf '%s\n' "    make run ARGS=\"--camera 'door=rtsp://user:"'\$$\$${NAME}'"@host/'\"" >&2; exit 2;; esac
	@exec $(BIN)/python -m deploy.local $(ARGS)

analyse: .venv/installed-run ## tables, annotated video and report of the videos FILE, into the folder OUT
	@exec $(BIN)/python -m analyse $(FILE) --out "$(OUT)" $(ARGS)

capacity: .venv/installed-run ## measure how many cameras this machine holds (minutes)
	@exec $(BIN)/python -m deploy.capacity $(ARGS)

test: .venv/installed-test ## run every test that this machine can
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

check: lint test ## what has to pass before a commit: format, lint, types, words, tests

lint: .venv/installed-test node_modules/.package-lock.json ## format, lint, types and words, without tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/node node_modules/typescript/bin/tsc

chaos: .venv/installed-test ## break a running system at random for SECONDS, and audit it
	$(BIN)/python -m tests.faults.chaos --seconds $(SECONDS) --seed $(SEED)

soak: .venv/installed-test ## twenty cameras in one producer for SECONDS: does anything grow?
	$(BIN)/python -m tests.faults.soak --seconds $(SECONDS)

bench: .venv/installed-test ## every benchmark; one JSON line each
	$(BIN)/python -m tests.benchmarks all $(ARGS)

check-deploy: .venv/installed-test ## the files under deploy/ alone
	$(BIN)/python -m pytest tests/deploy $(ARGS)

check-deploy-full: .venv/installed-test ## and every image's install steps: gigabytes
	EMOTION_CHECK_IMAGES=all $(BIN)/python -m pytest tests/deploy -s $(ARGS)

images: .venv/installed-run ## build the images with Docker, Podman or Buildah (BASE, TAG, ARGS)
	$(BIN)/python -m deploy.images.build $(if $(BASE),--base "$(BASE)") --tag $(TAG) $(ARGS)

check-images: .venv/installed-test ## build the images on a base of debootstrap, run and check them
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt podman-compose==$(PODMAN_COMPOSE)
	EMOTION_CHECK_CONTAINERS=1 $(BIN)/python -m pytest tests/images -s $(ARGS)

sbom: .venv/installed-test ## write dist/*.cdx.json of the built images, and check licenses
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt cyclonedx-bom==$(CYCLONEDX)
	$(BIN)/python -m deploy.images.sbom dist --tag $(TAG) $(ARGS)

release: .venv/installed-test ## make and check all of VERSION in dist/; nothing is pushed
	@$(BIN)/python -m deploy.images.release --version-to-release "$(VERSION)" $(ARGS)

lock: .venv/installed-test ## update constraints.txt and deploy/requirements to the newest versions
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --all-extras --upgrade --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 pyproject.toml -o constraints.txt
	$(BIN)/python -m deploy.images.lock

clean:
	rm -rf .venv node_modules

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv || { echo "On Debian: apt install python3-venv"; rm -rf .venv; exit 1; }

.venv/installed-run: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local]'
	@touch $@

.venv/installed-test: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@ .venv/installed-run

# TypeScript, which checks the types of the page's JavaScript.
node_modules/.package-lock.json: package.json package-lock.json | .venv/installed-test
	$(BIN)/npm ci --silent
	@touch $@
