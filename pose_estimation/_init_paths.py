"""Puts the repository's root on the path, so that scripts find lib/ from any folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
