"""What Pose costs beside ONNX Runtime alone, and whether its answers and memory stay as they are.

    python tests/bench/api.py --model X.onnx [--calls 10000] [--frames 3000]

Import: of the package alone, in a fresh process each; medians. Calls: one person in one picture, by Pose, and the
network alone on that person's crop as ONNX Runtime takes it; both take turns, medians. Threads and frames: a toy
network of one convolution, four threads that call one Pose, and a video of so many frames taken from its iterator;
the resident memory of the process after a tenth of them and at the end. Exits with 1 where an answer differs or
memory grew by 5 MB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import onnx_toy
from clips import write_video
from measuring import interleaved_ms, machine_line, table

from lib import Pose
from lib.core.transforms import crop_of_box, get_affine_transform
from lib.utils.errors import RunError
from lib.utils.image import crop_person, crops_to_input
from lib.utils.runtime import run_script

THREADS, ROUNDS, GROWTH = 4, 60, 5e6
SPOTS, BOX = [(60, 70), (90, 50), (40, 110)], (20, 30, 90, 100)
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident():
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def import_figures(rounds=9):
    """(milliseconds, number of modules) of the import, in fresh processes: the median, and the one number."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r}); before = len(sys.modules); start = time.perf_counter()\n"
        "import lib; print(1000 * (time.perf_counter() - start), len(sys.modules) - before)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
            for _ in range(rounds)]  # fmt: skip
    return float(np.median([float(time) for time, _ in runs])), int(runs[0][1])


def call_figures(pose):
    """(ms of a call of Pose, ms of ONNX Runtime alone) for one person."""
    picture = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    box, settings, heatmaps = [(400.0, 100.0, 200.0, 500.0)], pose.predictor.settings, pose.predictor.run
    centers, scales = crop_of_box(np.array(box), settings.image_size, settings.padding)
    matrix = get_affine_transform(centers[0], scales[0], 0, settings.image_size)
    about = heatmaps.metadata
    crop = crop_person(picture, matrix, settings.image_size, settings.color_rgb)[None]
    feed = {heatmaps.input.name: heatmaps.input.arranged(
        crops_to_input(crop, about.pixel_scale, about.mean, about.deviation)
    )}  # fmt: skip
    bare = heatmaps.session._opened  # the InferenceSession itself
    return interleaved_ms(lambda: pose(picture, boxes=box), lambda: bare.run([heatmaps.output], feed), rounds=ROUNDS)


def thread_figures(pose, calls):
    """(answers that differ, bytes after a tenth, bytes at the end) of so many calls from four threads."""
    pictures = [np.roll(onnx_toy.spotted_picture(SPOTS), 5 * shift, axis=1) for shift in range(THREADS)]
    expected = [pose(picture, boxes=[BOX]).keypoints for picture in pictures]
    wrong = []

    def work(place, count):
        for _ in range(count):
            if not np.array_equal(pose(pictures[place], boxes=[BOX]).keypoints, expected[place]):
                wrong.append(place)

    sizes = []
    for share in (calls // 10, calls - calls // 10):
        threads = [threading.Thread(target=work, args=(place, share // THREADS)) for place in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sizes.append(resident())
    return len(wrong), *sizes


def frame_figures(pose, frames, folder):
    """(answers that differ, bytes after a tenth, bytes at the end) of a video's frames, each equal to a call's."""
    path, sizes, wrong = write_video(Path(folder) / "film.mp4", count=frames, size=(320, 240)), [], 0
    for poses in pose.frames(path, boxes=[BOX]):
        alone = pose(poses.image, boxes=[BOX])
        wrong += not np.array_equal(alone.keypoints, poses.keypoints)
        if poses.frame in (frames // 10, frames - 1):
            sizes.append(resident())
    return wrong, *sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="X.onnx", help="an exported network")
    parser.add_argument("--skeleton", help="of a model without metadata")
    parser.add_argument("--calls", type=int, default=10_000, help="of the four threads")
    parser.add_argument("--frames", type=int, default=3000, help="of the video")
    arguments = parser.parse_args()
    print(machine_line("numpy", "cv2", "onnxruntime"))
    milliseconds, modules = import_figures()
    print(f"import: {milliseconds:.1f} ms, {modules} modules")
    ours, bare = call_figures(Pose(arguments.model, skeleton=arguments.skeleton))
    row = (f"{ours:.2f} ms", f"{1000 / ours:.1f}", f"{bare:.2f} ms", f"{1000 / bare:.1f}", f"{ours / bare:.3f}")
    print(table(("a call", "a second", "ONNX Runtime alone", "a second", "ratio"), [row]))
    with tempfile.TemporaryDirectory() as folder:
        pose = Pose(onnx_toy.write_pose_network(Path(folder) / "toy.onnx", onnx_toy.metadata()))
        found = {f"{arguments.calls} calls from {THREADS} threads": thread_figures(pose, arguments.calls),
                 f"{arguments.frames} frames": frame_figures(pose, arguments.frames, folder)}  # fmt: skip
    rows = [(what, str(wrong), f"{begun / 1e6:.1f} MB", f"{end / 1e6:.1f} MB", f"{(end - begun) / 1e6:+.1f} MB")
            for what, (wrong, begun, end) in found.items()]  # fmt: skip
    print(table(("work", "answers that differ", "after a tenth", "at the end", "growth"), rows))
    bad = [what for what, (wrong, begun, end) in found.items() if wrong or end - begun >= GROWTH]
    if bad:
        raise RunError(f"answers or memory did not stay as they are: {', '.join(bad)}")


if __name__ == "__main__":
    run_script(main)
