"""Tracking on synthetic clips: the paper's method, its parts and the baselines, from the same boxes and poses.

Without --model-file a stand-in sees the joints: true ones plus noise, those that are hidden with low scores. With it a
network does. 20% of the boxes are dropped at random and 5% false ones added, the same for every method.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from lib.core.boxes import box_overlaps
from lib.core.poses import NOBODY, Poses
from lib.core.skeletons import MPII
from lib.dataset.annotations.posetrack_form import HEAD_SHARE, PoseFrame
from lib.dataset.synthetic.clips import HIDDEN_SHARE, SyntheticClip
from lib.evaluation.tracks import PoseTrackEvaluator
from lib.tracking.similarity import tracking_sigmas
from lib.tracking.tracker import METHODS, PoseTracker
from lib.utils.files import write_json

DROPPED, FALSE, NOISE = 0.2, 0.05, 3.0
FIRST_SEED = 1000
MIN_OVERLAP = 0.3  # of a box with the person that the stand-in sees in it
COLUMNS = ("MOTA", "MOTP", "Precision", "Recall", "IDF1", "mAP", "Switches", "Brought back")


@dataclass
class Scene:
    """A frame, who is in it, what the detector says, and whom it has dropped."""

    image: np.ndarray
    people: list
    detected: Poses
    dropped: list
    poses: list  # what the stand-in sees in each person: keypoints (16, 2), scores (16,)


def make_scenes(seed, frames):
    """The Scenes of a clip."""
    clip = SyntheticClip(seed)
    rng = np.random.default_rng([seed, 77])
    scenes = []
    for number, (image, people) in enumerate(clip):
        if number == frames:
            break
        boxes, scores, dropped = [], [], []
        for person in people:
            seen = person.share >= HIDDEN_SHARE and person.visible.sum() >= 3
            drop, false, score = rng.random() < DROPPED, rng.random() < FALSE, rng.uniform(0.6, 1)
            jitter = rng.normal(0, 0.02, 4) * np.tile(person.box[2:], 2)
            if seen and drop:
                dropped.append(person.identity)
            elif seen:
                boxes.append(person.box + jitter)
                scores.append(score)
            if seen and false:
                place = rng.uniform(0, 1, 2) * image.shape[1::-1]
                boxes.append([*place - person.box[2:] / 2, *person.box[2:]])
                scores.append(rng.uniform(0.5, 0.9))
        poses = [_stand_in_pose(rng, person) for person in people]
        detected = Poses.in_boxes(boxes, scores)
        scenes.append(Scene(image, people, detected, dropped, poses))
    return scenes


def _stand_in_pose(rng, person):
    scores = np.where(person.visible, rng.uniform(0.6, 1, 16), rng.uniform(0, 0.4, 16))
    return person.joints + rng.normal(0, NOISE, (16, 2)), scores


class StandIn:
    """Sees the person whom a box overlaps most; in a box around nobody, scattered joints of low scores."""

    def __call__(self, scene, boxes):
        rng = np.random.default_rng(int(np.abs(boxes).sum()))
        keypoints = boxes[:, None, :2] + rng.random((len(boxes), 16, 2)) * boxes[:, None, 2:]
        scores = rng.uniform(0, 0.6, (len(boxes), 16))
        if scene.people:
            overlaps = box_overlaps(boxes, np.array([person.box for person in scene.people]))
            for row, values in enumerate(overlaps):
                if values.max() >= MIN_OVERLAP:
                    keypoints[row], scores[row] = scene.poses[values.argmax()]
        return keypoints, scores


class Network:
    """A trained network's PosePredictor."""

    def __init__(self, experiment, model_file):
        from lib.inference.build import load_predictor

        self.predictor = load_predictor(experiment, model_file, {"GPUS": "cpu", "TEST.FLIP_TEST": False})
        self.known = {}  # the same box of the same frame goes through the network once, whoever asks

    def __call__(self, scene, boxes):
        known = self.known.setdefault(id(scene), {})
        keys = [tuple(box) for box in boxes.tolist()]
        wanted = [key for key in dict.fromkeys(keys) if key not in known]
        if wanted:
            keypoints, scores = self.predictor.predict(scene.image, np.array(wanted))
            known.update(zip(wanted, zip(keypoints, scores, strict=True), strict=True))
        if not keys:
            return np.zeros((0, 16, 2)), np.zeros((0, 16))
        return tuple(np.stack(values) for values in zip(*(known[key] for key in keys), strict=True))


def true_frame(scene):
    """The PoseFrame of what is true."""
    people = scene.people
    sizes = [HEAD_SHARE * np.hypot(*person.head_box[2:]) for person in people]
    return PoseFrame(
        "", np.array([person.identity for person in people], dtype=int),
        np.reshape([person.joints for person in people], (-1, 16, 2)),
        np.reshape([person.visible for person in people], (-1, 16)).astype(bool),
        np.ones((len(people), 16)), np.array(sizes, dtype=float),
    )  # fmt: skip


def follow(scenes, settings, see, every=1):
    """The predicted PoseFrames of a clip, and how many dropped people there were and were found all the same.

    every: the detector sees one of so many frames, as with --detect-every.
    """
    tracker, frames, dropped, found = PoseTracker(tracking_sigmas(MPII), settings), [], 0, 0
    for number, scene in enumerate(scenes):
        people = tracker.propose(scene.image, scene.detected if number % every == 0 else NOBODY)
        keypoints, scores = see(scene, people.boxes)
        tracked = tracker.update(replace(people, keypoints=keypoints, scores=scores))
        shown = tracked.scores >= settings.joint_threshold
        frames.append(PoseFrame(
            "", tracked.track_ids, tracked.keypoints, shown, tracked.scores, np.full(len(shown), np.nan)
        ))  # fmt: skip
        for person in scene.people:
            if person.identity in scene.dropped:
                dropped += 1
                found += is_found(person, frames[-1])
    return frames, dropped, found


def is_found(person, frame):
    """Whether a predicted pose has at least half of a person's visible joints within half a head size."""
    size = 0.5 * HEAD_SHARE * np.hypot(*person.head_box[2:])
    near = np.linalg.norm(frame.joints - person.joints, axis=2) <= size
    return bool(((near & frame.shown & person.visible).sum(axis=1) >= person.visible.sum() / 2).any())


def compare(seeds, frames, see, methods):
    """After each clip yields ({method: figures of all clips so far}, {method: {seed: figures}})."""
    evaluators = {name: PoseTrackEvaluator(MPII) for name in methods}
    dropped, clips = {name: np.zeros(2) for name in methods}, {name: {} for name in methods}
    for seed in seeds:
        scenes = make_scenes(seed, frames)
        truth = [true_frame(scene) for scene in scenes]
        for name, (settings, every) in methods.items():
            predicted, lost, found = follow(scenes, settings, see, every)
            dropped[name] += lost, found
            for true, guess in zip(truth, predicted, strict=True):
                evaluators[name].add(str(seed), true, guess)
        getattr(see, "known", {}).clear()
        totals = {}
        for name, evaluator in evaluators.items():
            lost, found = dropped[name]
            totals[name] = evaluator.evaluate() | {"Brought back": 100 * found / max(lost, 1)}
            clips[name][seed] = evaluator.evaluate([str(seed)])
        yield totals, clips


def print_table(totals):
    """The comparison as a markdown table; switches are those of all joints together."""
    print("| method | " + " | ".join(COLUMNS) + " |")
    print("|---|" + "---|" * len(COLUMNS))
    for name, figures in totals.items():
        print(f"| {name} | " + " | ".join(f"{figures[key]:.{int(key != 'Switches')}f}" for key in COLUMNS) + " |")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--cfg", default="experiments/mini/walking_resnet18_64x96.yaml")
    parser.add_argument("--model-file", help="a network instead of the stand-in")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS))
    about = "the detector sees one of N frames; several N are compared"
    parser.add_argument("--detect-every", type=int, nargs="+", default=[1], metavar="N", help=about)
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="of all methods")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures, written anew after each clip")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    changes = {name: float(value) if "." in value else int(value) for name, value in arguments.set}
    methods = {
        name if every == 1 else f"{name}, --detect-every {every}": (replace(METHODS[name], **changes), every)
        for name in arguments.methods for every in arguments.detect_every
    }  # fmt: skip
    see = Network(arguments.cfg, arguments.model_file) if arguments.model_file else StandIn()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.clips)
    start = time.perf_counter()
    for done, (totals, clips) in enumerate(compare(seeds, arguments.frames, see, methods), 1):
        print(f"=> {done} of {len(seeds)} clips, {time.perf_counter() - start:.0f} s", file=sys.stderr)
        if arguments.output:
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            write_json({"totals": totals, "clips": clips}, arguments.output)
    what = f"the network {arguments.model_file}" if arguments.model_file else "a stand-in with true joints"
    print(f"=> {len(seeds)} clips, seeds {seeds[0]}..{seeds[-1]}, {what}; {time.perf_counter() - start:.0f} s")
    print_table(totals)
    if "flow-queue" in clips:
        report_losses(clips)


def report_losses(clips):
    """Says on which clips another method has a better MOTA or fewer switches than the paper's."""
    for seed, ours in clips["flow-queue"].items():
        for figure, sign in (("MOTA", 1), ("Switches", -1)):
            values = {name: rows[seed][figure] for name, rows in clips.items()}
            better = {name: value for name, value in values.items() if sign * (value - ours[figure]) > 0}
            if better:
                others = ", ".join(f"{name} {value:.4g}" for name, value in better.items())
                print(f"=> clip {seed}: {figure} of flow-queue {ours[figure]:.4g}; better: {others}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
