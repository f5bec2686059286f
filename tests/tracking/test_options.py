from argparse import Namespace

import pytest

from lib.tracking.options import settle_track, smoother_maker
from lib.utils.errors import UserError


@pytest.mark.parametrize(("given", "expected"), [(0.3, 0.5), (0.5, 0.5), (0.7, 0.7)])
def test_with_track_boxes_count_from_the_papers_score_on_or_from_a_higher_one(given, expected):
    arguments = Namespace(save_heatmaps=False, show=False, bbox_thr=given, detect_every=None)
    settle_track(arguments)
    assert arguments.bbox_thr == expected


def test_a_cutoff_that_falls_with_speed_is_refused():
    with pytest.raises(UserError, match="--smooth-speed -0.1: expected a number from 0 on"):
        smoother_maker(Namespace(smooth=True, smooth_cutoff=1.0, smooth_speed=-0.1))
    assert smoother_maker(Namespace(smooth=True, smooth_cutoff=1.0, smooth_speed=0.0))(10.0).speed == 0
