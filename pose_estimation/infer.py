"""Finds the joints of people in a picture: writes the picture with the poses drawn, and the joints as JSON."""

import argparse
from pathlib import Path

import _init_paths  # noqa: F401
import cv2
import numpy as np

from lib.utils.cli import config_from, make_parser
from lib.utils.errors import RunError, UserError
from lib.utils.runtime import make_folder, make_logger, replacing, run_script

MAXIMUM_PIXELS = 1e6


def parse_arguments():
    parser = make_parser(__doc__)
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("--img-file", metavar="PICTURE", required=True, help="the picture, with any number of people")
    parser.add_argument("--model-file", metavar="FILE", help="weights (.pdparams), a checkpoint (.pdckpt), or .onnx")
    parser.add_argument(
        "--bbox", nargs=4, type=float, action="append", metavar=("X", "Y", "W", "H"),
        help="a person's box in pixels, once for each person (default: the whole picture is one person's box)",
    )  # fmt: skip
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    parser.add_argument("--kpt-thr", type=float, default=0.2, metavar="SCORE", help="draw joints from this score on")
    parser.add_argument("--output", metavar="DIR", default="output/infer", help="where the results go")
    arguments = parser.parse_intermixed_args()
    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"))
    return arguments, config_from(arguments, "TEST.BATCH_SIZE", flags)


def boxes_of(arguments, image):
    """(boxes (N, 4) x, y, width, height, a line that says where they come from).

    Raises UserError for a box without area or wholly outside the picture.
    """
    height, width = image.shape[:2]
    if not arguments.bbox:
        return np.array([[0, 0, width, height]], dtype=float), "=> the whole picture is taken as one person's box"
    boxes = np.array(arguments.bbox)
    for box in boxes:
        x, y, box_width, box_height = box
        if not (np.abs(box) < MAXIMUM_PIXELS).all() or box_width <= 0 or box_height <= 0:
            raise UserError(f"--bbox {box.tolist()}: expected X Y WIDTH HEIGHT in pixels, width and height above 0")
        if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
            raise UserError(f"--bbox {box.tolist()} lies outside the picture of {width}x{height} pixels")
    return boxes, f"=> {len(boxes)} boxes from --bbox"


def person_entries(boxes, keypoints, scores, skeleton, threshold):
    """One entry a person, in COCO's result form; its score is the mean of the joints' scores above `threshold`."""
    entries = []
    for box, joints, values in zip(boxes, keypoints, scores, strict=True):
        sure = values[values > threshold]
        entries.append({
            "category_id": 1,
            "keypoints": np.column_stack([joints, values]).ravel().tolist(),
            "score": float(sure.mean()) if len(sure) else 0.0,
            "bbox": box.tolist(),
            "joint_names": list(skeleton.joints),
        })  # fmt: skip
    return entries


def write_picture(image, path):
    """Writes a picture whole or not at all."""
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise RunError(f"{path} cannot be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


def main():
    arguments, config = parse_arguments()
    from lib.core.build import build_predictor, open_network
    from lib.core.report import write_json
    from lib.utils.image import read_image
    from lib.utils.vis import BOX_COLOR, draw_pose

    image = read_image(arguments.img_file, use_orientation=True)
    boxes, line = boxes_of(arguments, image)
    run, lines = open_network(config, gpu_asked=arguments.gpus is not None)
    folder = make_folder(arguments.output)
    log = make_logger()
    for text in (*lines, line):
        log.info(text)
    keypoints, scores = build_predictor(config, run).predict(image, boxes)
    for box, joints, values in zip(boxes, keypoints, scores, strict=True):
        x, y, width, height = (round(value) for value in box)
        cv2.rectangle(image, (x, y), (x + width, y + height), BOX_COLOR, 1)
        draw_pose(image, joints, values >= arguments.kpt_thr, config.skeleton)
    stem = Path(arguments.img_file).stem
    drawn, joints_file = folder / f"{stem}_pose.jpg", folder / f"{stem}_pose.json"
    write_picture(image, drawn)
    write_json(person_entries(boxes, keypoints, scores, config.skeleton, config.test.in_vis_thre), joints_file)
    log.info(f"=> saving {drawn} and {joints_file}")


if __name__ == "__main__":
    run_script(main)
