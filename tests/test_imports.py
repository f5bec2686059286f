"""What must run without Paddle does: the modules that deployment uses import where there is none."""

import subprocess
import sys

import pytest

WITHOUT_PADDLE = [
    "lib.config.cli", "lib.config.config", "lib.config.fields", "lib.config.schema", "lib.config.skeleton_file",
    "lib.core.boxes", "lib.core.evaluate", "lib.core.heatmap", "lib.core.nms", "lib.core.predictor",
    "lib.core.skeletons", "lib.core.transforms", "lib.dataset.augment", "lib.dataset.build",
    "lib.dataset.checks.check", "lib.config.skeleton_pairs", "lib.core.sides", "lib.dataset.checks.depth",
    "lib.dataset.checks.left_right", "lib.dataset.checks.report", "lib.dataset.checks.set_sides",
    "lib.dataset.annotations.coco", "lib.dataset.annotations.coco_truth", "lib.dataset.crop_cache.cache",
    "lib.dataset.crop_cache.plan", "lib.dataset.crop_cache.writer", "lib.dataset.joints_dataset", "lib.dataset.loader",
    "lib.dataset.annotations.mpii", "lib.dataset.annotations.posetrack", "lib.dataset.annotations.posetrack_form",
    "lib.dataset.regions", "lib.dataset.synthetic.clips", "lib.dataset.synthetic.motion", "lib.dataset.write_clips",
    "lib.deploy.model_metadata", "lib.deploy.onnx_network", "lib.deploy.onnx_predictor", "lib.deploy.onnx_session",
    "lib.deploy.openvino_session", "lib.deploy.runtimes", "lib.evaluation.coco_evaluator", "lib.evaluation.evaluators",
    "lib.evaluation.report", "lib.evaluation.tracks", "lib.evaluation.validation", "lib.inference.build",
    "lib.inference.detector", "lib.inference.detectors.answers", "lib.inference.detectors.forms",
    "lib.inference.detectors.pixels", "lib.utils.media", "lib.inference.person_boxes", "lib.inference.pose_app",
    "lib.inference.results.pose_results", "lib.tracking.flow", "lib.tracking.frames", "lib.tracking.options",
    "lib.tracking.similarity", "lib.tracking.smoothing", "lib.tracking.track_app", "lib.tracking.tracker",
    "lib.training.rank_watch", "lib.utils.errors", "lib.utils.files", "lib.utils.image", "lib.utils.parser",
    "lib.utils.pictures.picture_header", "lib.utils.progress", "lib.utils.runtime", "lib.utils.shared_memory",
    "lib.visualization.curves", "lib.visualization.grids", "lib.visualization.poses", "lib.visualization.tracks",
    "lib.weights.convert", "lib.weights.torch_file",
    "lib.weights.weight_record", "lib.zoo.experiment", "lib.zoo.fetch", "lib.zoo.index",
]  # fmt: skip


def import_blocked(root, modules):
    """Imports modules in a Python in which `import paddle` fails; returns the finished process."""
    code = (
        "import sys, importlib\n"
        f"sys.path.insert(0, {str(root)!r})\n"
        "sys.modules['paddle'] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted(name for name in sys.modules if name.startswith('paddle.')))\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd="/")


def test_geometry_metrics_data_and_command_line_import_without_paddle(root):
    process = import_blocked(root, WITHOUT_PADDLE)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "[]"


def test_fetching_and_writing_onnx_need_neither_pydantic_nor_paddle(root):
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); sys.modules['paddle'] = sys.modules['pydantic'] = None\n"
        "import lib.zoo.fetch, lib.deploy.onnx_writer; lib.zoo.index.networks()"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd="/")
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("module", ["lib.core.loss", "lib.models.pose_resnet"])
def test_the_network_does_need_paddle(root, module):
    process = import_blocked(root, [module])  # else the test above would prove nothing
    assert process.returncode == 1 and "paddle" in process.stderr


def test_the_network_knows_no_data_set(root):
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import lib.models.build; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd="/")
    assert process.returncode == 0, process.stderr
    assert "lib.models.pose_resnet" in process.stdout.split()
    assert not [name for name in process.stdout.split() if name.startswith("lib.dataset")]
