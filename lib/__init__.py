"""Keypoints of people in pictures and videos, from Python: `Pose(model, detector=...)(source)` gives `Poses`.

Installed, this package is `simple_baselines`; in the repository it is the folder lib/. docs/api.md describes it.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; typing itself would be most of the import
if TYPE_CHECKING:
    from typing import Any

    from .api.pose import Pose as Pose
    from .api.results import Poses as Poses
    from .core.skeletons import Skeleton as Skeleton
    from .inference.detector import PersonDetector as PersonDetector
    from .utils.errors import ItemError as ItemError
    from .utils.errors import RunError as RunError
    from .utils.errors import UserError as UserError

__version__ = "0.1.0"  # as in pyproject.toml
__all__ = ["ItemError", "PersonDetector", "Pose", "Poses", "RunError", "Skeleton", "UserError", "__version__"]
_PLACES = {
    "Pose": ".api.pose", "Poses": ".api.results", "UserError": ".utils.errors", "RunError": ".utils.errors",
    "ItemError": ".utils.errors", "Skeleton": ".core.skeletons", "PersonDetector": ".inference.detector",
}  # fmt: skip


def __getattr__(name: str) -> Any:  # so that the import takes milliseconds: OpenCV and NumPy come with the first use
    if name not in _PLACES:
        raise AttributeError(f"module {__name__} has no {name}: it has {', '.join(__all__)}")
    return getattr(import_module(_PLACES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
