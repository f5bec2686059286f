"""Mistakes between an annotation and a training sample: what is read, the crop, the target, the order."""

from mutant import Mutant

AUGMENT, COCO = ("tests/dataset/test_augment.py",), ("tests/dataset/test_coco.py",)
HEATMAP, IMAGE = ("tests/core/test_heatmap.py",), ("tests/utils/test_image.py",)
LOADER, SIDES = ("tests/dataset/test_loader.py",), ("tests/dataset/test_set_sides.py",)
MPII = ("tests/dataset/test_mpii.py",)
REGIONS = ("tests/dataset/test_regions.py::test_a_dot_lies_where_the_joint_goes_whatever_the_reduction",)
JOINTS, TRANSFORMS = ("tests/dataset/test_joints_dataset.py",), ("tests/core/test_transforms.py",)

SAMPLES = (
    # -- what is read --------------------------------------------------------------------------------------------------
    Mutant(
        "mpii-joints-from-1", "lib/dataset/annotations/mpii.py", "MPII's joints stay 1-based",
        "return joints - 1, visible", "return joints, visible", MPII,
    ),
    Mutant(
        "mpii-center-from-1", "lib/dataset/annotations/mpii.py", "MPII's centres stay 1-based",
        "Persons(pictures, center - 1,", "Persons(pictures, center,", MPII,
    ),
    Mutant(
        "mpii-box-not-grown", "lib/dataset/annotations/mpii.py", "MPII's boxes do not grow by 1.25",
        "scale[boxed] *= 1.25", "scale[boxed] *= 1.0", MPII,
    ),
    Mutant(
        "crowds-are-persons", "lib/dataset/annotations/coco.py", "a COCO crowd is used as one person in training",
        'if record["iscrowd"]:', 'if record["iscrowd"] > 1:', COCO,
    ),
    Mutant(
        "exif-turns-pictures", "lib/utils/image.py", "an image is rotated, its annotation is not",
        "if use_orientation or isinstance(path, UprightPath):", "if True:", IMAGE,
    ),
    Mutant(
        "thumbnail-ends-picture", "lib/utils/pictures/picture_header.py",
        "a JPEG cut off behind its thumbnail counts as whole",
        'offset += int.from_bytes(data[offset : offset + 2], "big")', "offset += 0",
        ("tests/utils/test_picture_header.py",),
    ),
    Mutant(
        "letters-of-words-are-sides", "lib/core/sides.py", "lip and rip are mirrored into each other",
        r'r"|(?<![^\W\d_])[lr](?![a-z])"', r'r"|(?<![^\W\d_])[lr]"', ("tests/core/test_sides.py",),
    ),
    Mutant(
        "side-views-are-refused", "lib/dataset/checks/set_sides.py", "walkers seen from the side are refused",
        "clear = known & (np.linalg.norm(across, axis=1) > CLEAR * extent)", "clear = known", SIDES,
    ),
    Mutant(
        "exchanged-sides-pass", "lib/dataset/checks/set_sides.py", "a set with all sides exchanged is trained on",
        "return float(max((turn[clear] > 0).mean(),", "return float(max((turn[clear] != 0).mean(),", SIDES,
    ),
    # -- sets of one's own ---------------------------------------------------------------------------------------------
    Mutant(
        "repeated-ids-unseen", "lib/dataset/annotations/coco_truth.py",
        "a repeated image id moves annotations elsewhere",
        "repeated[number] += number in images", "repeated[number] += False", COCO,
    ),
    Mutant(
        "joint-order-unseen", "lib/dataset/annotations/coco_categories.py",
        "joints in another order than the file's are taken",
        "name in theirs and theirs[index] != name", "name in theirs and False", COCO,
    ),
    Mutant(
        "phones-pictures-unturned", "lib/dataset/picture_sizes.py", "pictures annotated upright are read as stored",
        "found.turned.add(key)", "found.turned.discard(key)", ("tests/dataset/test_own_sets.py",),
    ),
    Mutant(
        "category-numbers-shared", "lib/evaluation/coco_evaluator.py", "AP of several categories is that of one",
        '"category_id": categories[entry["category_id"]],', '"category_id": 1,',
        ("tests/evaluation/test_coco_evaluator.py",),
    ),
    # -- the crop ------------------------------------------------------------------------------------------------------
    Mutant(
        "box-padding-dropped", "lib/core/transforms.py", "boxes do not grow by 1.25",
        "* np.float32(padding)", "* np.float32(1.0)", TRANSFORMS,
    ),
    Mutant(
        "aspect-not-fitted", "lib/core/transforms.py", "tall boxes are not widened to the network's aspect ratio",
        "np.where(high, height * aspect, width)", "np.where(high, width, width)", TRANSFORMS,
    ),
    Mutant(
        "rotation-sign", "lib/core/transforms.py", "crops rotate in the wrong direction",
        "np.array([source_width * 0.5 * sine,", "np.array([-source_width * 0.5 * sine,", TRANSFORMS,
    ),
    Mutant(
        "crop-sides-exchanged", "lib/utils/image.py", "width and height of the crops are swapped",
        "tuple(int(side) for side in output_size)", "tuple(int(side) for side in output_size[::-1])", IMAGE,
    ),
    Mutant(
        "colours-exchanged", "lib/utils/image.py", "DATASET.COLOR_RGB true gives BGR, and false RGB",
        "if color_rgb else crop", "if not color_rgb else crop", IMAGE,
    ),
    Mutant(
        "mean-of-other-channel", "lib/utils/image.py", "blue is normalised as red",
        "MEAN = (0.485, 0.456, 0.406)", "MEAN = (0.406, 0.456, 0.485)", IMAGE,
    ),
    Mutant(
        "pixel-scale-dropped", "lib/utils/image.py", "pixels are not divided by 255",
        "(1 / (pixel_scale * deviations))", "(1 / deviations)", IMAGE,
    ),
    Mutant(
        "mean-not-divided", "lib/utils/image.py", "the mean is not divided by the deviation",
        "(-means / deviations)", "(-mean)", IMAGE,
    ),
    Mutant(
        "mirror-of-center", "lib/dataset/joints_dataset.py", "mirrored crops are one pixel to the right",
        "center[0] = width - center[0] - 1", "center[0] = width - center[0]", JOINTS,
    ),
    Mutant(
        "mirror-of-joints", "lib/core/transforms.py", "mirrored keypoints are one pixel to the right",
        "picture_width - joints[:, 0] - 1", "picture_width - joints[:, 0]", TRANSFORMS,
    ),
    Mutant(
        "pairs-not-exchanged", "lib/core/transforms.py", "mirroring swaps no keypoints, in training and flip test",
        "order[first], order[second] = second, first", "order[first], order[second] = first, second", TRANSFORMS,
    ),
    Mutant(
        "half-decoded-half-off", "lib/dataset/regions.py", "DATASET.DECODE_REDUCED shifts crops by half a pixel",
        "start = start + (x_axis + y_axis) * ((reduction - 1) / 2)", "start = start * 1.0", REGIONS,
    ),
    # -- the target ----------------------------------------------------------------------------------------------------
    Mutant(
        "sigma-squared-once", "lib/core/heatmap.py", "the gaussian is narrower than sigma says",
        "np.exp(-(distance**2) / (2 * sigma**2))", "np.exp(-(distance**2) / sigma**2)", HEATMAP,
    ),
    Mutant(
        "gaussian-cut-early", "lib/core/heatmap.py", "the gaussian ends at 2 sigma",
        "reach = sigma * 3", "reach = sigma * 2", HEATMAP,
    ),
    Mutant(
        "peak-rounded-down", "lib/core/heatmap.py", "keypoints are truncated, not rounded, to heatmap pixels",
        "peak = np.trunc(position + 0.5)", "peak = np.trunc(position)", HEATMAP,
    ),
    Mutant(
        "visibility-ignored", "lib/core/heatmap.py", "keypoints without annotation get a target and are trained on",
        "np.where(outside.any(axis=-1), 0, np.asarray(visible))", "np.where(outside.any(axis=-1), 0, 1)", HEATMAP,
    ),
    Mutant(
        "outside-counts", "lib/core/heatmap.py", "keypoints far outside the crop are trained on",
        "np.where(outside.any(axis=-1), 0, np.asarray(visible))", "np.asarray(visible)", HEATMAP,
    ),
    Mutant(
        "udp-lengths-in-pixels", "lib/core/heatmap.py", "TEST.UDP measures heatmaps in pixels, not between centres",
        "/ (size - unbiased))", "/ size)", HEATMAP,
    ),
    Mutant(
        "udp-crop-in-pixels", "lib/core/transforms.py", "TEST.UDP measures crops in pixels, not between centres",
        "np.asarray(output_size, dtype=np.float64) - 1\n", "np.asarray(output_size, dtype=np.float64)\n",
        (*TRANSFORMS, *HEATMAP),
    ),
    # -- the order -----------------------------------------------------------------------------------------------------
    Mutant(
        "order-of-every-epoch", "lib/dataset/loader.py", "each epoch has the same order",
        "default_rng([self.seed, self.epoch])", "default_rng([self.seed, 0])", LOADER,
    ),
    Mutant(
        "luck-of-every-epoch", "lib/dataset/augment.py", "each epoch has the same crops",
        "default_rng([seed, epoch, index])", "default_rng([seed, 0, index])", (*AUGMENT, *LOADER),
    ),
    Mutant(
        "ranks-train-on-the-same", "lib/dataset/loader.py", "ranks train on parts that overlap",
        "joined[ends[self.rank] : ends[self.rank + 1]]", "joined[ends[self.rank] : ends[self.rank + 1] + 1]", LOADER,
    ),
    Mutant(
        "ranks-validate-the-same", "lib/dataset/loader.py", "every rank validates all persons, who count twice",
        "islice(super().__iter__(), self.rank, None, self.count)", "islice(super().__iter__(), 0, None, 1)", LOADER,
    ),
)
