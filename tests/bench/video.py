"""Time and memory of a video of 300 frames, read and written again: ours by PyAV beside OpenCV's reader and writer.

    python tests/bench/video.py

Both read the same H.264 film of drawn people and write each frame as it is: we as H.264, OpenCV as MPEG-4 Part 2. Each
run is a process of its own; they take turns.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import in_fresh_process, machine_line, peak_bytes, table

from lib.utils.media import open_video, video_writer

RATE = 30.0
PARTS = ("read", "write")


def draw_film(path, frames, size):
    """A film as phones make them: a ground that moves, with grain, and bodies that walk over it."""
    rng = np.random.default_rng(0)
    width, height = size
    ground = cv2.GaussianBlur(rng.integers(0, 256, (height, width + frames, 3), dtype=np.uint8), (0, 0), 8)
    ground = cv2.normalize(ground, None, 20, 230, cv2.NORM_MINMAX)
    grain = rng.integers(-4, 5, (8, height, width, 3), dtype=np.int8)
    with video_writer(path, RATE, size) as writer:
        for number in range(frames):
            picture = ground[:, number : number + width].astype(np.int16) + grain[number % 8]
            picture = np.clip(picture, 0, 255).astype(np.uint8)
            for body in range(4):
                x = (width * body // 4 + 3 * number) % width
                cv2.ellipse(picture, (x, height // 2), (height // 14, height // 5), 0, 0, 360, (40, 60 * body, 200), -1)
            writer.write(picture)


def copy_ours(source, target):
    """(seconds to read, seconds to write, frames) by lib/utils/media."""
    start, reading = time.perf_counter(), 0.0
    with contextlib.closing(open_video(source)) as video, video_writer(target, video.rate, video.size, video) as writer:
        while True:
            before = time.perf_counter()
            picture = video.read()
            reading += time.perf_counter() - before
            if picture is None:
                break
            writer.write(picture, video.seconds)
    return reading, time.perf_counter() - start - reading, writer.count


def copy_opencv(source, target):
    """(seconds to read, seconds to write, frames) by OpenCV."""
    start, reading, count = time.perf_counter(), 0.0, 0
    capture = cv2.VideoCapture(str(source))
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"mp4v"), capture.get(cv2.CAP_PROP_FPS), size)
    while True:
        before = time.perf_counter()
        done, picture = capture.read()
        reading += time.perf_counter() - before
        if not done:
            break
        writer.write(picture)
        count += 1
    writer.release()
    return reading, time.perf_counter() - start - reading, count


WAYS = {"PyAV, H.264": copy_ours, "OpenCV, MPEG-4": copy_opencv}


def measure(source, rounds, folder):
    """{way: {read, write: seconds, memory, size: bytes}}, medians of the rounds."""
    runs = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            runs[way].append(in_fresh_process(__file__, "--way", way, "--source", source, "--folder", folder))
    return {way: {key: float(np.median([run[key] for run in each])) for key in each[0]} for way, each in runs.items()}


def run_one(way, source, folder):
    """Runs one way and prints its figures as JSON."""
    target = Path(folder) / "copy.mp4"
    read, write, count = WAYS[way](source, target)
    size = target.stat().st_size
    print(json.dumps({"read": read, "write": write, "memory": peak_bytes(), "size": size, "frames": count}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_one(options.way, options.source, options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "film.mp4"
        in_fresh_film(source, options)
        figures = measure(source, options.rounds, folder)
    rows = []
    for way, each in figures.items():
        total = each["read"] + each["write"]
        rows.append((
            way, f"{each['read']:.2f}", f"{each['write']:.2f}", f"{total:.2f}", f"{each['memory'] / 1e6:.0f} MB",
            f"{each['size'] / 1e6:.2f} MB",
        ))  # fmt: skip
    ours, theirs = (each["read"] + each["write"] for each in figures.values())
    print(machine_line("cv2", "av", "numpy"))
    print(f"\n{options.frames} frames of {options.size[0]}x{options.size[1]}; medians of {options.rounds} processes.")
    print(f"Wanted: at most 1.10 times OpenCV's time; it is {ours / theirs:.2f} times.")
    print(table(("by", "read, s", "write, s", "both, s", "memory", "file"), rows))


def in_fresh_film(source, options):
    """Draws the film; this process stays small, as those that it starts begin with its peak of memory."""
    code = f"import sys, video\nvideo.draw_film(sys.argv[1], {options.frames}, {tuple(options.size)})"
    subprocess.run([sys.executable, "-c", code, str(source)], check=True, cwd=Path(__file__).parent)


if __name__ == "__main__":
    main()
