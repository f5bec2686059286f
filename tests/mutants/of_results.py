"""Mistakes between heatmaps and figures: the flip test, decoding, PCKh, COCO's AP, result files, ONNX."""

from mutant import Mutant

EVALUATE, EVALUATORS = ("tests/core/test_evaluate.py",), ("tests/evaluation/test_evaluators.py",)
COCO, NMS = ("tests/evaluation/test_coco_evaluator.py",), ("tests/core/test_nms.py",)
HEATMAP, INFERENCE = ("tests/core/test_heatmap.py",), ("tests/models/test_paddle_network.py",)
PREDICTOR, REPORT = ("tests/core/test_predictor.py",), ("tests/evaluation/test_report.py",)
EXPORT, ONNX = ("tests/deploy/test_onnx_export.py",), ("tests/deploy/test_onnx_predictor.py",)
WRITTEN = ("tests/test_draw_written.py",)

RESULTS = (
    # -- heatmaps to joints --------------------------------------------------------------------------------------------
    Mutant(
        "flip-shift-off", "lib/core/heatmap.py", "the mirrored heatmaps do not move right by one pixel",
        "shifted[..., 1:] = heatmaps[..., :-1]", "shifted[..., 1:] = heatmaps[..., 1:]", HEATMAP,
    ),
    Mutant(
        "flip-shift-off-in-validation", "lib/models/paddle_network.py", "the same in valid.py, on the device",
        "mirrored = paddle.concat([mirrored[..., :1], mirrored[..., :-1]], axis=3)", "mirrored = mirrored * 1.0",
        INFERENCE,
    ),
    Mutant(
        "flip-not-averaged", "lib/core/predictor.py", "the flip test adds heatmaps without halving",
        "(shift_right(mirrored) if shift_heatmap else mirrored)) * 0.5",
        "(shift_right(mirrored) if shift_heatmap else mirrored))", PREDICTOR,
    ),
    Mutant(
        "quarter-sign", "lib/core/heatmap.py", "keypoints move a quarter of a pixel away from the higher neighbour",
        "np.sign(difference) * 0.25", "np.sign(difference) * -0.25", HEATMAP,
    ),
    Mutant(
        "quarter-at-the-border", "lib/core/heatmap.py", "peaks within a pixel of the border move, too",
        "inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)",
        "inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)", HEATMAP,
    ),
    Mutant(
        "dark-sign", "lib/core/heatmap.py", "TEST.DECODE dark steps away from the peak",
        "return (offset * is_peak[..., None])", "return (-offset * is_peak[..., None])", HEATMAP,
    ),
    Mutant(
        "nothing-is-somewhere", "lib/core/heatmap.py", "a heatmap without positive values gives a keypoint",
        "index.reshape(persons, joints) * (maxvals[..., 0] > 0)", "index.reshape(persons, joints)", HEATMAP,
    ),
    Mutant(
        "heatmap-sides-exchanged", "lib/core/heatmap.py", "keypoints are mapped to the image by (height, width)",
        "center, scale, heatmaps.shape[:1:-1], unbiased)", "center, scale, heatmaps.shape[2:], unbiased)", HEATMAP,
    ),
    Mutant(
        "back-half-a-pixel-off", "lib/core/transforms.py", "the mapping to the image is not the inverse of the crop",
        "middle, per_pixel = size / 2,", "middle, per_pixel = (size - 1) / 2,", ("tests/core/test_transforms.py",),
    ),
    Mutant(
        "rows-of-other-persons", "lib/evaluation/validation.py", "predictions are stored in the order of loading",
        "predictions[rows] = transform_preds(", "predictions[np.sort(rows)] = transform_preds(",
        ("tests/training/test_trainer.py::TestValidation",),
    ),
    # -- PCKh ----------------------------------------------------------------------------------------------------------
    Mutant(
        "pckh-from-0", "lib/evaluation/evaluators.py", "0-based predictions are compared with 1-based ground truth",
        "at_half, _ = pckh_curve(predictions,", "at_half, _ = pckh_curve(predictions - 1.0,",
        EVALUATORS,
    ),
    Mutant(
        "head-size-factor", "lib/core/evaluate.py", "head sizes are the whole diagonal, so PCKh is higher",
        "return 0.6 * np.linalg.norm(", "return 1.0 * np.linalg.norm(", EVALUATE,
    ),
    Mutant(
        "pckh-below-threshold", "lib/core/evaluate.py", "a keypoint exactly at the threshold is a miss",
        "distance <= threshold", "distance < threshold", EVALUATE,
    ),
    Mutant(
        "pckh-of-missing-joints", "lib/core/evaluate.py", "keypoints without annotation count as correct",
        "np.where(visible & np.isfinite(distance),", "np.where(np.isfinite(distance),", EVALUATE,
    ),
    Mutant(
        "pelvis-and-thorax-count", "lib/evaluation/evaluators.py", "Mean includes pelvis and thorax",
        "counts[self.skeleton.indices_of(self.skeleton.pckh_left_out)] = 0",
        "counts[self.skeleton.indices_of(())] = 0", EVALUATORS,
    ),
    Mutant(
        "mean-of-another-tenth", "lib/evaluation/evaluators.py",
        "Mean@0.1 uses another threshold than the published tables",
        "PUBLISHED_TENTH = 11", "PUBLISHED_TENTH = 10", EVALUATE,
    ),
    Mutant(
        "accuracy-of-the-border", "lib/core/evaluate.py", "the log's accuracy counts more keypoints than the original",
        "counted = (expected[..., 0] > 1) &", "counted = (expected[..., 0] > 0) &", EVALUATE,
    ),
    Mutant(
        "pred-mat-from-0", "lib/evaluation/report.py", "pred.mat is written 0-based",
        "np.asarray(predictions) + 1.0", "np.asarray(predictions)", REPORT,
    ),
    Mutant(
        "pred-mat-read-from-1", "lib/evaluation/report.py", "saved predictions are scored a pixel off",
        "return predictions[..., :2] - 1.0", "return predictions[..., :2]", REPORT,
    ),
    # -- COCO's AP -----------------------------------------------------------------------------------------------------
    Mutant(
        "oks-variance", "lib/core/nms.py", "OKS uses k = sigma instead of 2 sigma",
        "(2 * sigmas) ** 2", "sigmas**2", NMS,
    ),
    Mutant(
        "nobody-suppressed", "lib/core/nms.py", "a person who is found twice is not suppressed",
        "order[overlap <= threshold]", "order[overlap <= 1.0]", NMS,
    ),
    Mutant(
        "box-scores-dropped", "lib/evaluation/coco_evaluator.py", "a pose's score leaves out the score of its box",
        "totals = totals * persons.box_scores", "totals = totals * 1.0", COCO,
    ),
    Mutant(
        "joint-scores-dropped", "lib/evaluation/coco_evaluator.py", "a pose's score is only the score of its box",
        "totals = totals * persons.box_scores", "totals = persons.box_scores", COCO,
    ),
    Mutant(
        "faint-joints-count", "lib/evaluation/coco_evaluator.py",
        "keypoints below TEST.IN_VIS_THRE count in a pose's score",
        "keypoints[..., 2] > self.suppression.joint_threshold", "keypoints[..., 2] > 0", COCO,
    ),
    Mutant(
        "sigmas-of-coco", "lib/evaluation/coco_evaluator.py", "another skeleton is scored with COCO's sigmas",
        "            evaluation.params.kpt_oks_sigmas = np.array(self.skeleton.sigmas)\n", "", COCO,
    ),
    # -- not finite ----------------------------------------------------------------------------------------------------
    Mutant(
        "heatmaps-may-be-nan", "lib/core/predictor.py", "NaN heatmaps give a keypoint in the corner",
        "if not np.isfinite(heatmaps).all():", "if np.isinf(heatmaps).any():", PREDICTOR,
    ),
    # -- ONNX ----------------------------------------------------------------------------------------------------------
    Mutant(
        "onnx-colour-order", "lib/deploy/onnx_export.py", "the metadata of an exported RGB network says BGR",
        "            color_rgb=data.color_rgb,\n", "", EXPORT,
    ),
    Mutant(
        "onnx-pixel-scale", "lib/deploy/onnx_export.py", "an exported file's metadata has the wrong pixel scale",
        "            pixel_scale=data.pixel_scale,\n", "", EXPORT,
    ),
    Mutant(
        "onnx-mean-ignored", "lib/deploy/onnx_predictor.py", "the metadata's mean and deviation are not used",
        "crops_to_input(crops, metadata.pixel_scale, metadata.mean, metadata.deviation)",
        "crops_to_input(crops, metadata.pixel_scale)", ONNX,
    ),
    Mutant(
        "onnx-padding-ignored", "lib/deploy/onnx_predictor.py", "the metadata's padding is not used",
        "            padding=metadata.padding,\n", "", ONNX,
    ),
    Mutant(
        "merged-flip-shift", "lib/deploy/onnx_graph.py", "the flip test in the graph shifts heatmaps to the left",
        '["first_column", "but_the_last"], ["shifted"]', '["but_the_last", "first_column"], ["shifted"]', EXPORT,
    ),
    Mutant(
        "merged-flip-pairs", "lib/deploy/onnx_graph.py", "the flip test in the graph does not swap keypoints",
        "np.int64(order)", "np.arange(len(order))", EXPORT,
    ),
    Mutant(
        "smoothing-cutoff-halved", "lib/tracking/smoothing.py", "the one-euro filter smooths with half its cutoff",
        "rate / (2 * np.pi * cutoff)", "rate / (np.pi * cutoff)", ("tests/tracking/test_smoothing.py",),
    ),
    # -- written files -------------------------------------------------------------------------------------------------
    Mutant(
        "newer-version-read", "lib/utils/files.py", "a file of a newer version is read as if it were ours",
        "if version > known:", "if version > known + 1:", WRITTEN,
    ),
    Mutant(
        "tracked-persons-unsmoothed", "lib/tracking/track_results.py", "a tracked line has other joints twice",
        "replace(tracked, keypoints=joints)", "replace(tracked, keypoints=joints[::-1] + 1)", WRITTEN,
    ),
    Mutant(
        "hidden-joints-drawn", "lib/inference/results/posetrack_poses.py", "joints that are not shown stand at 0, 0",
        "if seen else [None, None, 0]", "if seen else [x, y, score]", WRITTEN,
    ),
    Mutant(
        "posetrack-places", "lib/inference/results/posetrack_poses.py", "PoseTrack18's places are taken in order",
        "[joints[place] for place in POSETRACK18.indices]", "joints[:15]", WRITTEN,
    ),
)
