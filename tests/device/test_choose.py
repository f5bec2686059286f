"""The requirements file that make setup takes, with nvidia-smi played by a script."""

import os
import subprocess
import sys

import pytest

from lib.device import choose as choose_module
from lib.device.choose import choose

SMI = """#!/bin/sh
case "$1" in
*compute_cap*) {with_capability} ;;
*) {without_capability} ;;
esac
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes nvidia-smi answer; None: there is none. reachable: whether Paddle's index answers."""

    def machine(answer=None, old_answer=None, reachable=True):
        if answer is not None:
            path = tmp_path / "nvidia-smi"
            path.write_text(SMI.format(with_capability=answer, without_capability=old_answer or answer))
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(choose_module, "index_problem", lambda family: "" if reachable else "X cannot be reached")

    return machine


def said(name, capability, driver):
    return f'echo "{name}, {capability}, {driver}"'


@pytest.mark.parametrize(
    ("name", "capability", "driver", "expected"),
    [
        ("NVIDIA GeForce GTX 1080", "6.1", "560.35.03", "requirements.txt"),
        ("NVIDIA GeForce GTX 1080", "6.1", "470.256.02", "requirements/cuda11.txt"),
        ("Tesla P100-PCIE-16GB", "6.0", "560.35.03", "requirements/cpu.txt"),
        ("Tesla V100-SXM2-32GB", "7.0", "535.104.05", "requirements.txt"),
        ("Tesla T4", "7.5", "460.32.03", "requirements/cuda11.txt"),
        ("NVIDIA A100-SXM4-40GB", "8.0", "450.80.02", "requirements/cuda11.txt"),
        ("NVIDIA A100-SXM4-40GB", "8.0", "440.33.01", "requirements/cpu.txt"),
        ("NVIDIA GeForce RTX 4090", "8.9", "550.54.14", "requirements.txt"),
        ("NVIDIA H100 80GB HBM3", "9.0", "535.104.05", "requirements.txt"),
        ("NVIDIA H100 80GB HBM3", "9.0", "515.65.01", "requirements/cpu.txt"),
        ("NVIDIA GeForce RTX 5090", "12.0", "570.86.16", "requirements/cuda129.txt"),
    ],
)
def test_the_file_for_a_gpu(machine, name, capability, driver, expected):
    machine(said(name, capability, driver))
    file, lines = choose((3, 12))
    assert file == expected
    assert lines[0] == f"GPU 0: {name}, compute capability {capability}, driver {driver}"


def test_two_different_gpus(machine):
    machine('echo "Tesla P100, 6.0, 560.35"; echo "Tesla V100, 7.0, 560.35"')
    file, lines = choose()
    assert file == "requirements.txt"
    assert lines[0] == "GPU 0: Tesla P100, compute capability 6.0, driver 560.35"
    assert lines[1] == "GPU 1: Tesla V100, compute capability 7.0, driver 560.35"
    assert "CUDA_VISIBLE_DEVICES=1" in lines[-1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "there is no nvidia-smi"),
        ("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9", "has failed"),
        ("exit 1", "exit code 1"),
        ("true", "lists no GPU"),
        ("echo 'No devices were found'", "unexpected line"),
        ("sleep 5", "nvidia-smi failed (TimeoutExpired)"),
    ],
)
def test_without_a_gpu_that_answers_it_is_the_cpus_file(machine, monkeypatch, answer, reason):
    monkeypatch.setattr(choose_module, "SECONDS", 1)
    machine(answer)
    file, lines = choose()
    assert file == "requirements/cpu.txt" and len(lines) == 1 and reason in lines[0]


def test_a_driver_that_does_not_know_the_capability_is_asked_again(machine):
    refused = "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2"
    machine(refused, 'echo "Tesla V100, 460.32.03"')
    assert choose((3, 12))[0] == "requirements/cuda11.txt"


def test_a_python_that_is_too_new_for_cuda_11_is_said(machine):
    machine(said("Tesla T4", "7.5", "460.32.03"))
    file, lines = choose((3, 13))
    assert file == "requirements/cpu.txt"
    assert lines[-1].startswith("it needs Python 3.12 at most: requirements/cpu.txt for now; later, make setup PYTHON=")


def test_an_index_that_cannot_be_reached_is_said(machine):
    machine(said("Tesla V100", "7.0", "560.35"), reachable=False)
    file, lines = choose()
    assert file == "requirements/cpu.txt"
    later = "requirements/cpu.txt for now; later, make setup REQUIREMENTS=requirements.txt"
    assert lines[-1] == f"X cannot be reached: {later}"


def test_it_runs_before_anything_is_installed(machine, root):
    machine(said("Tesla T4", "7.5", "460.32.03"))
    program = "import sys; sys.path.insert(0, '.'); from lib.device import choose; choose.main()"
    command = [sys.executable, "-I", "-S", "-c", program]  # -S: without the installed packages
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=dict(os.environ))
    expected = "requirements/cuda11.txt" if sys.version_info < (3, 13) else "requirements/cpu.txt"
    assert done.returncode == 0 and done.stdout == f"{expected}\n"
    assert done.stderr.splitlines()[0] == "=> GPU 0: Tesla T4, compute capability 7.5, driver 460.32.03"
    assert "CUDA 11.8 and cuDNN 8.6 must be installed" in done.stderr
