"""Kinds of errors of COCO results as coco-analyze defines them, by plain loops."""

import math

KINDS = ("good", "jitter", "inversion", "swap", "miss")
SMALLEST, MOST = 32**2, 20


def similarity(pose, keypoints, joint, sigmas, area, source=None):
    """Keypoint similarity of a predicted joint with a place of the ground truth, -1 where that is not annotated."""
    source = joint if source is None else source
    if keypoints[3 * source + 2] == 0:
        return -1
    dx = pose[3 * joint] - keypoints[3 * source]
    dy = pose[3 * joint + 1] - keypoints[3 * source + 1]
    return math.exp(-(dx * dx + dy * dy) / (2 * (2 * sigmas[joint]) ** 2 * area))


def oks(pose, record, sigmas):
    values = [similarity(pose, record["keypoints"], joint, sigmas, record["area"]) for joint in range(len(sigmas))]
    values = [value for value in values if value >= 0]
    return sum(values) / len(values) if values else 0


def is_ignored(record):
    shown = sum(flag > 0 for flag in record["keypoints"][2::3])
    return record["iscrowd"] or not shown or not SMALLEST <= record["area"] <= 1e10


def match(records, entries, sigmas, threshold):
    """[(entry, record)] of one picture: the best scores first take the person they fit best."""
    records = sorted(records, key=is_ignored)
    taken, pairs = set(), []
    for entry in sorted(entries, key=lambda entry: -entry["score"])[:MOST]:
        best, highest = None, threshold
        for record in records:
            if id(record) in taken and not record["iscrowd"]:
                continue
            if best is not None and not is_ignored(best) and is_ignored(record):
                break
            value = oks(entry["keypoints"], record, sigmas)
            if value >= highest:
                best, highest = record, value
        if best is not None:
            taken.add(id(best))
            pairs.append((entry, best))
    return pairs


def kind_of(pose, record, records, joint, mirror, sigmas):
    others = [other for other in records if other is not record]
    candidates = []  # the own place, others', the own twin's, others' twins', as coco-analyze lists them
    for source in (joint, mirror[joint]):
        for person in (record, *others):
            candidates.append(similarity(pose, person["keypoints"], joint, sigmas, person["area"], source))
    highest = max(candidates)
    place = candidates.index(highest)
    if highest < 0.5:
        return "miss"
    if place == 0:
        return "good" if highest > 0.85 else "jitter"
    return "inversion" if place == len(records) else "swap"


def count_kinds(records, results, mirror, sigmas):
    """{joint number: {kind: number}} of all pictures."""
    counts = {joint: dict.fromkeys(KINDS, 0) for joint in range(len(sigmas))}
    for image in {entry["image_id"] for entry in results}:
        people = [record for record in records if record["image_id"] == image]
        entries = [entry for entry in results if entry["image_id"] == image]
        for entry, record in match(people, entries, sigmas, 0.1):
            for joint in range(len(sigmas)):
                if record["keypoints"][3 * joint + 2] > 0:
                    counts[joint][kind_of(entry["keypoints"], record, people, joint, mirror, sigmas)] += 1
    return counts
