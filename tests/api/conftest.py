import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")  # which the toys are written with

import onnx_toy  # noqa: E402
from spots import PICTURE  # noqa: E402

from lib import Pose  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The spots' network: joint k is the brightest place of channel k."""
    return onnx_toy.write_pose_network(tmp_path_factory.mktemp("api") / "spots.onnx", onnx_toy.metadata())


@pytest.fixture(scope="session")
def pose(model):
    return Pose(model)


@pytest.fixture
def picture():
    """(200, 300, 3) uint8 BGR, with a spot for each joint."""
    return PICTURE.copy()
