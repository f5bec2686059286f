"""What the tests share: the path to lib/, recorded answers, data beside the repository, seeded networks."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lib.utils import runtime  # noqa: E402

runtime.prepare_processor()  # before any test module imports Paddle
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite that a script starts with & finds it ignored


def pytest_configure(config):
    """What our own code will not be able to do much longer is an error; what other packages do inside is theirs.

    A warning is of the module that the call it warns of stands in: lib.core.heatmap, train, test_heatmap, toy.
    """
    folders = (ROOT / "pose_estimation", ROOT / "tests")
    names = "|".join(sorted({path.stem for folder in folders for path in folder.rglob("*.py")}))
    for category in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
        config.addinivalue_line("filterwarnings", rf"error::{category}:(lib|lib\..*|__main__|{names})\Z")


@pytest.fixture(scope="session")
def paddle():
    """Paddle, imported only when a test wants it."""
    return runtime.import_paddle()


@pytest.fixture(scope="session")
def root():
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data_folder():
    """tests/data."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def reference(data_folder):
    """Loads a recorded answer of tests/data by its file name: a mapping of arrays."""
    return lambda name: np.load(data_folder / name, allow_pickle=False)


@pytest.fixture(scope="session")
def shared():
    """The folder ../shared beside the repository: larger records and real pictures. Skips where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture(scope="session")
def seeded_network(paddle):
    """Makes a PoseResNet with the recorded answers' weights: seeded_network(depth, joint_count, seed)."""
    from seeded import seed_network

    from lib.models.pose_resnet import PoseResNet

    return lambda depth, joint_count, seed: seed_network(PoseResNet(depth, joint_count), seed)


@pytest.fixture
def run_main(monkeypatch, capfd):
    """Runs the main() of a script in pose_estimation/ on words: (exit code, what it printed to stdout, to stderr)."""

    def run_main(script, *words):
        if str(runtime.SCRIPTS) not in sys.path:
            sys.path.insert(0, str(runtime.SCRIPTS))
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, words)])
        capfd.readouterr()
        code = 0
        try:
            runtime.run_script(__import__(script).main)
        except SystemExit as ended:
            code = ended.code
        return code, *capfd.readouterr()

    return run_main
