"""The whole way on real pictures, from the annotation to predictions and results, against the original's figures."""

import json
import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lib.config.config import read_config
from lib.dataset.build import build_dataset, build_loader
from lib.evaluation.build import build_evaluator, validation_settings
from lib.evaluation.validation import validate
from lib.models.paddle_network import PaddleRun

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded(shared):
    with np.load(shared / "reference" / "mpii5_r50_256.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def network(recorded, seeded_network):
    return seeded_network(50, 16, 0)


class RecordedCrops:
    """A loader whose crops are held against the record's, and the record's handed on.

    OpenCV's versions interpolate a little differently, and a network of random weights makes a lot of little.
    """

    def __init__(self, loader, crops):
        self.loader, self.dataset, self.crops = loader, loader.dataset, crops

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        for batch in self.loader:
            expected = self.crops[batch["index"]]
            assert np.abs(batch["crop"].astype(float) - expected).mean() < 0.5  # grey levels
            yield {**batch, "crop": expected}


class KeepingRun(PaddleRun):
    """A PaddleRun that keeps the heatmaps, each batch's as an array."""

    def __init__(self, network):
        super().__init__(network)
        self.heatmaps = []

    def measure(self, *words):
        measured = super().measure(*words)
        self.heatmaps.append(measured.heatmaps.numpy())
        return measured


@pytest.mark.parametrize(("flip_test", "batch_size"), [(False, 5), (True, 3)])
def test_five_real_persons_are_predicted_as_by_the_original(
    root, shared, recorded, network, flip_test, batch_size
):
    config = read_config(
        root / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml",
        {
            "DATASET.ROOT": str(shared / "data" / "mpii5"),
            "TEST.FLIP_TEST": flip_test,
            "TEST.BATCH_SIZE": batch_size,
            "WORKERS": 0,
        },
    )
    loader = build_loader(config, build_dataset(config, training=False), training=False)
    crops = np.ascontiguousarray(recorded["input_bgr_uint8"].transpose(0, 2, 3, 1))
    run, log = KeepingRun(network), logging.getLogger("quiet")
    predictions, maxvals, loss, score = validate(validation_settings(config), RecordedCrops(loader, crops), run, log)

    suffix = "_flip" if flip_test else ""
    expected = recorded[f"heatmap{suffix}"]
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(np.concatenate(run.heatmaps), expected, atol=tolerance, rtol=0)
    np.testing.assert_allclose(maxvals, recorded[f"maxvals{suffix}"][..., 0], atol=tolerance, rtol=0)
    apart = np.linalg.norm(predictions - recorded[f"preds{suffix}"], axis=-1)
    assert (apart <= 0.05).mean() >= 0.99
    assert loss == pytest.approx(float(recorded[f"loss{suffix}"]), rel=1e-4)
    if not flip_test:  # the record's accuracy is of one batch of five
        assert score == pytest.approx(float(recorded["accuracy"]), abs=1e-4)


# -- COCO: 118 detected boxes in four pictures -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def coco_record(shared):
    with np.load(shared / "reference" / "coco4_r50_256x192.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def coco_run(root, shared, seeded_network):
    """All that a validation of seeded weights makes of the boxes."""
    if int(cv2.__version__.partition(".")[0]) < 5:
        pytest.skip("the record has no crops, and OpenCV 4 interpolates another way than the record's")
    folder = shared / "data" / "coco4"
    config = read_config(
        root / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml",
        {
            "DATASET.ROOT": str(folder),
            "TEST.USE_GT_BBOX": False,
            "TEST.COCO_BBOX_FILE": str(folder / "person_detections_val2017.json"),
            "TEST.FLIP_TEST": True,
            "TEST.BATCH_SIZE": 16,
            "WORKERS": 0,
        },
    )
    loader = build_loader(config, build_dataset(config, training=False), training=False)
    evaluator = build_evaluator(config, loader.dataset.persons)
    run = KeepingRun(seeded_network(50, 17, 3))
    predictions, maxvals, _, _ = validate(validation_settings(config), loader, run, logging.getLogger("quiet"))
    results = evaluator.results(predictions, maxvals)
    return SimpleNamespace(heatmaps=run.heatmaps[0], predictions=predictions, maxvals=maxvals, results=results,
                           figures=evaluator.evaluate_results(results))  # fmt: skip


def test_detected_boxes_are_predicted_as_by_the_original(coco_record, coco_run):
    expected = coco_record["heatmap_flip"]
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(coco_run.heatmaps, expected, atol=tolerance, rtol=0)
    np.testing.assert_allclose(coco_run.maxvals, coco_record["preds"][..., 2], atol=tolerance, rtol=0)
    apart = np.linalg.norm(coco_run.predictions - coco_record["preds"][..., :2], axis=-1)
    assert apart.shape == (118, 17) and (apart <= 0.05).mean() >= 0.99


def test_the_results_of_detected_boxes_are_the_originals(coco_record, coco_run):
    expected = json.loads(str(coco_record["results"]))
    assert [entry["image_id"] for entry in coco_run.results] == [entry["image_id"] for entry in expected]
    assert {entry["category_id"] for entry in coco_run.results} == {1}
    for key, tolerance in (("score", 1e-4), ("center", 0), ("scale", 0), ("keypoints", 0.01)):
        ours, theirs = ([entry[key] for entry in results] for results in (coco_run.results, expected))
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0, err_msg=key)
    assert coco_run.figures == pytest.approx(json.loads(str(coco_record["metrics"])), abs=1e-6)
