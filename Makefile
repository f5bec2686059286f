# make demo   a network trained on drawn people, from nothing, in under ten minutes on a laptop
# make photo IMG=photo.jpg   everyone in a photograph, with a published network, which is downloaded once
# make test   lint and the tests to run at every change; make test-all: every test; make lint: style, imports, types
# make setup  .venv with what this machine needs; demo and test do this first. PYTHON=python3.11 chooses another Python
# make test-paddle2   the fast tests on Paddle 2.6.2; make test-convert: those that need PyTorch, which it installs
# make check-gpu   what of this project runs on the GPU, and what to do if it does not; make bench-gpu: speed and memory
# make bench  docs/benchmarks.md; make bench-track: docs/tracking.md
# make fuzz   tens of thousands of damaged files and impossible values, for minutes; FUZZ_CASES=2000 of each kind
# make mutants    the code broken in one place after the other, which the suite must see: docs/testing.md; MUTANTS="NAME ..."
# make coverage   the test suite, and what of lib/ it does not reach
# make mini-set   data/mpii.zip; make clean: what all of these made, but output and log

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup demo test test-all test-paddle2 test-convert fuzz mutants coverage lint bench photo check-gpu bench-gpu bench-track mini-set clean help

# $(call first_python,NAMES,N): the first of these that is Python 3.10 to 3.N
in_range = import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $(1)))
first_python = $(shell for name in $(1); do \
	if $$name -c '$(call in_range,$(2))' 2>/dev/null; then echo $$name; break; fi; done)
PYTHON ?= $(call first_python,python3 python3.13 python3.12 python3.11 python3.10,13)
PADDLE2_PYTHON = $(call first_python,$(PYTHON) python3 python3.12 python3.11 python3.10,12)
REQUIREMENTS ?=  # by default the file that fits the GPU and its driver
choose = $(or $(REQUIREMENTS),$$($(PYTHON) -m lib.device.choose))
VENV := .venv
RUN := $(VENV)/bin/python
PIP_FLAGS := --quiet --disable-pip-version-check

# $(call install,VENV,REQUIREMENTS FILE,PYTHON): a virtual environment with these packages, from whatever is there.
# Its marker names the file: packages of another one have to go first, as Paddle's wheels for CPUs and GPUs hold the
# same files
define install
	@$(or $(3),false) -c '$(call in_range,13)' 2>/dev/null || { echo "error: Python 3.10 to 3.13 is needed (for" \
		"Paddle 2.6.2: to 3.12); for 3.14 there is no Paddle yet. Name one: make PYTHON=python3.12" >&2; exit 2; }
	@file="$(2)"; \
	if [ -s $@ ] && [ "$$(cat $@)" != "$$file" ]; then rm -rf $(1); fi; \
	$(1)/bin/python -c pass 2>/dev/null || $(3) -m venv --clear $(1) || { rm -rf $(1); \
		echo "error: no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }; \
	echo "=> installing $$file into $(1), which takes some minutes"; \
	$(1)/bin/python -m pip install $(PIP_FLAGS) -r "$$file"; \
	echo "$$file" > $@
endef

help:
	@sed -n '1,11s/^# //p' Makefile

setup: $(VENV)/.installed
FORCE:

another = $(if $(REQUIREMENTS),$(filter-out $(shell cat $(VENV)/.installed 2>/dev/null),$(REQUIREMENTS)))
$(VENV)/.installed: requirements.txt $(foreach name,base cpu cuda11 cuda12 cuda129,requirements/$(name).txt) \
	$(if $(another),FORCE)
	$(call install,$(VENV),$(choose),$(PYTHON))

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.txt
	$(call install,$(VENV),requirements/dev.txt,$(RUN))

.venv-paddle2/.installed: requirements/paddle2.txt requirements/base.txt requirements/dev.txt
	$(call install,.venv-paddle2,requirements/paddle2.txt,$(PADDLE2_PYTHON))

# JOBS processes share the tests, a file of tests at a time; each takes up to 3 GB
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadfile
test: lint
	$(RUN) -m pytest $(PARALLEL) -m "not slow"

test-all: lint
	$(RUN) -m pytest $(PARALLEL)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

test-paddle2: .venv-paddle2/.installed
	.venv-paddle2/bin/python -m pytest $(PARALLEL) -m "not slow"

test-convert: $(VENV)/.installed-dev requirements/torch.txt
	$(RUN) -m pip install $(PIP_FLAGS) -r requirements/torch.txt
	$(RUN) -m pytest tests/weights/test_convert.py tests/test_convert_script.py \
		tests/zoo/test_published_networks.py

FUZZ_CASES ?= 1500
fuzz: $(VENV)/.installed-dev
	FUZZ_CASES=$(FUZZ_CASES) $(RUN) -m pytest tests/fuzz

mutants: $(VENV)/.installed-dev
	$(RUN) tests/mutants/run.py $(MUTANTS)

coverage: $(VENV)/.installed-dev
	$(RUN) -m coverage erase
	$(RUN) -m coverage run -m pytest
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

photo: setup
	@test -n "$(IMG)" || { echo "error: name a picture: make photo IMG=photo.jpg" >&2; exit 2; }
	$(RUN) pose_estimation/infer.py --img-file "$(IMG)"

check-gpu: setup
	$(RUN) pose_estimation/check_gpu.py

DEMO := mini/synthetic_resnet18_96x96
DEMO_OUT := output/mpii/pose_resnet_18/synthetic_resnet18_96x96
DEMO_PERSON := --bbox 97 42 151 151 --flip-test  # valid_00007 of the set drawn below
DEMO_PICTURE := data/synthetic/images/valid_00007.jpg

demo: setup
	$(RUN) -m lib.dataset.synthetic --output data/synthetic --train 800 --valid 96 --picture-size 240 240 \
		--persons-per-picture 1 1 --pose-variation 0.5
	$(RUN) pose_estimation/train.py --cfg experiments/$(DEMO).yaml
	$(RUN) pose_estimation/valid.py --cfg experiments/$(DEMO).yaml --flip-test \
		--model-file $(DEMO_OUT)/model_best.pdparams DEBUG.DEBUG true DEBUG.SAVE_BATCH_IMAGES_PRED true \
		DEBUG.SAVE_HEATMAPS_PRED true
	$(RUN) pose_estimation/infer.py --cfg experiments/$(DEMO).yaml --model-file $(DEMO_OUT)/model_best.pdparams \
		--img-file $(DEMO_PICTURE) $(DEMO_PERSON) --save-heatmaps --output output/infer
	$(RUN) pose_estimation/export.py --cfg experiments/$(DEMO).yaml --model-file $(DEMO_OUT)/model_best.pdparams
	$(RUN) pose_estimation/deploy.py --model output/onnx/posenet.onnx --type ONNX \
		--img $(DEMO_PICTURE) $(DEMO_PERSON) --output output/deploy
	@echo
	@echo "=> infer.py (Paddle) and deploy.py (ONNX Runtime) on the same picture:"
	@$(RUN) tests/compare_poses.py output/infer/valid_00007_pose.json output/deploy/valid_00007_pose.json
	@echo "=> a held-out person: output/infer/valid_00007_pose.jpg, its heatmaps valid_00007_heatmaps.jpg"
	@echo "=> the network for deployment: output/onnx/posenet.onnx"
	@echo "=> the table:         $(DEMO_OUT)/results.json (and above)"
	@echo "=> the curves:        $(DEMO_OUT)/curves.png"
	@echo "=> drawn predictions: $(DEMO_OUT)/val_0_pred.jpg, their heatmaps: val_0_hm_pred.jpg"

MAIN := experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml
bench: setup
	@test -d data/mpii || $(RUN) -m zipfile -e data/mpii.zip data/
	$(RUN) tests/seeded.py --cfg $(MAIN) --output output/bench.pdparams
	$(RUN) pose_estimation/export.py --cfg $(MAIN) --model-file output/bench.pdparams --output output/onnx/bench.onnx
	$(RUN) pose_estimation/export.py --cfg $(MAIN) --model-file output/bench.pdparams --int8 --calib $(MAIN) \
		--output output/onnx/bench_int8.onnx
	$(RUN) -m pip install $(PIP_FLAGS) -r requirements/openvino.txt
	$(RUN) tests/bench/write_report.py

bench-gpu: check-gpu
	@test -d data/bench || $(RUN) -m lib.dataset.synthetic --output data/bench --train 2000 --valid 8
	$(RUN) tests/bench/gpu.py --root data/bench WORKERS 8

# Tracking on synthetic clips: its cost, then the paper's method beside its parts and the baselines, first with true
# joints, then with a network trained on people of other clips (TRACK_MODEL=FILE takes another one of WALKING's form)
WALKING := experiments/mini/walking_resnet18_64x96.yaml
TRACK_MODEL ?= output/bench_track/coco/pose_resnet_18/walking_resnet18_64x96/model_best.pdparams
bench-track: $(TRACK_MODEL) | setup
	$(RUN) tests/bench/tracking_cost.py
	$(RUN) tests/bench/tracking.py --output output/bench_track/stand_in.json
	$(RUN) tests/bench/tracking.py --cfg $(WALKING) --model-file $(TRACK_MODEL) --output output/bench_track/network.json

output/bench_track/%/model_best.pdparams: | setup
	$(RUN) tests/bench/walking_people.py
	$(RUN) pose_estimation/train.py --cfg $(WALKING) OUTPUT_DIR output/bench_track LOG_DIR log/bench_track

# data/mpii.zip, the mini set in git, was made by this
mini-set: setup
	$(RUN) -m lib.dataset.synthetic --output data/mpii --train 15 --valid 8 --seed 1 --picture-size 400 300 \
		--persons-per-picture 2 2 --validation-persons-per-picture 1 1 --pose-variation 0.4
	cd data && rm -f mpii.zip && ../$(RUN) -m zipfile -c mpii.zip mpii/

clean:
	rm -rf .venv .venv-paddle2 data/synthetic data/walking_people data/bench .coverage .pytest_cache .ruff_cache
