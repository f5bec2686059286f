"""People in three dimensions, seen by a camera far away: postures whose left and right are known to be correct.

x points to the person's left, y up, z to the front; lengths in units of the person's height.
"""

import numpy as np

HALF = {  # of the left side: (x, y, z)
    "ankle": (0.08, 0.05, 0), "knee": (0.08, 0.28, 0.01), "hip": (0.075, 0.53, 0), "shoulder": (0.115, 0.82, 0),
    "elbow": (0.15, 0.63, 0), "wrist": (0.16, 0.48, 0.03), "eye": (0.02, 0.94, 0.06), "ear": (0.045, 0.93, 0),
}  # fmt: skip
MIDDLE = {
    "nose": (0, 0.915, 0.085), "head_top": (0, 1, 0), "upper_neck": (0, 0.86, 0), "thorax": (0, 0.82, 0),
    "pelvis": (0, 0.53, 0), "head": (0, 0.93, 0),
}  # fmt: skip
SWING = {"wrist": -0.2, "elbow": -0.08, "ankle": 0.25, "knee": 0.1, "shoulder": -0.03, "hip": 0.02}  # forward


def people(skeleton, count, yaw=(0,), pitch=0, roll=0, stride=False, seed=0):
    """(joints (N, K, 2) pixels, visible (N, K)) of people; angles in degrees.

    yaw: how far they may be turned, 0 faces the camera, 180 shows the back; pitch: how far they bow; roll: how far they
    are turned in the picture, 180 stands on the hands; stride: they walk, arms against legs. Annotators are off by 1%
    of the height. Who shows the back has neither nose nor eyes.
    """
    generator = np.random.default_rng(seed)
    joints, visible = np.zeros((count, len(skeleton.joints), 2)), np.ones((count, len(skeleton.joints)))
    for row in range(count):
        turned = generator.choice(yaw) + generator.normal(0, 8)
        phase = np.cos(generator.uniform(0, 2 * np.pi)) if stride else 0.0
        body = np.array([_place(name, phase) for name in skeleton.joints]) - MIDDLE["pelvis"]
        across, up, depth = (body + generator.normal(0, 0.01, body.shape)).T
        up, depth = _turn(up, depth, -pitch)
        depth, across = _turn(depth, across, turned)
        across, up = _turn(across, up, roll)
        joints[row] = 300 + 200 * np.stack([across, -up], axis=1)
        if np.cos(np.deg2rad(turned)) < -0.3:
            visible[row] = [name.split("_")[-1] not in ("nose", "eye") for name in skeleton.joints]
    return joints, visible


def _turn(first, second, degrees):
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return first * cosine - second * sine, first * sine + second * cosine


def _place(name, phase):
    side, _, base = name.partition("_")
    if side not in ("left", "right"):
        return MIDDLE[name]
    sign = 1 if side == "left" else -1
    x, y, z = HALF[base]
    return sign * x, y, z + sign * phase * SWING.get(base, 0.0)
