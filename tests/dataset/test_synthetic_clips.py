import numpy as np
import pytest

from lib.dataset.synthetic.clips import ClipSettings, SyntheticClip

SMALL = ClipSettings(frames=30, size=(320, 180))


def test_the_same_seed_gives_the_same_clip_and_another_one_another():
    first, again, other = (list(SyntheticClip(seed, SMALL)) for seed in (5, 5, 6))
    assert len(first) == len(SyntheticClip(5, SMALL)) == 30
    for (picture, people), (same_picture, same_people) in zip(first, again, strict=True):
        assert (picture == same_picture).all() and len(people) == len(same_people)
        for person, same in zip(people, same_people, strict=True):
            assert person.identity == same.identity and (person.joints == same.joints).all()
    assert (first[0][0] != other[0][0]).any()


def test_pictures_and_truth_have_their_form():
    for picture, people in SyntheticClip(1, SMALL):
        assert picture.shape == (180, 320, 3) and picture.dtype == np.uint8
        assert len({person.identity for person in people}) == len(people) <= 6
        for person in people:
            assert person.joints.shape == (16, 2) and person.visible.shape == (16,)
            inside = ((person.joints > -1) & (person.joints < (320, 180))).all(axis=1)
            assert not (person.visible & ~inside).any()
            left, top, width, height = person.box
            assert left >= 0 and top >= 0 and left + width <= 320 and top + height <= 180 and min(width, height) > 0
            assert 0 < person.share <= 1 and (person.head_box[2:] > 0).all()


@pytest.mark.slow
def test_people_walk_cross_hide_and_leave_under_a_moving_camera():
    clips = [list(SyntheticClip(seed, ClipSettings(size=(320, 180)))) for seed in range(4)]
    crossed = hidden = back = 0
    for clip in clips:
        middles, seen = {}, {}
        for number, (_, people) in enumerate(clip):
            hidden += sum(person.share < 0.5 for person in people)
            for person in people:
                middles.setdefault(person.identity, {})[number] = person.joints[:, 0].mean()
                seen.setdefault(person.identity, []).append(number)
        back += sum((np.diff(numbers) > 1).any() for numbers in seen.values())
        for first in middles:
            for second in middles:
                common = sorted(middles[first].keys() & middles[second].keys())
                gaps = np.array([middles[first][number] - middles[second][number] for number in common])
                crossed += first < second and (gaps > 3).any() and (gaps < -3).any()
    assert crossed >= 4 and hidden >= 20 and back >= 2


def test_what_is_in_front_hides_the_joints_behind_it():
    for _, people in SyntheticClip(2):
        for person in people:
            if person.share < 0.1:
                assert person.visible.sum() <= 6
            if person.share == 1 and person.box[0] > 0 and person.box[0] + person.box[2] < 640:
                assert person.visible.sum() >= 12
