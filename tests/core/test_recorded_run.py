"""The whole way on five real pictures, from the annotation to the predictions, against the original's figures."""

import logging

import numpy as np
import pytest

from lib.core import validation
from lib.core.config import read_config
from lib.dataset.build import build_dataset, build_loader

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


@pytest.mark.parametrize(("flip_test", "batch_size"), [(False, 5), (True, 3)])
def test_five_real_persons_are_predicted_as_by_the_original(
    root, shared, recorded, network, monkeypatch, flip_test, batch_size
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
    seen, original = [], validation.predict_heatmaps
    monkeypatch.setattr(validation, "predict_heatmaps", lambda *words: seen.append(original(*words)) or seen[-1])
    from lib.core.inference import PaddleRun

    run, log = PaddleRun(network), logging.getLogger("quiet")
    predictions, maxvals, loss, score = validation.validate(config, RecordedCrops(loader, crops), run, log)

    suffix = "_flip" if flip_test else ""
    expected = recorded[f"heatmap{suffix}"]
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(np.concatenate(seen), expected, atol=tolerance, rtol=0)
    np.testing.assert_allclose(maxvals, recorded[f"maxvals{suffix}"][..., 0], atol=tolerance, rtol=0)
    apart = np.linalg.norm(predictions - recorded[f"preds{suffix}"], axis=-1)
    assert (apart <= 0.05).mean() >= 0.99
    assert loss == pytest.approx(float(recorded[f"loss{suffix}"]), rel=1e-4)
    if not flip_test:  # the record's accuracy is of one batch of five
        assert score == pytest.approx(float(recorded["accuracy"]), abs=1e-4)
