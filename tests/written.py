"""What deploy.py, infer.py and track.py write of small pictures and clips, by a toy network that knows three spots."""

import json

import cv2
import numpy as np
import onnx_toy
import toy

from lib.core.skeletons import MPII
from lib.utils.media import video_writer

BOX = (10, 20, 60, 80)
SPOTS = [(30, 40), (20, 80), (50, 80)]
SIZE = (160, 120)
FRAMES = 4


def picture_of(left):
    """The spots, `left` pixels further to the right, on a ground of grain that flow can hold on to."""
    grain = np.random.default_rng(0).integers(0, 60, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    return cv2.add(onnx_toy.spotted_picture([(x + left, y) for x, y in SPOTS], SIZE), grain)


class Written:
    """A folder with inputs, a model and boxes; `run` runs a script on them and returns its output folder."""

    def __init__(self, folder, run_main):
        self.folder, self.run_main = folder, run_main
        self.model = onnx_toy.write_pose_network(folder / "spots.onnx", onnx_toy.metadata())
        self.skeleton = folder / "skeleton.json"
        joints, limbs = list(onnx_toy.SPOTS.joints), [list(limb) for limb in onnx_toy.SPOTS.limbs]
        self.skeleton.write_text(json.dumps({"joints": joints, "limbs": limbs}))
        self.picture, self.clip = folder / "one.png", folder / "clip.mp4"
        self.pictures, self.frames = folder / "pictures", folder / "frames"
        for place in (self.pictures, self.frames):
            place.mkdir()
        cv2.imwrite(str(self.picture), picture_of(0))
        cv2.imwrite(str(self.pictures / "a.png"), picture_of(0))
        cv2.imwrite(str(self.pictures / "000000000785.png"), picture_of(0))
        with video_writer(self.clip, 10.0, SIZE) as writer:
            for number in range(FRAMES):
                writer.write(picture_of(6 * number))
                cv2.imwrite(str(self.frames / f"{number + 1:06d}.png"), picture_of(6 * number))  # from 1 on

    def run(self, script, source, *words, boxes=None):
        """Runs deploy.py or track.py on `source`, with the one box or a file of boxes; fails where it fails."""
        out = self.folder / "out"
        given = ("--bbox-file", boxes) if boxes else ("--bbox", *BOX)
        code, said, error = self.run_main(
            script, "--img", source, "--model", self.model, "--output", out, *given, "--provider", "cpu", *words
        )
        assert code == 0, said + error
        return out

    def moving_boxes(self, first):
        """A file with the box of each frame; first: the number of the first one."""
        path = self.folder / "boxes.json"
        boxes = [(BOX[0] + 6 * number, *BOX[1:]) for number in range(FRAMES)]
        entries = [{"image_id": first + number, "bbox": box, "score": 0.9} for number, box in enumerate(boxes)]
        path.write_text(json.dumps(entries))
        return path

    def infer(self, *words):
        """Runs infer.py with MPII's joints and ONNX Runtime; returns its output folder."""
        weights = np.random.default_rng(0).normal(size=(16, 3, 4, 4)).astype(np.float32)
        about = onnx_toy.metadata(skeleton=MPII, sigma=1.5)
        model = onnx_toy.write_pose_network(self.folder / "mpii.onnx", about, weights=weights)
        experiment = toy.write_experiment(self.folder, toy.draw_data(self.folder))
        out = self.folder / "infer"
        given = ("--cfg", experiment, "--model-file", model, "--gpus", "cpu", "--no-flip-test", "--bbox", *BOX)
        code, said, error = self.run_main("infer", *given, "--output", out, *words)
        assert code == 0, said + error
        return out


def lines_of(path):
    """The objects of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
