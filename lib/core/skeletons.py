"""Skeletons: joint names, mirror pairs, limbs, OKS sigmas.

A skeleton of one's own is an entry in the YAML (DATASET.SKELETON); everything else follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .sides import base_name, left_and_right, name_pairs


def mirrored_name(name: str) -> str:
    """The name of a joint's left or right twin (left_knee -> right_knee), or the name itself."""
    side, _, rest = name.partition("_")
    return f"{ {'left': 'right', 'right': 'left'}[side] }_{rest}" if side in ("left", "right") else name


def pair_problem(joints: Sequence[str], pairs: Sequence[tuple[str, ...]]) -> str:
    """What is wrong with mirror pairs by the joints' names, or '': left_x is the twin of right_x and of no other.

    No pairs at all are no mistake: who says so means it.
    """
    if not pairs:
        return ""
    twin_of = {}
    for first, second in pairs:
        twin_of[first] = second
        twin_of[second] = first
    for name, twin in twin_of.items():
        side = name.partition("_")[0]
        expected = mirrored_name(name)
        if side in ("left", "right") and twin != expected and (twin.startswith(f"{side}_") or expected in joints):
            return f"{name} is paired with {twin}, but its name says {expected}"
    for name in joints:
        twin = mirrored_name(name)
        if twin != name and twin in joints and name not in twin_of:
            return f"{name} and {twin} are not paired: in a mirrored picture they change places"
    return ""


@dataclass(frozen=True)
class Skeleton:
    """One set of K joints.

    joints: K names in the order of the network's heatmaps.
    limbs: pairs of joint names that are drawn as a line.
    mirror_pairs: pairs of joint names that change places in a mirrored picture; None: as the names say (`name_pairs`).
    sigmas: K OKS falloffs (COCO's definition: k = 2 * sigma); empty where OKS cannot be had.
    upper_body: names of the joints that half-body augmentation takes as the upper half.
    pck_reference: the length that PCK divides by: "box" (the longer side of the person's box) or two joint names (the
        torso such as left_shoulder and right_hip, the head such as upper_neck and head_top).
    pck_threshold: the share of that length within which a joint is right.
    indices: where the K joints stand in the annotation's records; empty: they are the annotation's joints, in order.
    pckh_groups, pckh_left_out: columns of MPII's own PCKh table, (title, joint names), and joints not in its mean.
    """

    name: str
    joints: tuple
    limbs: tuple = ()
    mirror_pairs: tuple | None = None
    sigmas: tuple = ()
    upper_body: tuple = ()
    pck_reference: str | tuple = "box"
    pck_threshold: float = 0.2
    indices: tuple = ()
    pckh_groups: tuple = field(default=(), repr=False)
    pckh_left_out: tuple = field(default=(), repr=False)

    @property
    def flip_pairs(self) -> tuple:
        """((index, mirrored index), ...): the first joint of each pair in joint order first."""
        pairs = name_pairs(self.joints) if self.mirror_pairs is None else self.mirror_pairs
        return tuple(sorted({tuple(sorted(self.indices_of(pair))) for pair in pairs}))

    @property
    def sides(self) -> tuple[str, ...]:
        """K sides of the joints: left, right, or '' for a joint that is in no mirror pair.

        The pairs decide. Which joint of a pair is the left one, the names say; where they do not, it is the first.
        """
        sides = dict.fromkeys(self.joints, "")
        for pair in name_pairs(self.joints) if self.mirror_pairs is None else self.mirror_pairs:
            left, right = left_and_right(*pair) or pair
            sides[left], sides[right] = "left", "right"
        return tuple(sides[name] for name in self.joints)

    @property
    def limb_indices(self) -> tuple:
        """((joint index, joint index), ...) of `limbs`."""
        return tuple((self.joints.index(first), self.joints.index(second)) for first, second in self.limbs)

    @property
    def groups(self) -> tuple:
        """Columns of a table of this skeleton, (title, joint names): left and right of a joint are one column."""
        if self.pckh_groups:
            return self.pckh_groups
        groups: dict[str, list[str]] = {}
        paired = {self.joints[index] for pair in self.flip_pairs for index in pair}
        for name in self.joints:
            sided = name in paired or mirrored_name(name) != name
            title = base_name(name) if sided else name
            groups.setdefault(title.replace("_", " ").capitalize(), []).append(name)
        return tuple((title, tuple(names)) for title, names in groups.items())

    def indices_of(self, names: Sequence[str]) -> list[int]:
        """List of the joint indices of `names`."""
        return [self.joints.index(name) for name in names]


# The columns after "Head" of MPII's table, which are those of PoseTrack's too
LIMB_GROUPS = (
    ("Shoulder", ("left_shoulder", "right_shoulder")),
    ("Elbow", ("left_elbow", "right_elbow")),
    ("Wrist", ("left_wrist", "right_wrist")),
    ("Hip", ("left_hip", "right_hip")),
    ("Knee", ("left_knee", "right_knee")),
    ("Ankle", ("left_ankle", "right_ankle")),
)

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
    upper_body=(
        "thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder",
        "left_elbow", "left_wrist",
    ),
    pck_reference=("upper_neck", "head_top"),
    pck_threshold=0.5,
    pckh_groups=(
        ("Head", ("head_top",)),
        *LIMB_GROUPS,
    ),
    pckh_left_out=("pelvis", "thorax"),
)  # fmt: skip

COCO = Skeleton(
    name="coco",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    limbs=(
        ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"),
        ("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"),
        ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"),
        ("left_eye", "right_eye"), ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
        ("right_eye", "right_ear"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder"),
    ),
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
        0.089, 0.089,
    ),
    upper_body=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist",
    ),
)  # fmt: skip

# PoseTrack18's 15 joints, in COCO's 17 places as its files have them (the ears' places are empty). Head, as the
# benchmark's table has it, is three joints. Sigmas: COCO's; those of neck and head top, which it lacks, are its ear's.
POSETRACK18 = Skeleton(
    name="posetrack18",
    joints=(
        "nose", "head_bottom", "head_top", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    limbs=(
        ("head_top", "nose"), ("nose", "head_bottom"), ("head_bottom", "left_shoulder"),
        ("head_bottom", "right_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"), ("left_hip", "right_hip"), ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ),
    sigmas=(
        0.026, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
    upper_body=(
        "nose", "head_bottom", "head_top", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist",
    ),
    pck_reference=("head_bottom", "head_top"),
    pck_threshold=0.5,
    indices=(0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
    pckh_groups=(
        ("Head", ("nose", "head_bottom", "head_top")),
        *LIMB_GROUPS,
    ),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (MPII, COCO, POSETRACK18)}


# MPII's names in gt_valid.mat, in the order of its 16 joints
MPII_MAT_JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head", "rwri", "relb", "rsho", "lsho",
    "lelb", "lwri",
)  # fmt: skip
