"""Mistakes in reports: kinds of errors, intervals and tests of differences."""

from mutant import Mutant

INTERVALS, KINDS = ("tests/analysis/test_intervals.py",), ("tests/analysis/test_error_kinds.py",)
COCO = ("tests/analysis/test_coco_errors.py",)

ANALYSIS = (
    Mutant(
        "twin-of-nobody", "lib/analysis/error_kinds.py", "a twin that is not annotated makes an inversion",
        "np.stack([shown, shown[:, mirror]], axis=1)", "np.stack([shown, shown], axis=1)", KINDS,
    ),
    Mutant(
        "oks-of-one-sigma", "lib/analysis/error_kinds.py", "keypoint similarity uses sigma instead of 2 sigma",
        "divisors = np.sqrt(2 * (areas[:, None] + np.spacing(1))) * 2 * np.asarray(sigmas)",
        "divisors = np.sqrt(2 * (areas[:, None] + np.spacing(1))) * np.asarray(sigmas)", KINDS,
    ),
    Mutant(
        "jitter-not-put-right", "lib/analysis/error_kinds.py", "a corrected jitter is still beyond the limit",
        "cost = np.full_like(costs, nearness.good * (1 - 1e-9))", "cost = np.full_like(costs, nearness.good * 1.01)",
        KINDS,
    ),
    Mutant(
        "other-draws-for-each-run", "lib/analysis/intervals.py", "runs are compared on different draws",
        "generator = np.random.default_rng(seed)", "generator = np.random.default_rng()", INTERVALS,
    ),
    Mutant(
        "one-sided", "lib/analysis/intervals.py", "p is half of what it is",
        "2 * max(tail, 1)", "max(tail, 1)", INTERVALS,
    ),
    Mutant(
        "not-corrected-for-number", "lib/analysis/intervals.py", "p (Holm) is p",
        "np.arange(len(values), 0, -1) * values[order]", "values[order]", INTERVALS,
    ),
    Mutant(
        "ignored-poses-count", "lib/analysis/coco_errors.py", "poses that COCO ignores are false in resampled AP",
        "right & ~ignored, ~ignored, people", "right & ~ignored, ~ignored | ignored, people", COCO,
    ),
    Mutant(
        "worst-scores", "lib/analysis/coco_errors.py", "the best scores rank worse than the file's",
        "return changed if better else results", "return results if better else changed", COCO,
    ),
)  # fmt: skip
