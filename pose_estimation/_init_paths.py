"""Lets the scripts find lib/ from any folder: beside them in the repository, or as the package simple_baselines."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if (ROOT / "lib").is_dir():
    sys.path.insert(0, str(ROOT))
else:  # installed: the scripts are in the package, whose other name is lib
    sys.modules.setdefault("lib", importlib.import_module("simple_baselines"))
