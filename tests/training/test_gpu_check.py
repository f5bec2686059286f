"""check_gpu.py's findings, on machines that are simulated: no test here has a GPU."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lib.device.families import Gpu
from lib.training import gpu_check
from lib.training.gpu_check import Finding, driver_findings, network_findings, onnx_findings, paddle_findings

V100 = Gpu("Tesla V100", (7, 0), "535.104.05")


@pytest.fixture
def gpus(monkeypatch):
    """Sets what nvidia-smi lists."""

    def gpus(*found, problem=""):
        monkeypatch.setattr(gpu_check, "present_gpus", lambda: (list(found), problem))

    return gpus


@pytest.fixture
def cuda_paddle(paddle, monkeypatch):
    """Makes Paddle one for CUDA 12.6 with `count` GPUs, which computes on the CPU."""
    set_device = paddle.set_device

    def cuda_paddle(count=1, cuda="12.6"):
        monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
        monkeypatch.setattr(paddle, "set_device", lambda name: set_device("cpu"))
        monkeypatch.setattr(paddle.version, "cuda", lambda: cuda)
        monkeypatch.setattr(paddle, "seed", lambda value: None)  # it would seed the GPU
        monkeypatch.setattr(paddle.version, "cudnn", lambda: "9.5.1")
        monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: count)
        monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda number: "Pretended GPU")
        monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda number: (7, 0))
        monkeypatch.setattr(paddle.device.cuda, "max_memory_allocated", lambda: 2e9)
        return paddle

    return cuda_paddle


def problems(findings):
    return [finding.problem for finding in findings if finding.problem]


def test_without_a_gpu_the_remedy_is_a_driver(gpus):
    gpus(problem="no NVIDIA GPU was found")
    (problem,) = problems(driver_findings())
    assert problem.startswith("no NVIDIA GPU was found: install the NVIDIA driver, or in a container give --gpus all")


def test_the_gpu_its_memory_and_its_requirements_are_listed(gpus, monkeypatch):
    gpus(V100)
    answer = subprocess.CompletedProcess([], 0, "32768 MiB, 120 MiB\n", "")
    monkeypatch.setattr(gpu_check.subprocess, "run", lambda *_, **__: answer)
    system, gpu, requirements = driver_findings()
    assert gpu == Finding(
        "GPU 0", "Tesla V100, compute capability 7.0, driver 535.104.05, 32768 MiB of which 120 MiB in use"
    )
    assert requirements == Finding("requirements", "requirements.txt")


def test_a_gpu_that_nothing_serves_is_a_problem(gpus):
    gpus(Gpu("Tesla P100", (6, 0), "535.104.05"))
    (problem,) = problems(driver_findings())
    assert "no Paddle wheel has code for this GPU" in problem


def test_a_paddle_for_cpus_is_named(paddle, monkeypatch):
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    (problem,) = problems(paddle_findings())
    assert problem.startswith("this Paddle cannot use a GPU: run make setup")


@pytest.mark.parametrize(
    ("found", "visible", "remedy"),
    [
        (V100, None, "restart after a driver update"),
        (V100, "-1", "CUDA_VISIBLE_DEVICES is '-1'"),
        (Gpu("Tesla V100", (7, 0), "460.32"), None, "the driver is too old for CUDA 12.6: install 525.60.13 or newer"),
    ],
)
def test_why_paddle_sees_no_gpu(gpus, cuda_paddle, monkeypatch, found, visible, remedy):
    gpus(found)
    cuda_paddle(count=0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (problem,) = problems(paddle_findings())
    assert remedy in problem


def test_a_first_kernel_that_fails_is_a_problem_with_its_remedy(cuda_paddle, monkeypatch):
    def convolve(*_, **__):
        raise OSError("(External) CUDA error(209), no kernel image is available for execution on the device.")

    monkeypatch.setattr(cuda_paddle().nn.functional, "conv2d", convolve)
    (problem,) = problems(paddle_findings())
    assert "this Paddle has no code for this GPU: make setup chooses one that has" in problem


def test_a_paddle_that_works_is_described(cuda_paddle):
    cuda_paddle()
    findings = list(paddle_findings())
    assert not problems(findings)
    assert findings[0].answer.endswith("built for CUDA 12.6 and cuDNN 9.5.1")
    assert findings[1].answer == "run on Pretended GPU"


@pytest.mark.slow
def test_the_network_is_compared_with_the_cpus(cuda_paddle, monkeypatch):
    paddle = cuda_paddle()
    monkeypatch.setattr(gpu_check, "SIZE", 64)
    monkeypatch.setattr(gpu_check, "DEPTH", 18)
    monkeypatch.setattr(gpu_check, "PERSONS", 2)
    monkeypatch.setattr("lib.training.precision.paddle.get_device", lambda: "gpu:0")  # AMP runs on a CPU as well
    monkeypatch.setattr(paddle.device, "synchronize", lambda: None)
    findings = {finding.subject: finding for finding in network_findings()}
    assert findings.keys() == {"float32", "channels last", "mixed precision", "peak memory"}
    for name in ("float32", "channels last"):
        assert not findings[name].problem and " ms a step" in findings[name].answer
    assert findings["peak memory"].answer == "2.00 GB for 2 persons"


def test_a_gpu_that_computes_something_else_is_a_problem(cuda_paddle, monkeypatch):
    cuda_paddle()
    runs = iter([(np.ones(4), np.ones(4), 0.0), *[(np.full(4, 1.5), np.ones(4), 3.0)] * 3])
    monkeypatch.setattr(gpu_check, "_run", lambda *_: next(runs))
    monkeypatch.setattr(gpu_check, "DEPTH", 18)
    found = problems(network_findings())
    assert [problem.partition(" on the GPU")[0] for problem in found] == ["float32", "channels last", "mixed precision"]


def test_an_onnx_runtime_for_cpus_is_named(monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    (problem,) = problems(onnx_findings())
    assert problem.startswith("this ONNX Runtime is the CPU's")


def test_a_cuda_provider_that_does_not_start_is_a_problem(monkeypatch, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    import onnx_toy

    path = tmp_path / "x.onnx"
    onnx_toy.write_pose_network(path)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    (problem,) = problems(onnx_findings(str(path)))
    assert "CUDAExecutionProvider" in problem


def test_a_part_that_crashes_is_a_finding_of_the_whole(monkeypatch, root):
    sys.path.insert(0, str(root / "pose_estimation"))
    import check_gpu

    said = "terminate called: parallel_for failed: cudaErrorNoKernelImageForDevice"
    died = subprocess.CompletedProcess([], -6, "", said)
    monkeypatch.setattr(check_gpu.subprocess, "run", lambda *_, **__: died)
    monkeypatch.setattr(sys, "argv", ["check_gpu.py"])
    (finding,) = check_gpu.findings_apart("paddle", check_gpu.parse_arguments())
    assert finding.problem == "this Paddle has no code for this GPU: make setup chooses one that has, see docs/gpu.md"


def test_the_script_prints_a_table_and_ends_with_1_without_a_gpu(root):
    command = [sys.executable, "pose_estimation/check_gpu.py", "--part", "driver"]
    environment = {"PATH": "/nowhere"}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.splitlines()[-2].startswith("problem: no NVIDIA GPU was found (there is no nvidia-smi): install")
    assert done.stdout.splitlines()[-1] == "=> not everything runs on the GPU"
    done = subprocess.run([*command, "--json"], cwd=root, capture_output=True, text=True, env=environment)
    assert [json.loads(line)["subject"] for line in done.stdout.splitlines()] == ["system", "GPU"]
    done = subprocess.run([*command, "--gpus", "cpu"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "error: --gpus cpu: expected the number of a GPU, such as 0\n"
