"""What must run without Paddle does: the modules that deployment uses import where there is none."""

import subprocess
import sys

import pytest

WITHOUT_PADDLE = [
    "lib.core.config", "lib.core.records", "lib.core.fields", "lib.core.heatmap", "lib.core.evaluate",
    "lib.core.evaluators", "lib.core.coco_evaluator", "lib.core.nms", "lib.core.predictor", "lib.core.onnx_network",
    "lib.core.validation", "lib.core.rank_watch", "lib.dataset.coco", "lib.dataset.coco_truth", "lib.utils.files",
    "lib.core.skeletons", "lib.core.report", "lib.utils.transforms", "lib.utils.image", "lib.utils.vis",
    "lib.utils.errors", "lib.utils.cli", "lib.utils.runtime", "lib.dataset.joints_dataset", "lib.dataset.mpii",
    "lib.dataset.augment", "lib.dataset.loader", "lib.dataset.build", "lib.core.convert", "lib.core.weight_record",
    "lib.dataset.swaps", "lib.dataset.check", "lib.dataset.check_report", "lib.core.build", "lib.core.detector",
    "lib.core.media", "lib.core.model_metadata", "lib.core.onnx_predictor", "lib.core.onnx_session", "lib.core.people",
    "lib.core.pose_app", "lib.core.pose_results", "lib.core.skeleton_file", "lib.utils.parser", "lib.utils.progress",
    "lib.utils.picture_header", "lib.utils.shared_memory", "lib.dataset.regions", "lib.dataset.cache_plan",
    "lib.dataset.cache_writer", "lib.dataset.crop_cache", "lib.tracking.boxes", "lib.tracking.drawing",
    "lib.tracking.evaluation", "lib.tracking.flow", "lib.tracking.frames", "lib.tracking.options",
    "lib.tracking.posetrack_form", "lib.tracking.similarity", "lib.tracking.smoothing", "lib.tracking.track_app",
    "lib.tracking.tracker", "lib.dataset.posetrack", "lib.dataset.synthetic_clips", "lib.dataset.synthetic_motion",
    "lib.dataset.write_clips",
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
