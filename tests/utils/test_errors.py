"""What a GPU's errors mean, in one line."""

import pytest

from lib.utils.errors import RunError, explaining_memory, gpu_problem, whole_reason
from lib.utils.runtime import run_script

FULL = """

--------------------------------------
C++ Traceback (most recent call last):
--------------------------------------
0   paddle::memory::allocation::CUDAAllocator::AllocateImpl(unsigned long)

----------------------
Error Message Summary:
----------------------
ResourceExhaustedError:

Out of memory error on GPU 0. Cannot allocate 3.906250GB memory on GPU 0, 7.205078GB memory has been allocated and available memory is only 587.062500MB.

Please check whether there is any other process using GPU 0.
"""  # noqa: E501


def test_paddles_report_of_a_full_gpu_is_shortened_to_its_figures():
    assert gpu_problem(MemoryError(FULL)) == (
        "the GPU is out of memory (3.906250GB more were asked for; 7.205078GB are taken, 587.062500MB free)"
    )
    assert gpu_problem("CUDA failure 2: out of memory ; GPU=0") == "the GPU is out of memory"


@pytest.mark.parametrize("error", [ValueError("out of memory of what I said"), MemoryError(), RunError("a full disk")])
def test_other_errors_are_not_a_gpus(error):
    assert gpu_problem(error) == ""


def test_what_needed_the_memory_and_what_to_change_is_said():
    said = r"out of memory \(.*\) in a step of 32 images: lower TRAIN.BATCH_SIZE"
    with pytest.raises(RunError, match=said), explaining_memory("a step of 32 images", "lower TRAIN.BATCH_SIZE"):
        raise MemoryError(FULL)
    with pytest.raises(ValueError, match="another"), explaining_memory("a step", "do less"):
        raise ValueError("another")


def test_a_script_ends_with_one_line_for_a_gpus_error_and_with_a_traceback_for_a_bug(capsys):
    def main():
        raise MemoryError(FULL)

    with pytest.raises(SystemExit) as ended:
        run_script(main)
    error = capsys.readouterr().err
    assert ended.value.code == 1 and error.startswith("error: the GPU is out of memory") and error.count("\n") == 1

    def bug():
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        run_script(bug)


def test_a_librarys_reason_is_whole_and_of_a_very_long_one_the_end_stays():
    assert whole_reason("failed:\n  " + "x" * 700 + " the reason") == "failed: " + "x" * 700 + " the reason"
    long = whole_reason("begins " + "x" * 5000 + " the reason")
    assert long.startswith("begins ") and long.endswith(" the reason") and " ... " in long and len(long) < 900
