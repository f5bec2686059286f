"""Skeletons as data: what joints there are, how they mirror, how they are drawn and grouped. No Paddle here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skeleton:
    """One set of joints.

    joints: names in the order of the network's heatmaps; the left/right twin of `left_x` is `right_x`.
    limbs: pairs of joint names that are drawn as a line.
    pckh_groups: columns of the PCKh table, (title, joint names).
    pckh_left_out: joints that do not count in PCKh's mean (MPII leaves out pelvis and thorax).
    """

    name: str
    joints: tuple
    limbs: tuple
    pckh_groups: tuple = ()
    pckh_left_out: tuple = ()

    @property
    def flip_pairs(self):
        """((index, mirrored index), ...), derived from the names: the left joint of each pair first in joint order."""
        pairs = []
        for index, name in enumerate(self.joints):
            side, _, rest = name.partition("_")
            twin = {"left": "right", "right": "left"}.get(side, "") + "_" + rest
            if twin in self.joints and index < self.joints.index(twin):
                pairs.append((index, self.joints.index(twin)))
        return tuple(pairs)

    @property
    def limb_indices(self):
        """((joint index, joint index), ...) of `limbs`."""
        return tuple((self.joints.index(first), self.joints.index(second)) for first, second in self.limbs)

    def indices(self, names):
        """List of the joint indices of `names`."""
        return [self.joints.index(name) for name in names]


MPII = Skeleton(
    name="mpii",
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist",
    ),
    limbs=(
        ("head_top", "upper_neck"), ("upper_neck", "thorax"), ("thorax", "pelvis"),
        ("thorax", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("thorax", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ),
    pckh_groups=(
        ("Head", ("head_top",)),
        ("Shoulder", ("left_shoulder", "right_shoulder")),
        ("Elbow", ("left_elbow", "right_elbow")),
        ("Wrist", ("left_wrist", "right_wrist")),
        ("Hip", ("left_hip", "right_hip")),
        ("Knee", ("left_knee", "right_knee")),
        ("Ankle", ("left_ankle", "right_ankle")),
    ),
    pckh_left_out=("pelvis", "thorax"),
)  # fmt: skip

SKELETONS = {MPII.name: MPII}
