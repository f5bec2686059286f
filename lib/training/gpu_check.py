"""The checks of check_gpu.py: driver, Paddle, ONNX Runtime, then the network on the GPU against the CPU."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device.choose import present_gpus
from ..device.device import try_gpu
from ..device.families import choose_family, family_of
from ..utils.errors import UserError, gpu_problem
from ..utils.runtime import import_paddle

if TYPE_CHECKING:
    import paddle

SIZE, PERSONS, JOINTS, DEPTH = 256, 4, 16, 50
ROUNDS = 10
LIMITS = {"float32": 0.02, "mixed precision": 0.2}  # of the largest value; a GPU may multiply in TF32
LIBRARIES = re.compile(r"\S+/lib(?:cudart|cublas|cudnn)\.so[\w.]*")


@dataclass(frozen=True)
class Finding:
    """A line of the table. problem: what is wrong and what to do, '' if nothing is."""

    subject: str
    answer: str
    problem: str = ""


def driver_findings() -> Iterator[Finding]:
    """The driver, the GPUs, and whether the installed Paddle is the one for them."""
    yield Finding("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}")
    gpus, problem = present_gpus()
    if problem:
        remedy = "install the NVIDIA driver, or in a container give --gpus all; without a GPU all scripts use the CPU"
        yield Finding("GPU", "none", f"{problem}: {remedy}")
        return
    for number, (gpu, memory) in enumerate(zip(gpus, _memories(len(gpus)), strict=True)):
        yield Finding(f"GPU {number}", f"{gpu}, {memory}")
    family, lines = choose_family(gpus)
    yield Finding("requirements", family.file if family else "none", "" if family else "; ".join(lines))


def _memories(count: int) -> list[str]:
    command = ["nvidia-smi", "--query-gpu=memory.total,memory.used", "--format=csv,noheader"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=15).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        lines = []
    said = [" of which ".join(line.split(", ")) + " in use" for line in lines if line.count(",") == 1]
    return said if len(said) == count else ["memory unknown"] * count


def paddle_findings(number: int = 0) -> Iterator[Finding]:
    """Paddle's version, its CUDA and cuDNN and where they were found, and whether its first kernels run."""
    try:
        paddle = import_paddle()
    except ImportError as error:
        yield Finding("Paddle", "not installed", gpu_problem(error) or f"make setup installs it ({error})")
        return
    name = paddle.__version__
    if not paddle.is_compiled_with_cuda():
        remedy = "run make setup on a machine with a GPU, or pip install -r requirements.txt in an empty environment"
        yield Finding("Paddle", f"{name}, built without CUDA", f"this Paddle cannot use a GPU: {remedy}")
        return
    cuda = paddle.version.cuda()
    yield Finding("Paddle", f"{name}, built for CUDA {cuda} and cuDNN {paddle.version.cudnn()}")
    if not paddle.device.cuda.device_count():
        yield Finding("Paddle's GPUs", "0", _no_device(cuda))
        return
    paddle.set_device(f"gpu:{number}")
    try:
        try_gpu(paddle, number)
    except UserError as error:
        yield Finding("first kernels", "failed", str(error))
        return
    yield Finding("first kernels", f"run on {paddle.device.cuda.get_device_name(number)}")
    yield Finding("CUDA's libraries", _loaded_libraries())


def _no_device(cuda: str) -> str:
    gpus, problem = present_gpus()
    family = family_of(cuda)
    if problem:
        return f"Paddle sees no GPU, as {problem}"
    if family and not all(family.takes_driver(gpu.driver) for gpu in gpus):
        return f"the driver is too old for CUDA {cuda}: install {family.driver} or newer, or run make setup again"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return f"CUDA_VISIBLE_DEVICES is {hidden!r}: unset it, or give it the number of a GPU"
    return "Paddle sees no GPU though nvidia-smi does: restart after a driver update; in a container give --gpus all"


def _loaded_libraries() -> str:
    """The paths of CUDA's libraries that this process has loaded (Linux)."""
    try:
        found = LIBRARIES.findall(Path("/proc/self/maps").read_text())
    except OSError:
        return "unknown"
    return ", ".join(dict.fromkeys(found)) or "none loaded by name"


def network_findings(number: int = 0) -> Iterator[Finding]:
    """The network of depth 50 at 256x256: forward, backward, mixed precision and channels last against the CPU."""
    paddle = import_paddle()
    paddle.set_device("cpu")
    weights = {name: value.numpy() for name, value in _network().state_dict().items()}
    expected, expected_gradient, _ = _run(weights)
    paddle.set_device(f"gpu:{number}")
    ways: tuple[tuple[str, bool, bool], ...] = (
        ("float32", False, False),
        ("channels last", False, True),
        ("mixed precision", True, False),
    )
    for name, mixed, channels_last in ways:
        heatmaps, gradient, milliseconds = _run(weights, mixed, channels_last)
        off = _share(heatmaps, expected)
        off_gradient = _share(gradient, expected_gradient)
        limit = LIMITS.get(name, LIMITS["float32"])
        answer = f"differs by {off:.1e} forward and {off_gradient:.1e} backward; {milliseconds:.1f} ms a step"
        good = max(off, off_gradient) < limit
        yield Finding(name, answer, "" if good else f"{name} on the GPU differs by more than {limit} from the CPU")
    yield Finding("peak memory", f"{paddle.device.cuda.max_memory_allocated() / 1e9:.2f} GB for {PERSONS} persons")


def _network() -> paddle.nn.Layer:
    from ..models.pose_resnet import PoseResNet

    import_paddle().seed(0)
    return PoseResNet(DEPTH, JOINTS)


def _run(
    weights: dict[str, np.ndarray], mixed: bool = False, channels_last: bool = False
) -> tuple[np.ndarray, np.ndarray, float]:
    """(heatmaps, gradient of the first layer, milliseconds of a training step) on the device that is set."""
    paddle = import_paddle()
    from ..core.loss import JointsMSELoss
    from ..models.layouts import use_channels_last
    from .precision import Precision

    network = _network()
    network.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})
    if channels_last:
        use_channels_last(network)
    precision = Precision("O1" if mixed else "O0")
    draw = np.random.default_rng(0)
    images = paddle.to_tensor(draw.standard_normal((PERSONS, 3, SIZE, SIZE), dtype=np.float32))
    target = paddle.to_tensor(draw.random((PERSONS, JOINTS, SIZE // 4, SIZE // 4), dtype=np.float32))
    weight = paddle.ones([PERSONS, JOINTS, 1])

    def step() -> None:
        network.clear_gradients()
        with precision.casting():
            output = network(images)
        JointsMSELoss()(output.astype("float32"), target, weight).backward()

    network.eval()  # with the running statistics both devices normalise alike
    with paddle.no_grad(), precision.casting():
        heatmaps = network(images).astype("float32").numpy()
    step()
    first: Any = network.parameters()[0]  # all of the network is between it and the loss
    gradient = first.grad.numpy()
    rounds = ROUNDS if paddle.get_device() != "cpu" else 0
    milliseconds = _time(step, paddle.device.synchronize, rounds)
    return heatmaps, gradient, milliseconds


def _time(step: Callable[[], Any], wait: Callable[[], Any], rounds: int) -> float:
    """Mean milliseconds of some steps; 0 where none are wanted."""
    if not rounds:
        return 0.0
    step()
    wait()
    start = time.perf_counter()
    for _ in range(rounds):
        step()
    wait()
    return 1000 * (time.perf_counter() - start) / rounds


def onnx_findings(model: str | None = None) -> Iterator[Finding]:
    """ONNX Runtime's providers that open, and a file on the GPU against the CPU; model: a file, None: one is exported.

    The file has one picture input, (N, 3, H, W), whose open sizes are taken as 1 and 256.
    """
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding("ONNX Runtime", "not installed", f"deploy.py cannot run: make setup installs it ({error})")
        return
    present = onnxruntime.get_available_providers()
    yield Finding("ONNX Runtime", f"{_package_version()}, has {', '.join(present)}")
    if "CUDAExecutionProvider" not in present:
        remedy = "pip uninstall onnxruntime onnxruntime-gpu, then make setup installs the one for this machine"
        yield Finding("ONNX on the GPU", "not possible", f"this ONNX Runtime is the CPU's: {remedy}")
        return
    with TemporaryDirectory() as folder:
        path = model or _export(Path(folder) / "check.onnx")
        yield _compare_providers(path)


def _package_version() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "onnxruntime"


def _export(path: Path) -> str:
    from ..config.schema import Config
    from ..deploy.model_metadata import DEFAULT_OPSET
    from ..deploy.onnx_export import ExportSettings, exported_graph, write_model

    import_paddle().set_device("cpu")
    network = _network()
    network.eval()
    write_model(exported_graph(network, "pytorch", DEFAULT_OPSET), ExportSettings(Config()), path)
    return str(path)


def _compare_providers(path: str) -> Finding:
    from ..deploy.runtimes import open_session

    subject = "ONNX on the GPU"
    try:
        on_cpu, on_gpu = (open_session(path, provider) for provider in ("cpu", "cuda"))
        (source,) = on_cpu.inputs
        sides = zip(source.shape, (1, 3, SIZE, SIZE), strict=True)
        shape = [side if isinstance(side, int) else default for side, default in sides]
        picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        names = [on_cpu.outputs[0].name]
        (expected,), (found,) = (session.run(names, {source.name: picture}) for session in (on_cpu, on_gpu))
        run: Callable[[], Any] = lambda: on_gpu.run(names, {source.name: picture})  # noqa: E731
        milliseconds = _time(run, lambda: None, ROUNDS)
    except Exception as error:  # ONNX Runtime's classes have no common one of their own
        said = " ".join(str(error).split())[:300]
        remedy = gpu_problem(error)
        return Finding(subject, "failed", f"{said}: {remedy}" if remedy else said)
    off = _share(found, expected)
    good = off < LIMITS["float32"]
    answer = f"differs by {off:.1e} of the largest from its CPU; {milliseconds:.1f} ms an image"
    return Finding(subject, answer, "" if good else "ONNX Runtime's GPU and CPU differ")


def _share(values: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest expected value; infinite where one is not finite."""
    off = np.abs(values - expected).max() / max(float(np.abs(expected).max()), 1e-30)
    return float(off) if np.isfinite(off) else float("inf")
