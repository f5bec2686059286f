"""What can be tested of the measurements: what they compute from times and sizes, and what they refuse."""

import subprocess
import sys

import numpy as np
import pytest
import toy


@pytest.fixture
def bench(monkeypatch):
    """Imports a module of tests/bench by its name."""
    monkeypatch.syspath_prepend(str(toy.ROOT / "tests" / "bench"))
    return __import__


@pytest.mark.parametrize("power", [1.0, 2.0, 1.3])
def test_the_exponent_of_a_power_is_found(bench, power):
    sizes = np.array([1000, 10_000, 100_000])
    assert bench("measuring").growth_exponent(sizes, 3e-5 * sizes**power) == pytest.approx(power)


def test_a_growth_table_has_a_row_for_each_size_and_one_for_the_exponents(bench):
    measured = [{"time": 0.5, "memory": 2e6}, {"time": 5.0, "memory": 200e6}]
    columns = {"time": ("time", "{:.1f} s", 1), "memory": ("memory", "{:.0f} MB", 1e6)}
    lines = bench("measuring").growth_table([10, 100], measured, columns).splitlines()[3:]
    assert lines[:2] == ["| 10 | 0.5 s | 2 MB |", "| 100 | 5.0 s | 200 MB |"]
    assert lines[2] == "| grows as N to the power of | 1.00 | 2.00 |"


def test_data_time_counts_from_the_first_batch_of_later_epochs_on(bench):
    loader = bench("measuring").TimedLoader([1, 2, 3])
    assert [list(loader) for _ in range(2)] == [[1, 2, 3]] * 2 and len(loader.epochs[1][0]) == 3
    loader.epochs = [([9, 9], 9), ([5, 1, 2], 10), ([5, 0, 0], 20)]
    assert loader.seconds == 30 and loader.data_share() == pytest.approx(0.1)


def test_every_way_to_train_on_a_gpu_is_measured_once(bench):
    every = list(bench("gpu").combinations(["O0", "O1", "O2"], ["float16", "bfloat16"]))
    assert len({tuple(settings.items()) for settings in every}) == len(every) == 8 + 2 * 2 * 8
    assert set(every[0].values()) == {"O0", False}  # what the others are compared with


def test_loops_find_the_same_people_in_a_detectors_answer(bench):
    people, threshold, found, *_ = bench("detector_answers").measured(5, 0.3, rounds=1)
    assert (people, threshold) == ("5", "0.3") and int(found) >= 5


@pytest.mark.parametrize(
    ("words", "complaint"),
    [([], "error: this measures a CUDA GPU, and none can be used"), (["--amp", "O3"], "error: argument --amp")],
)
def test_without_a_gpu_or_sense_there_is_one_line_and_exit_code_2(words, complaint):
    command = [sys.executable, toy.ROOT / "tests" / "bench" / "gpu.py", *words]
    answer = subprocess.run(command, capture_output=True, text=True, env=toy.quiet_environment(), check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(complaint) and answer.stderr.count("\n") == 1


def test_a_section_has_its_title_and_its_command_and_a_failure_ends_the_report(bench, tmp_path):
    report = bench("write_report")
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint('figures')\nsys.exit(len(sys.argv) - 1)")
    assert report.section_of(report.Bench("Title", (str(script),))) == f"## Title\n\n`python {script}`\n\nfigures\n"
    with pytest.raises(report.RunError, match=r"script\.py x ended with 1"):
        report.section_of(report.Bench("Title", (str(script), "x")))
    missing = report.section_of(report.Bench("Title", (str(script),), needs="../nowhere/at/all"))
    assert "Not run: it needs ../nowhere/at/all" in missing and "figures" not in missing


def test_every_measurement_of_the_report_is_there(bench):
    for each in bench("write_report").BENCHES.values():
        assert (toy.ROOT / each.words[0]).is_file()


def test_people_to_train_the_trackers_network_on_show_what_can_be_seen(bench):
    from lib.dataset.synthetic.clips import TruePerson

    people = bench("walking_people")
    joints = np.column_stack([np.linspace(100, 130, 16), np.linspace(50, 150, 16)])
    visible = np.arange(16) < 10
    box = np.array([95.0, 45, 40, 110])
    seen = TruePerson(1, joints, visible, box, box, share=0.9)
    hidden = TruePerson(2, joints, visible, box, box, share=0.1)
    rng, entries = np.random.default_rng(0), []
    for _ in range(200):
        entries += people.annotations_of(rng, [seen, hidden], (640, 360))
    for entry in entries:
        keypoints = np.reshape(entry["keypoints"], (16, 3))
        assert (keypoints[:, 2] == 2 * visible).all() and (keypoints[~visible] == 0).all()
    corners = np.array([entry["bbox"] for entry in entries])
    around = np.abs(corners[:, 0] - box[0]) < 40  # the others are around nobody: none of the joints is within
    assert around.sum() == 200 and 10 < (~around).sum() <= 60
    low, high = corners[~around, :2], corners[~around, :2] + corners[~around, 2:]
    assert not ((joints[None] >= low[:, None]) & (joints[None] <= high[:, None])).all(axis=2).any()
