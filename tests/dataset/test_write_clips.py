import json

import cv2
import pytest

from lib.core.skeletons import MPII
from lib.dataset.annotations.posetrack_form import read_frames
from lib.dataset.synthetic.clips import ClipSettings, SyntheticClip
from lib.dataset.write_clips import main
from lib.utils.errors import UserError


def test_a_clip_is_written_with_its_truth_and_boxes(tmp_path, capsys):
    words = ["--output", str(tmp_path), "--clips", "1", "--frames", "6", "--picture-size", "160", "96", "--seed", "3"]
    main(words)
    assert "1 clips of 6 frames" in capsys.readouterr().out
    frames = read_frames(tmp_path / "annotations" / "val" / "clip_0003.json", MPII)
    clip = list(SyntheticClip(3, ClipSettings(6, (160, 96))))
    assert len(frames) == 6
    for frame, (_, people) in zip(frames.values(), clip, strict=True):
        assert frame.identities.tolist() == [person.identity for person in people]
        assert frame.shown.tolist() == [person.visible.tolist() for person in people]
    boxes = json.loads((tmp_path / "detections" / "clip_0003.json").read_text())
    assert {box["image_id"] for box in boxes} <= set(range(6)) and boxes
    capture = cv2.VideoCapture(str(tmp_path / "videos" / "clip_0003.mp4"))
    assert capture.read()[1].shape == (96, 160, 3)


@pytest.mark.parametrize("words", [["--people", "4", "2"], ["--picture-size", "8", "8"], ["--seed", "-1"]])
def test_what_cannot_be_is_refused(tmp_path, words):
    with pytest.raises(UserError):
        main(["--output", str(tmp_path), *words])
