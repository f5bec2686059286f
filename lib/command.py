"""The command simple-baselines of the installed package: it runs the scripts of pose_estimation/ by their names."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from .utils.errors import UserError, explaining_packages
from .utils.runtime import SCRIPTS, run_script

NAME = "simple-baselines"
NEEDED = (
    "predict, deploy, track and draw need the extra onnx, with names of networks and fetch also names; the other "
    "commands, and their --help, need paddle: pip install '.[paddle]' in a clone."
)
PREDICT = (
    "Finds the joints of people in pictures and videos: as infer does where Paddle is installed, and as deploy does "
    "where it is not, or where the model is an .onnx file and no --cfg is given."
)


def main() -> None:
    """Runs the script that the first word names, with the words behind it; ends with the script's exit code."""
    run_script(_main)


def _main() -> None:
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(help_text(), flush=True)
    elif words[0] == "--version":
        from . import __version__

        print(__version__)
    else:
        run_command(words[0], words[1:])


def run_command(command: str, words: Sequence[str]) -> None:
    """Runs a command with the words behind it. Raises UserError for one that there is not, or that lacks a package."""
    scripts = commands()
    if command != "predict" and command not in scripts:
        raise UserError(f"there is no command {command}: expected one of predict, {', '.join(scripts)}")
    path = predicting(words, bool(importlib.util.find_spec("paddle"))) if command == "predict" else scripts[command]
    sys.argv = [f"{NAME} {command}", *words]
    sys.path.insert(0, str(SCRIPTS))  # as Python does for a script: they import _init_paths
    extra = "names" if command == "fetch" else "paddle"
    with explaining_packages(command, f"in a clone: pip install '.[{extra}]'"):
        _run_file(path)


def _run_file(path: Path) -> None:
    """Runs a script as `python path` does; runpy would put its name into sys.argv, from which errors have theirs."""
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 - our own file


def commands() -> dict[str, Path]:
    """{name: the script's file} of all commands but predict, which is one of two of them."""
    files = sorted(path for path in SCRIPTS.glob("*.py") if not path.stem.startswith("_"))
    return {path.stem.replace("_", "-"): path for path in files}


def predicting(words: Sequence[str], has_paddle: bool) -> Path:
    """The script behind predict: infer.py, or deploy.py for .onnx files without an experiment and without Paddle."""
    options = [word.partition("=")[0] for word in words]
    models = _values(words, ("--model", "--model-file"))
    is_exported = any(word.lower().endswith(".onnx") for word in models)
    if not has_paddle and ("--cfg" in options or any(word.endswith((".pdparams", ".pdckpt")) for word in models)):
        raise UserError("predict: --cfg and weights need Paddle, in a clone: pip install '.[paddle]'")
    deploys = not has_paddle or (is_exported and "--cfg" not in options)
    return SCRIPTS / ("deploy.py" if deploys else "infer.py")


def _values(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """What is given for options, as `--option value` or `--option=value`."""
    pairs = [(word, following) for word, following in zip(words, [*words[1:], ""], strict=False)]
    return [value if word in options else word.partition("=")[2] for word, value in pairs
            if word.partition("=")[0] in options]  # fmt: skip


def help_text() -> str:
    """What --help prints: a line for each command."""
    about = {"predict": PREDICT, **{name: _first_line(path) for name, path in commands().items()}}
    lines = [f"  {name:<16}{text}" for name, text in about.items()]
    usage = f"usage: {NAME} COMMAND [OPTIONS]; {NAME} COMMAND --help lists the options of one; {NAME} --version"
    what = "The commands are the scripts of pose_estimation/, with the same options:"
    return "\n".join([usage, "", what, "", *lines, "", NEEDED])


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
