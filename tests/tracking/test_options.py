from argparse import Namespace

import pytest

from lib.tracking.options import settle_track


@pytest.mark.parametrize(("given", "expected"), [(0.3, 0.5), (0.5, 0.5), (0.7, 0.7)])
def test_with_track_boxes_count_from_the_papers_score_on_or_from_a_higher_one(given, expected):
    arguments = Namespace(save_heatmaps=False, show=False, bbox_thr=given)
    settle_track(arguments)
    assert arguments.bbox_thr == expected
