"""Draws poses that were saved, by infer.py, deploy.py or valid.py or by others in COCO's result form: no network."""

import sys
from contextlib import closing
from pathlib import Path

import _init_paths  # noqa: F401
import numpy as np

from lib.config.skeleton_file import read_skeleton
from lib.inference.saved_poses import SavedPoses
from lib.utils.errors import ItemError, UserError
from lib.utils.image import read_image
from lib.utils.media import (
    Frame,
    VideoFile,
    find_media,
    is_video,
    refuse_replacing,
    result_names,
    video_writer,
    write_picture,
)
from lib.utils.parser import OneLineParser, number
from lib.utils.progress import progress_bar
from lib.utils.runtime import make_folder, make_logger, run_script
from lib.visualization.poses import draw_people, draw_pose


def parse_arguments():
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = "the picture, video, folder or pattern in quotes that the poses are of"
    parser.add_argument("--img-file", metavar="PATH", required=True, help=about)
    about = "a JSON list in COCO's result form (image_id: a picture's number or name), or the .jsonl of a video"
    parser.add_argument("--pose-file", metavar="JSON", required=True, help=about)
    about = "draw joints from this score on (default %(default)s)"
    parser.add_argument("--kpt-thr", type=number, default=0.2, metavar="SCORE", help=about)
    about = "draw people from this score on (default %(default)s)"
    parser.add_argument("--person-thr", type=number, default=0.0, metavar="SCORE", help=about)
    about = "the joints, where the file does not name them or they have no limbs: coco, mpii, or a skeleton's JSON file"
    parser.add_argument("--dataset", metavar="NAME", help=about)
    about = "where <name>_pose.jpg and .mp4 go (default %(default)s)"
    parser.add_argument("--output", metavar="DIR", default="output/draw", help=about)
    return parser.parse_args()


def draw_saved(frame, saved, threshold):
    """A copy of the frame's picture with its saved people; joints with a score of at least `threshold` are drawn."""
    image = frame.image.copy()
    for box, joints in saved.of(frame):
        shown = np.isfinite(joints).all(axis=1) & (joints[:, 2] >= threshold)
        points = np.where(shown[:, None], joints[:, :2], 0)
        if box is None:
            draw_pose(image, points, shown, saved.skeleton)
        else:
            draw_people(image, box[None], points[None], shown[None], saved.skeleton)
    return image


def draw_file(path, target, saved, threshold):
    """Draws one picture to `target`.jpg, or one video to `target`.mp4, and returns that path."""
    if not is_video(path):
        result = target.with_name(f"{target.name}.jpg")
        write_picture(draw_saved(Frame(read_image(path, use_orientation=True), path), saved, threshold), result)
        return result
    result = target.with_name(f"{target.name}.mp4")
    with closing(VideoFile(path)) as video, progress_bar(video.count or None, path.name) as bar:
        with video_writer(result, video.rate, video.size) as writer:
            while (image := video.read()) is not None:
                writer.write(draw_saved(Frame(image, path, video.place - 1), saved, threshold))
                bar.update()
        if video.missing():
            raise ItemError(f"{path}: {video.missing()} of its {video.count} frames could not be read")
    return result


def main():
    arguments = parse_arguments()
    paths, log, problems = find_media(arguments.img_file), make_logger(), []
    skeleton = read_skeleton(arguments.dataset) if arguments.dataset else None
    saved = SavedPoses(arguments.pose_file, arguments.person_thr, skeleton)
    names = result_names(paths)
    refuse_replacing(paths, names, Path(arguments.output), saved.path)
    folder = make_folder(arguments.output)
    log.info(saved.line)
    for path in paths:
        try:
            log.info(f"=> saving {draw_file(path, folder / f'{names[path]}_pose', saved, arguments.kpt_thr)}")
        except (UserError, ItemError) as error:
            if len(paths) == 1:
                raise
            problems.append(str(error))
    problems += filter(None, [saved.complaint()])
    for problem in problems:
        log.info(f"problem: {problem}")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
