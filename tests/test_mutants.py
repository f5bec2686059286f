"""The mutants themselves: their texts still stand in the code, and the script tells caught from survived."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "mutants"))

import run as script  # noqa: E402
from mutant import Mutant  # noqa: E402

TOO_FAR = Mutant("too-far", "lib/thing.py", "it goes too far", "2 * x", "3 * x", ("tests/test_thing.py",))
UNSEEN = Mutant("unseen", "lib/thing.py", "nobody looks there", "return -1", "return -2", ("tests/test_thing.py",))
TREE = {
    "lib/thing.py": "def double(x):\n    if x < 0:\n        return -1\n    return 2 * x\n",
    "tests/test_thing.py": "from lib.thing import double\n\ndef test_double():\n    assert double(2) == 4\n",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
}


@pytest.fixture
def project(tmp_path):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("mutant", script.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutants_text_stands_once_in_its_file_and_the_mistake_is_code(mutant):
    ast.parse(mutant.applied_to((ROOT / mutant.file).read_text(encoding="utf-8")))
    for test in mutant.tests:
        file, *names = test.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(f"def {name}(" in text or f"class {name}:" in text for name in names)


def test_mutants_have_names_of_their_own():
    names = [mutant.name for mutant in script.MUTANTS]
    assert len(set(names)) == len(names)


def test_who_is_caught_and_who_survives_is_told_and_the_tree_is_left_alone(project, capsys):
    assert script.main(["--jobs", "2"], (TOO_FAR, UNSEEN), project) == 1
    table = capsys.readouterr().out.splitlines()[2:]
    assert table == [
        "| too-far | lib/thing.py | it goes too far | `test_thing.py::test_double` |",
        "| unseen | lib/thing.py | nobody looks there | SURVIVED |",
        "",
        "1 of 2 mutants were caught",
    ]
    assert {name: (project / name).read_text() for name in TREE} == TREE


def test_a_mutant_can_be_asked_for_by_its_name(project, capsys):
    assert script.main(["too-far"], (TOO_FAR, UNSEEN), project) == 0
    assert "1 of 1 mutants were caught" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (["who"], {}, "error: no mutant is called who\n"),
        ([], {"lib/thing.py": TREE["lib/thing.py"] + "# 2 * x\n"}, "too-far: the text to replace stands 2 times"),
        ([], {"lib/thing.py": TREE["lib/thing.py"].replace("2 * x", "x + x")}, "the text to replace stands 0 times"),
        ([], {"tests/test_thing.py": "def test_other():\n    assert False\n"}, "test_other fails without any mutant"),
        ([], {"tests/test_thing.py": "# no test\n"}, "error: pytest ended with 5"),
    ],
)
def test_what_would_prove_nothing_is_an_error(project, capsys, arguments, changes, said):
    for name, text in changes.items():
        (project / name).write_text(text)
    assert script.main(arguments, (TOO_FAR, UNSEEN), project) == 2
    assert said in capsys.readouterr().err


def test_it_is_a_script(tmp_path):
    command = [sys.executable, ROOT / "tests" / "mutants" / "run.py", "who"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (2, "", "error: no mutant is called who\n")
