"""Networks and detectors by a file, or by a name of the index, which is fetched."""

from __future__ import annotations

from typing import Any

from ..utils.errors import explaining_packages
from ..utils.files import could_be_name

NAMED = "{}, which is no file (an exported model's name ends in .onnx) and so a name of the index,"
REMEDY = "pip install onnx pyyaml pooch"


def model_file(given: str) -> str:
    """The ONNX file of a model: itself, or that of a name of the index. Raises UserError."""
    if not could_be_name(given):
        return given
    with explaining_packages(NAMED.format(given), REMEDY):
        from ..zoo.fetch import fetch_network  # here: files need none of its packages
        from ..zoo.index import find, networks

        return str(fetch_network(find(networks(), given, "network"))[".onnx"])


def detector_file(given: str) -> tuple[str, dict[str, Any]]:
    """(the ONNX file of a detector, {field of DetectorSettings: value} that is known of it). Raises UserError."""
    if not could_be_name(given):
        return given, {}
    with explaining_packages(NAMED.format(given), REMEDY):
        from ..zoo.fetch import fetch_detector
        from ..zoo.index import detectors, find

        entry = find(detectors(), given, "detector")
        known = {"size": entry.input_size, "mean": entry.mean, "deviation": entry.std, "form": entry.form}
        return str(fetch_detector(entry)), known
