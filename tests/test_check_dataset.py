"""check_dataset.py as a person runs it: its lines, files and exit code, and what it says of bad input."""

import json
import shutil
import subprocess
import sys

import cv2
import pytest
import toy


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def data(drawn, tmp_path):
    """A data set of the test's own, to spoil."""
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture
def call(data, tmp_path, run_main):
    """Runs the script's main() on the toy: its exit code and what it printed to stdout and stderr."""

    def call(*words):
        return run_main("check_dataset", "--cfg", toy.write_experiment(tmp_path, data), *words)

    return call


def test_a_clean_set_is_said_to_be_clean_and_drawn(call, tmp_path):
    code, out, err = call()
    folder = tmp_path / "output" / "check" / "toy"
    assert (code, err) == (0, "")
    assert out.endswith("=> nothing wrong found\n")
    assert "=> 8 persons in 8 pictures" in out and "=> 4 persons in 4 pictures" in out
    assert sorted(path.name for path in folder.iterdir()) == ["train.jpg", "train.json", "valid.jpg", "valid.json"]
    grid = cv2.imread(str(folder / "train.jpg"))
    # three crops of 320 in each of three rows, with borders of 6; captions above them and a legend below
    assert grid.shape[1] == 3 * 326 + 6 and grid.shape[0] > 3 * 326 + 6 and grid.std() > 20
    report = json.loads((folder / "valid.json").read_text())
    assert report["problems"] == [] and report["persons"] == 4 and report["joints"]["thorax"] == 4
    assert list(report["drawn"]["valid.jpg"]) == ["1", "2", "3", "4"]


def test_problems_are_lines_a_second_picture_and_exit_code_one(call, data, tmp_path):
    path = data / "annot" / "train.json"
    records = json.loads(path.read_text())
    records[1]["joints"][9], records[1]["joints_vis"][9] = [300, 300], 1
    path.write_text(json.dumps(records))
    (data / "images" / records[4]["image"]).unlink()
    code, out, err = call("--set", "train", "--samples", 3, "--output", tmp_path / "here")
    assert (code, err) == (1, "")
    problems = [line for line in out.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 2 and out.endswith("=> 2 problems\n")
    assert problems[0] == f"problem: 1 of 8 (12.5%) pictures are missing: {records[4]['image']}"
    assert problems[1].endswith(f"{records[1]['image']} (person 2) head_top at 299 299 in 120x120")
    report = json.loads((tmp_path / "here" / "train.json").read_text())
    assert [problem["name"] for problem in report["problems"]] == ["missing", "outside"]
    assert report["drawn"] == {
        "train.jpg": {str(row): f"{records[row - 1]['image']} (person {row})" for row in (1, 4, 8)},
        "train_suspicious.jpg": {"2 outside": f"{records[1]['image']} (person 2)"},
    }
    assert (tmp_path / "here" / "train_suspicious.jpg").is_file()
    path.write_text(json.dumps([record for record in records if record["image"] not in problems[0] + problems[1]]))
    assert call("--set", "train", "--output", tmp_path / "here")[0] == 0
    assert not (tmp_path / "here" / "train_suspicious.jpg").exists()  # an old one would mislead


def test_a_set_without_its_annotation_is_said_and_the_other_is_checked(call, data):
    (data / "annot" / "valid.json").unlink()
    code, out, _ = call()
    assert code == 1 and "=> 8 persons in 8 pictures" in out
    assert f"problem: valid: there is no annotation {data / 'annot' / 'valid.json'}" in out


def test_all_pictures_missing_is_no_crash_and_draws_nothing(call, data, tmp_path):
    shutil.rmtree(data / "images")
    code, out, err = call("--set", "test")
    assert (code, err) == (1, "")
    assert f"4 of 4 (100.0%) pictures are missing (there is no {data / 'images'})" in out
    assert [path.name for path in (tmp_path / "output" / "check" / "toy").iterdir()] == ["valid.json"]


def test_no_persons_are_drawn_where_none_are_asked_for(call, tmp_path):
    assert call("--samples", 0)[0] == 0
    assert not list((tmp_path / "output").rglob("*.jpg"))


def test_a_set_without_ground_truth_is_nothing_to_check(call, data):
    (data / "annot" / "valid.json").rename(data / "annot" / "test.json")
    code, out, _ = call("--set", "test", "DATASET.TEST_SET", "test")
    assert code == 0 and "=> test has no ground truth: nothing to check" in out


@pytest.mark.parametrize(("words", "complaint"), [
    (["DATASET.ROOT", "nowhere"], "there is no data folder nowhere"),
    (["DATASET.TRAIN_SET", "a", "DATASET.TEST_SET", "b"], "a.json"),
    (["--set", "valid"], "argument --set: invalid choice: 'valid'"),
    (["--samples", "-1"], "argument --samples: -1 is below 0"),
    (["--gpus", "0"], "unrecognized arguments: --gpus"),
], ids=["no folder", "no annotations", "no such set", "samples below 0", "option of another script"])  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_two(call, words, complaint, tmp_path):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and complaint in err
    assert not (tmp_path / "output").exists()


def test_an_ill_formed_annotation_names_the_person(call, data):
    path = data / "annot" / "train.json"
    records = json.loads(path.read_text())
    records[3]["joints"].pop()
    path.write_text(json.dumps(records))
    code, _, err = call()
    assert code == 2 and "person 4 of 8: 15 joints" in err


def test_an_output_folder_that_cannot_be_written_is_named(call, tmp_path):
    (tmp_path / "file").write_text("a file, not a folder")
    code, _, err = call("--output", tmp_path / "file" / "here")
    assert code == 2 and f"cannot write to the folder {tmp_path / 'file' / 'here'}" in err


def test_it_runs_where_there_is_no_paddle(data, tmp_path):
    script, experiment = str(toy.SCRIPTS / "check_dataset.py"), str(toy.write_experiment(tmp_path, data))
    code = (
        "import runpy, sys; sys.modules['paddle'] = None\n"
        f"sys.path.insert(0, {str(toy.SCRIPTS)!r}); sys.argv = [{script!r}, '--cfg', {experiment!r}]\n"
        f"runpy.run_path({script!r}, run_name='__main__')"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.endswith("=> nothing wrong found\n") and "\r" not in answer.stdout
