"""The package that pip installs: what is in it, what it needs, how light its import is, and its command."""

import ast
import fnmatch
import os
import re
import shutil
import subprocess
import sys

import pytest

import lib
from lib import command
from lib.utils.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory):
    """A folder with the files as pip installs them: simple_baselines is lib/, its scripts/ are pose_estimation/."""
    folder = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "lib", folder / "simple_baselines", ignore=ignored)
    shutil.copytree(root / "pose_estimation", folder / "simple_baselines" / "scripts", ignore=ignored)
    return folder


def run(folder, code, *words):
    command = [sys.executable, "-c", code, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment)


def run_command(folder, *words):
    return run(folder, "from simple_baselines.command import main; main()", *words)


# -- what is in it ---------------------------------------------------------------------------------------------------


def test_every_folder_is_a_package_of_the_wheel(root, project):
    folders = {path.parent.relative_to(root / "lib") for path in (root / "lib").rglob("__init__.py")}
    expected = {".".join(("simple_baselines", *folder.parts)) for folder in folders} | {"simple_baselines.scripts"}
    setup = project["tool"]["setuptools"]
    assert set(setup["packages"]) == expected and len(setup["packages"]) == len(expected)
    places = setup["package-dir"]
    assert places == {"simple_baselines": "lib", "simple_baselines.scripts": "pose_estimation"}


def test_every_other_file_of_lib_is_in_the_wheel(root, project):
    (patterns,) = project["tool"]["setuptools"]["package-data"].values()
    names = {path.name for path in (root / "lib").rglob("*")
             if path.is_file() and path.suffix not in (".py", ".pyc")}  # fmt: skip
    assert {"networks.yaml", "skeletons.yaml", "py.typed"} <= names
    assert [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


def test_imports_inside_lib_are_relative(root):
    absolute = []
    for path in (root / "lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            absolute += [(path.name, name) for name in names if name and name.partition(".")[0] == "lib"]
    assert absolute == []


def test_there_is_one_version(project):
    from lib.deploy.onnx_graph import PRODUCER_VERSION

    assert project["project"]["version"] == lib.__version__ == PRODUCER_VERSION


# -- what it needs ---------------------------------------------------------------------------------------------------


def requirements(root, *names):
    """The requirements of files, without comments, options and other files."""
    lines = [line.partition("#")[0].strip() for name in names
             for line in (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()]  # fmt: skip
    return {line for line in lines if line and not line.startswith("-")}


def test_versions_are_those_of_the_requirements_files(root, project):
    about = project["project"]
    base, extras = set(about["dependencies"]), about["optional-dependencies"]
    deploy = requirements(root, "deploy")
    assert base | set(extras["onnx"]) | set(extras["video"]) | set(extras["names"]) == deploy
    assert set(extras["track"]) == set(extras["onnx"]) | set(extras["video"])
    assert base | set(extras["paddle"]) == requirements(root, "base", "cpu")


def test_the_import_is_light(root):
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); before = set(sys.modules); import lib\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    modules = run(root, code).stdout.split()
    assert "lib" in modules and len(modules) < 20
    assert not {"numpy", "cv2", "onnxruntime", "paddle"} & set(modules)


def test_public_names_are_there_and_others_are_refused():
    assert sorted(lib.__all__) == lib.__all__
    for name in lib.__all__:
        assert getattr(lib, name) and name in dir(lib)
    with pytest.raises(AttributeError, match="has no Pos: it has .*Pose"):
        _ = lib.Pos


# -- the command -----------------------------------------------------------------------------------------------------


def test_help_has_a_line_for_each_script(root):
    lines = command.help_text().splitlines()
    scripts = {path.stem.replace("_", "-") for path in (root / "pose_estimation").glob("[a-z]*.py")}
    shown = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert set(shown) == scripts | {"predict"}
    assert all(len(line.split()) > 3 for line in shown.values())


@pytest.mark.parametrize(
    ("words", "has_paddle", "script"),
    [
        ((), True, "infer"), ((), False, "deploy"), (("--model-file", "coco_resnet50_256x192"), True, "infer"),
        (("--model", "x.onnx"), True, "deploy"), (("--model-file=X.ONNX",), True, "deploy"),
        (("--model-file", "x.onnx", "--cfg", "x.yaml"), True, "infer"), (("--img", "x.onnx"), True, "infer"),
    ],
)  # fmt: skip
def test_predict_is_infer_or_deploy(words, has_paddle, script):
    assert command.predicting(words, has_paddle).stem == script


def test_the_installed_command_runs_scripts_with_their_options(installed, tmp_path):
    onnx_toy = pytest.importorskip("onnx_toy")
    pytest.importorskip("onnxruntime")
    import cv2

    model = onnx_toy.write_pose_network(tmp_path / "x.onnx", onnx_toy.metadata())
    cv2.imwrite(str(tmp_path / "x.png"), onnx_toy.spotted_picture([(60, 70), (90, 50), (40, 110)]))
    done = run_command(installed, "predict", "--img", tmp_path / "x.png", "--model", model, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x_pose.json").is_file()
    done = run_command(installed, "deploy", "--img")
    assert done.returncode == 2 and "simple-baselines deploy --help lists the options" in done.stderr
    done = run_command(installed, "fetch", "--list")
    assert done.returncode == 0 and "coco_resnet50_256x192" in done.stdout


def test_what_the_command_does_not_know_is_one_line(installed):
    done = run_command(installed, "predcit")
    assert done.returncode == 2 and re.fullmatch(r"error: there is no command predcit: expected .*\n", done.stderr)
    done = run_command(installed, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, lib.__version__)
    assert run_command(installed).stdout == run_command(installed, "--help").stdout != ""


def test_a_package_that_is_missing_is_named(installed):
    code = "import sys; sys.modules['yaml'] = None\nfrom simple_baselines.command import main; main()"
    done = run(installed, code, "train", "--cfg", "x.yaml")
    assert done.returncode == 2
    assert "train needs the package yaml, which is not installed: in a clone: pip install" in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_errors_are_of_the_one_type(installed):
    code = (
        "from simple_baselines import Pose, UserError\n"
        "try: Pose('nowhere.onnx')\n"
        "except UserError as error: print(error)"
    )
    assert run(installed, code).stdout == "there is no model file nowhere.onnx\n"
    with pytest.raises(UserError):
        command.run_command("nothing", [])


@pytest.mark.slow
def test_the_wheel_has_the_files_that_the_other_tests_lay_out(root, installed, tmp_path):
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("lib", "pose_estimation"):
        shutil.copytree(root / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(wheels), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("the package index that has setuptools cannot be reached")
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = wheels.glob("paddle_simple_baselines-*-py3-none-any.whl")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    built, laid_out = (
        {path.relative_to(folder) for path in (folder / "simple_baselines").rglob("*")
         if path.is_file() and path.suffix != ".pyc"}
        for folder in (site, installed)
    )  # fmt: skip
    assert built == laid_out
    assert "simple-baselines = simple_baselines.command:main" in next(site.glob("*/entry_points.txt")).read_text()
    assert run(site, "import simple_baselines; print(simple_baselines.__version__)").stdout.strip() == lib.__version__
