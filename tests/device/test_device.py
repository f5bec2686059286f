"""Which device is chosen, and a GPU that Paddle cannot use: simulated, with what Paddle's users reported."""

import pytest

from lib.device.device import choose_device
from lib.utils.errors import UserError


@pytest.mark.parametrize("gpus", ["cpu", ""])
def test_the_processor_can_be_asked_for(paddle, gpus):
    assert choose_device(gpus, asked=True).startswith("=> device: CPU")
    assert paddle.get_device() == "cpu"


def test_a_gpu_that_is_not_there_is_an_error_when_it_was_asked_for():
    with pytest.raises(UserError, match=r"GPU 99 was asked for.*--gpus cpu"):
        choose_device("99", asked=True)


def test_a_gpu_that_is_not_there_means_the_processor_when_nobody_asked(paddle, monkeypatch):
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    line = choose_device("0,1", asked=False)
    assert line.startswith("=> device: CPU") and "built without CUDA" in line


def test_a_gpu_number_beyond_those_present_is_an_error_even_when_nobody_asked(paddle, monkeypatch):
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"GPU 3 .*1 GPU\(s\)"):
        choose_device("3")


@pytest.mark.parametrize("gpus", ["gpu", "0,x", "-1", "1.5", "²"])
def test_a_device_that_is_no_number_is_a_user_error(gpus):
    with pytest.raises(UserError, match="expected numbers"):
        choose_device(gpus)


class Playing:
    """A Paddle for CUDA with one GPU, which really computes on the CPU."""

    def __init__(self, paddle, monkeypatch, capability=(8, 6), cuda="12.6"):
        device = paddle.set_device
        monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
        monkeypatch.setattr(paddle, "set_device", lambda name: device("cpu"))
        monkeypatch.setattr(paddle.version, "cuda", lambda: cuda)
        monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda number: "Pretended GPU")
        monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda number: capability)
        self.monkeypatch, self.functional = monkeypatch, paddle.nn.functional

    def fail(self, error):
        def convolve(*_, **__):
            raise error

        self.monkeypatch.setattr(self.functional, "conv2d", convolve)


def test_a_gpu_that_works_is_named(paddle, monkeypatch):
    Playing(paddle, monkeypatch)
    assert choose_device("0") == "=> device: GPU 0, Pretended GPU"


REPORTED = {
    "cuDNN was not found": RuntimeError(
        "(PreconditionNotMet) Cannot load cudnn shared library. Cannot invoke method cudnnGetVersion. [Hint: "
        "cudnn_dso_handle should not be null.] (at /paddle/paddle/phi/backends/dynload/cudnn.cc:64)"
    ),
    "cuDNN was not found: install": RuntimeError(
        "The third-party dynamic library (libcudnn.so) that Paddle depends on is not configured correctly. (error code "
        "is libcudnn.so: cannot open shared object file: No such file or directory)"
    ),
    "no code for this GPU": OSError(
        "(External) CUDA error(209), no kernel image is available for execution on the device. [Hint: "
        "'cudaErrorNoKernelImageForDevice'.] (at ../paddle/phi/core/platform/device/gpu/gpu_info.cc:133)"
    ),
    "the NVIDIA driver is too old": OSError(
        "(External) CUDA error(35), CUDA driver version is insufficient for CUDA runtime version."
    ),
    "CUDA finds no GPU": OSError("(External) CUDA error(100), no CUDA-capable device is detected."),
    "another process has the GPU": OSError(
        "(External) CUDA error(46), all CUDA-capable devices are busy or unavailable."
    ),
    "cuDNN or cuBLAS cannot start": OSError("(External) CUBLAS error(1). [Hint: 'CUBLAS_STATUS_NOT_INITIALIZED'.]"),
    "a library of CUDA was not found": RuntimeError(
        "The third-party dynamic library (libcublas.so) that Paddle depends on is not configured correctly."
    ),
    "Paddle says: something unheard of": RuntimeError("something\nunheard of"),
    "CUDA failed (CUDA error(719), unspecified launch failure": OSError("CUDA error(719), unspecified launch failure."),
}


@pytest.mark.parametrize("remedy", REPORTED)
def test_a_first_kernel_that_fails_is_one_line_with_the_remedy(paddle, monkeypatch, remedy):
    Playing(paddle, monkeypatch).fail(REPORTED[remedy])
    with pytest.raises(UserError) as caught:
        choose_device("0")
    message = str(caught.value)
    assert message.startswith("GPU 0, Pretended GPU, cannot be used: ")
    assert message.endswith("--gpus cpu runs on the CPU")
    assert remedy in message and "\n" not in message


@pytest.mark.parametrize(
    ("capability", "cuda"), [((9, 0), "11.8"), ((6, 0), "12.6"), ((6, 1), "12.9"), ((12, 0), "12.6")]
)
def test_a_gpu_without_code_in_the_wheel_is_found_before_any_kernel(paddle, monkeypatch, capability, cuda):
    Playing(paddle, monkeypatch, capability, cuda).fail(AssertionError("a kernel was started"))
    said = rf"compute capability {capability[0]}\.{capability[1]}, and this Paddle \(CUDA {cuda}\) has no code"
    with pytest.raises(UserError, match=said):
        choose_device("0")


def test_a_paddle_of_an_unknown_cuda_is_tried(paddle, monkeypatch):
    Playing(paddle, monkeypatch, (13, 0), "14.2")
    assert choose_device("0").startswith("=> device: GPU 0")
