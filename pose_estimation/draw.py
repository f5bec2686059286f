"""Draws poses that were saved, by infer.py, deploy.py, track.py, valid.py or other projects: no network."""

import argparse
import sys
from functools import partial
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.skeleton_file import read_skeleton
from lib.inference.results.draw_saved import draw_file, pose_file_of
from lib.inference.results.saved_poses import SavedPoses
from lib.utils.errors import ItemError, UserError
from lib.utils.media import find_media, is_video, refuse_replacing, result_names
from lib.utils.parser import OneLineParser, number
from lib.utils.runtime import make_folder, make_logger, run_script
from lib.visualization.style import add_style_options, style_of


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = "the image, video, folder or quoted pattern that the poses belong to"
    parser.add_argument("--img-file", "--img", "--video", metavar="PATH", required=True, help=about)
    about = (
        "a JSON list in COCO's result form (image_id: a picture's number or name), the .jsonl of a video, the .json of "
        "track.py, or the folder that the results were written to"
    )
    parser.add_argument("--pose-file", metavar="PATH", required=True, help=about)
    about = "minimum keypoint score to draw (default %(default)s)"
    parser.add_argument("--kpt-thr", type=number, default=0.2, metavar="SCORE", help=about)
    about = "minimum person score to draw (default %(default)s)"
    parser.add_argument("--person-thr", type=number, default=0.0, metavar="SCORE", help=about)
    add_style_options(parser)
    about = "the skeleton, if the file does not name its joints: coco, mpii, or a JSON file"
    parser.add_argument("--dataset", metavar="NAME", help=about)
    about = "where <name>_pose.jpg and .mp4 go (default %(default)s)"
    parser.add_argument("--output", metavar="DIR", default="output/draw", help=about)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    problems: list[str] = []
    found, log = find_media(arguments.img_file), make_logger()
    paths = [source for source in found.sources if isinstance(source, Path)]
    if not paths:
        raise UserError(f"{arguments.img_file} is a stream: poses are drawn over pictures and videos")
    skeleton = read_skeleton(arguments.dataset) if arguments.dataset else None
    read = partial(SavedPoses, threshold=arguments.person_thr, skeleton=skeleton)
    poses, names = Path(arguments.pose_file), result_names(paths)
    of_all = None if poses.is_dir() else read(poses)
    refuse_replacing(paths, names, Path(arguments.output), poses)
    if of_all:
        of_all.prepare([path for path in paths if not is_video(path)])
    folder = make_folder(arguments.output)
    for line in (*found.lines, *([of_all.line] if of_all else [])):
        log.info(line)
    for path in paths:
        try:
            saved = of_all or read(pose_file_of(path, names[path], poses))
            target = folder / f"{names[path]}_pose"
            log.info(f"=> saving {draw_file(path, target, saved, arguments.kpt_thr, style_of(arguments))}")
            problems += filter(None, [] if of_all else [saved.warning()])
        except (UserError, ItemError) as error:
            if len(paths) == 1:
                raise
            problems.append(str(error))
    problems += filter(None, [of_all.warning() if of_all else ""])
    for problem in problems:
        log.info(f"problem: {problem}")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
