"""Which requirements file serves which GPU and driver, by NVIDIA's figures."""

import pytest

from lib.device.families import FAMILIES, Gpu, choose_family, parse_gpus, why_none

CUDA126, CUDA129, CUDA11 = FAMILIES


def gpu(capability, driver="550.90.07", name="a GPU"):
    return Gpu(name, capability, driver)


@pytest.mark.parametrize(
    ("capability", "driver", "expected"),
    [
        ((6, 1), "550.90.07", CUDA126), ((7, 0), "525.60.13", CUDA126), ((8, 9), "535.104.05", CUDA126),
        ((9, 0), "525.60.13", CUDA126), ((12, 0), "570.86.10", CUDA129), ((10, 0), "580.65", CUDA129),
        ((8, 0), "525.60.11", CUDA11), ((7, 5), "450.80.02", CUDA11), ((6, 1), "470.57.02", CUDA11),
        ((6, 0), "550.90.07", None), ((5, 2), "550.90.07", None), ((8, 0), "450.51.06", None),
        ((9, 0), "515.65.01", None), ((12, 0), "560.35", None), (None, "460.32.03", CUDA11), (None, "418.67", None),
    ],
)  # fmt: skip
def test_capability_and_driver_decide(capability, driver, expected):
    family, lines = choose_family([gpu(capability, driver)])
    assert family is expected
    assert lines and all(line and "\n" not in line for line in lines)


def test_the_reason_names_what_is_missing():
    assert "no Paddle wheel has code for this GPU" in why_none(gpu((6, 0)))
    assert "install NVIDIA driver 525.60.13 or newer" in why_none(gpu((9, 0), "515.65.01"))
    assert "install NVIDIA driver 450.80.02 or newer" in why_none(gpu((8, 0), "418.67"))


def test_of_two_gpus_both_are_served_if_one_file_can():
    family, lines = choose_family([gpu((6, 1)), gpu((8, 6))])
    assert family is CUDA126 and not any("CUDA_VISIBLE_DEVICES" in line for line in lines)
    family, lines = choose_family([gpu((8, 6), "580.1"), gpu((12, 0), "580.1")])
    assert family is CUDA129


def test_of_two_gpus_that_no_file_serves_together_the_one_that_is_left_out_is_named():
    family, lines = choose_family([gpu((6, 0), name="Tesla P100"), gpu((8, 0), name="A100")])
    assert family is CUDA126
    assert lines[-1] == "GPU 0, Tesla P100, cannot run it: set CUDA_VISIBLE_DEVICES=1"


def test_machine_code_runs_on_later_minor_versions_only():
    assert CUDA11.has_code_for((8, 9)) and not CUDA11.has_code_for((6, 0)) and not CUDA11.has_code_for((9, 0))
    assert not CUDA129.has_code_for((6, 1))


def test_lines_of_nvidia_smi_are_read():
    assert parse_gpus("NVIDIA A100, 8.0, 535.104.05\n") == [gpu((8, 0), "535.104.05", "NVIDIA A100")]
    assert parse_gpus("Tesla K80, 418.67\n\n") == [gpu(None, "418.67", "Tesla K80")]
    assert parse_gpus("A, B, 7.5, 470.1\n") == [gpu((7, 5), "470.1", "A, B")]
    assert parse_gpus("GPU, [N/A], 470.1\n") == [gpu(None, "470.1", "GPU")]
    for text in ("no devices", "A, 8.0, ", "A, 8.0, [N/A]"):
        with pytest.raises(ValueError, match="unexpected line"):
            parse_gpus(text)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.file)
def test_each_file_says_which_gpus_and_drivers_it_is_for(family, root):
    head = [line for line in (root / family.file).read_text().splitlines() if line.startswith("#")]
    text = "\n".join(head)
    assert "# GPUs " in text and f"# driver   {family.driver} or newer" in text and "# besides  " in text
    assert f"CUDA {family.cuda}" in head[0]
    assert ("nothing" in text) is not bool(family.besides)
    index = family.index()
    assert (f"/cu{family.cuda.replace('.', '')}/" in index) is (family is not CUDA11)
