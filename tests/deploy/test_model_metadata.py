"""What an exported model says of itself: written, read, and refused where it cannot be."""

import json

import pytest

from lib.core.skeletons import COCO, MPII, Skeleton
from lib.deploy.model_metadata import ModelMetadata, from_json
from lib.utils.errors import UserError


@pytest.mark.parametrize("skeleton", [MPII, COCO], ids=["mpii", "coco"])
def test_it_reads_back_and_names_the_mirror_pairs_for_other_runtimes(skeleton):
    text = ModelMetadata(skeleton, (192, 256), decode="dark", unbiased=True).to_json()
    pairs = json.loads(text)["skeleton"]["mirror_pairs"]
    assert len(pairs) == len(skeleton.flip_pairs) and {"left", "right"} == {name.split("_")[0] for name in pairs[0]}
    back = from_json(text)
    assert back.skeleton.flip_pairs == skeleton.flip_pairs and back.skeleton.joints == skeleton.joints
    assert (back.image_size, back.decode, back.unbiased) == ((192, 256), "dark", True)


def test_pairs_without_left_and_right_in_their_names_keep_their_order():
    skeleton = Skeleton("own", ("droit", "gauche"), mirror_pairs=(("gauche", "droit"),))
    back = from_json(ModelMetadata(skeleton, (64, 64)).to_json()).skeleton
    assert back.sides == skeleton.sides == ("right", "left")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_size": [256.0, 256.0]}, "expected whole numbers"),
        ({"pixel_scale": 0}, "pixel_scale is 0, expected a number above 0"),
        ({"decode": "median"}, "decode is 'median'"),
        ({"skeleton": {"name": "x", "joints": ["a", "b"], "mirror_pairs": [["a"]]}}, "expected pairs of joints"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(change, said):
    values = {**json.loads(ModelMetadata(MPII, (256, 256)).to_json()), **change}
    with pytest.raises(UserError, match=said):
        from_json(json.dumps(values))


def test_pairs_that_contradict_the_joints_names_are_refused():
    values = json.loads(ModelMetadata(MPII, (256, 256)).to_json())
    values["skeleton"]["mirror_pairs"] = values["skeleton"]["mirror_pairs"][:-1]
    with pytest.raises(UserError, match=r"mirror_pairs: right_\w+ and left_\w+ are not paired"):
        from_json(json.dumps(values))
