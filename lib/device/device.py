"""Chooses Paddle's device, and finds out at once whether Paddle can use the GPU."""

from __future__ import annotations

import os
from types import ModuleType

from ..utils.errors import UserError, gpu_problem
from ..utils.runtime import import_paddle
from .families import dotted, family_of


def gpu_numbers(gpus: str) -> list[int]:
    """List of the numbers in '0' or '0,1', as in GPUS; empty for 'cpu' or ''. Raises UserError for anything else."""
    names = [name.strip() for name in gpus.split(",") if name.strip()]
    if names in ([], ["cpu"]):
        return []
    if not all(name.isdecimal() for name in names):
        raise UserError(f"--gpus {gpus}: expected numbers such as 0, or cpu")
    return [int(name) for name in names]


def choose_device(gpus: str, asked: bool = False) -> str:
    """Sets Paddle's device and returns a line that says which: the first of `gpus`, or the CPU where there is no GPU.

    gpus: '0' or '0,1', as in GPUS; 'cpu' or '' for the CPU. asked: the user gave --gpus, so a GPU that is not there
    is an error rather than a reason to run on the CPU. Raises UserError, also where Paddle cannot use the GPU.
    """
    paddle, numbers = import_paddle(), gpu_numbers(gpus)
    if not numbers:
        paddle.set_device("cpu")
        return f"=> device: CPU, {os.environ.get('OMP_NUM_THREADS', '1')} threads"
    present = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    wanted = numbers[0]
    if wanted >= present:
        reason = f"this machine has {present} GPU(s)" if present else "no CUDA GPU can be used"
        if not paddle.is_compiled_with_cuda():
            reason += " (this Paddle is built without CUDA)"
        elif not present:
            reason += " (pose_estimation/check_gpu.py says why)"
        if asked or present:
            raise UserError(f"GPU {wanted} was asked for, but {reason}; --gpus cpu runs on the CPU")
        paddle.set_device("cpu")
        return f"=> device: CPU, {os.environ.get('OMP_NUM_THREADS', '1')} threads; {reason}"
    paddle.set_device(f"gpu:{wanted}")
    try_gpu(paddle, wanted)
    others = f"; one GPU is used, {','.join(map(str, numbers[1:]))} not" if len(numbers) > 1 else ""
    return f"=> device: GPU {wanted}, {paddle.device.cuda.get_device_name(wanted)}{others}"


def try_gpu(paddle: ModuleType, number: int) -> None:
    """Raises UserError, with the remedy, if Paddle cannot run a multiplication and a convolution on a GPU.

    A GPU that the wheel has no code for is found out before: some of Paddle's kernels would end the process there.
    """
    name = paddle.device.cuda.get_device_name(number)
    cuda = paddle.version.cuda()
    family = family_of(cuda)
    capability = paddle.device.cuda.get_device_capability(number)
    if family and not family.has_code_for(capability):
        raise UserError(
            f"GPU {number}, {name}, has compute capability {dotted(capability)}, and this Paddle (CUDA {cuda}) has no "
            "code for it: make setup installs one that has, if there is one; --gpus cpu runs on the CPU"
        )
    try:
        image = paddle.ones([1, 4, 8, 8])
        convolved = paddle.nn.functional.conv2d(image, paddle.ones([4, 4, 3, 3]))
        paddle.matmul(convolved.flatten(2), paddle.ones([36, 2])).numpy()
    except Exception as error:  # Paddle raises OSError, RuntimeError and classes of its own
        problem = gpu_problem(error) or f"Paddle says: {' '.join(str(error).split())[-300:]}"
        raise UserError(f"GPU {number}, {name}, cannot be used: {problem}; --gpus cpu runs on the CPU") from error
