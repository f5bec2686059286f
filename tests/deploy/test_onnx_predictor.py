"""An exported model and what it says of itself: sizes, pictures, joints, the flip test, and what contradicts."""

import json

import numpy as np
import pytest

from lib.core.heatmap import heatmap_size_of
from lib.core.predictor import PosePredictor, PoseSettings
from lib.core.skeletons import MPII
from lib.deploy.onnx_predictor import OnnxPosePredictor, covered_pixels
from lib.utils.errors import UserError
from lib.utils.image import crops_to_input

pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")

PICTURE_SPOTS = [(60, 70), (90, 50), (40, 110)]
BOX = (20, 30, 90, 100)


@pytest.fixture
def write(tmp_path):
    """Writes the spots' network; arguments as those of write_pose_network, `about` fields of its metadata."""

    def write(about=None, **network):
        described = onnx_toy.metadata(**about) if isinstance(about, dict) else about
        return onnx_toy.write_pose_network(tmp_path / "x.onnx", described, **network)

    return write


def predict(predictor, spots=PICTURE_SPOTS, box=BOX):
    keypoints, scores = predictor.predict(onnx_toy.spotted_picture(spots), [box])
    assert keypoints.shape == (1, 3, 2) and scores.shape == (1, 3)
    return keypoints[0]


# -- what runs -------------------------------------------------------------------------------------------------------


def test_the_joints_are_where_the_picture_has_them(write):
    predictor = OnnxPosePredictor(write({}))
    assert predictor.skeleton.joints == onnx_toy.SPOTS.joints and predictor.skeleton.limbs == onnx_toy.SPOTS.limbs
    assert predictor.skeleton.flip_pairs == onnx_toy.SPOTS.flip_pairs
    np.testing.assert_allclose(predict(predictor), PICTURE_SPOTS, atol=7)  # a heatmap pixel is 7.8 here


@pytest.mark.parametrize("flip_test", [True, False])
def test_everything_the_metadata_says_goes_into_the_prediction(write, flip_test):
    about = {
        "image_size": (64, 96), "color_rgb": True, "pixel_scale": 2.0, "mean": (50.0, 60.0, 70.0),
        "deviation": (3.0, 4.0, 5.0), "padding": 1.6, "decode": "dark", "sigma": 1.2, "unbiased": True,
        "shift_heatmap": False,
    }  # fmt: skip
    predictor = OnnxPosePredictor(write(about), flip_test=flip_test, provider="cpu")

    def run(crops):  # the network by its definition
        images = crops_to_input(crops, 2.0, (50.0, 60.0, 70.0), (3.0, 4.0, 5.0))
        count, _, height, width = images.shape
        return images.reshape(count, 3, height // 4, 4, width // 4, 4).mean(axis=(3, 5)) + onnx_toy.BIAS

    settings = PoseSettings(
        (64, 96), onnx_toy.SPOTS.flip_pairs if flip_test else None, False, "dark", 1.2, True, True, padding=1.6
    )
    picture = np.random.default_rng(5).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    boxes = [(20, 30, 90, 100), (100, 10, 150, 60)]
    for found, expected in zip(
        predictor.predict(picture, boxes), PosePredictor(run, settings).predict(picture, boxes), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 5, "N"])
def test_a_batch_size_fixed_in_the_file_is_kept_to(write, batch):
    predictor = OnnxPosePredictor(write({}, shape=(batch, 3, 64, 64)), batch_size=3)
    picture = onnx_toy.spotted_picture(PICTURE_SPOTS)
    boxes = [(20 + shift, 30, 90, 100) for shift in range(4)]
    keypoints, _ = predictor.predict(picture, boxes)
    singles = [predictor.predict(picture, [box])[0][0] for box in boxes]
    np.testing.assert_array_equal(keypoints, singles)


def test_pictures_may_have_their_channels_last(write, tmp_path):
    make = onnx_toy.onnx.helper.make_node
    nodes = [
        make("Transpose", ["pictures"], ["planes"], perm=[0, 3, 1, 2]),
        make("Conv", ["planes", "weights", "bias"], ["heatmaps"], strides=[4, 4]),
    ]
    values = {"weights": onnx_toy.WEIGHTS, "bias": np.full(3, onnx_toy.BIAS, np.float32)}
    constants = [onnx_toy.onnx.numpy_helper.from_array(array, name) for name, array in values.items()]
    inputs, outputs = [onnx_toy.value("pictures", ["N", "h", "w", 3])], [onnx_toy.value("heatmaps", ["N", 3, "H", "W"])]
    path = onnx_toy.save(tmp_path / "last.onnx", nodes, inputs, outputs, onnx_toy.metadata().to_json(), constants)
    np.testing.assert_array_equal(predict(OnnxPosePredictor(path)), predict(OnnxPosePredictor(write({}))))


def test_the_flip_test_counts_once_where_the_model_holds_it(write):
    plain = OnnxPosePredictor(write({}))
    merged = OnnxPosePredictor(write({"flip_merged": True}), flip_test=True)
    assert any("--flip-test adds nothing" in line for line in merged.lines)
    np.testing.assert_array_equal(predict(merged), predict(plain))
    flipped = OnnxPosePredictor(write({}), flip_test=True)
    assert not np.array_equal(predict(flipped), predict(plain))


def test_its_line_says_what_was_opened_and_where_it_runs(write):
    path = write({})
    assert OnnxPosePredictor(path, size=(96, None), provider="cpu").lines == [
        f"=> loaded {path}: 3 joints (spots), input 96x64 (width x height), runs on CPUExecutionProvider"
    ]


def test_the_clock_tells_the_parts_apart(write):
    predictor = OnnxPosePredictor(write({}))
    predictor.warm_up()
    assert predictor.clock.seconds == {}
    predict(predictor)
    assert predictor.clock.seconds.keys() == {"preprocess", "network", "decode"}


# -- the size of the input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"), [((None, None), (64, 64)), ((656, 384), (656, 384)), ((None, 96), (64, 96))]
)
def test_a_size_that_the_graph_leaves_open_can_be_asked_for(write, size, expected):
    predictor = OnnxPosePredictor(write({}), size=size)
    assert predictor.metadata.image_size == predictor.settings.image_size == expected
    found = predict(predictor)
    wide = max(90, 100 * expected[0] / expected[1]) * 1.25  # the box, fitted to the aspect and padded
    np.testing.assert_allclose(found, PICTURE_SPOTS, atol=max(5, 4 * wide / expected[0]))


def test_a_side_that_is_no_multiple_of_32_moves_no_joint(write):
    # a ResNet makes 168 columns of 656 pixels, four of them beyond the picture: so does this convolution
    assert heatmap_size_of((656, 384)) == (168, 96)
    exact = predict(OnnxPosePredictor(write({}), size=(656, 384)))
    found = predict(OnnxPosePredictor(write({}, pads=(0, 0, 0, 16)), size=(656, 384), flip_test=False))
    np.testing.assert_array_equal(found, exact)
    exact = predict(OnnxPosePredictor(write({}), size=(656, 384), flip_test=True))
    found = predict(OnnxPosePredictor(write({}, pads=(0, 0, 0, 16)), size=(656, 384), flip_test=True))
    np.testing.assert_array_equal(found, exact)


def test_a_model_with_the_flip_test_in_it_needs_sides_that_end_with_the_heatmap(write):
    predictor = OnnxPosePredictor(write({"flip_merged": True}, pads=(0, 0, 0, 16)), size=(656, 384))
    with pytest.raises(UserError, match="holds the flip test, which needs a --width that is a multiple of 32, got 656"):
        predictor.warm_up()


@pytest.mark.parametrize("side", range(20, 420, 4))
def test_the_columns_over_the_crop_are_a_quarter_of_its_pixels(side):
    assert covered_pixels(side, heatmap_size_of((side, side))[0]) == side // 4


@pytest.mark.parametrize(("side", "size", "expected"), [(650, 168, 0), (64, 64, 64), (64, 128, 128), (64, 100, 0)])
def test_sides_that_do_not_go_with_the_heatmaps_are_told(side, size, expected):
    assert covered_pixels(side, size) == expected


def refusal(*arguments, **options):
    with pytest.raises(UserError) as caught:
        OnnxPosePredictor(*arguments, **options).warm_up()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_fixed_size_cannot_be_changed(write):
    path = write({}, shape=("N", 3, 64, 64))
    assert "an input of a fixed width, 64, so --width 656 cannot be had" in refusal(path, size=(656, None))
    assert OnnxPosePredictor(path, size=(64, 64)).metadata.image_size == (64, 64)


def test_an_open_size_that_nobody_says_is_asked_for(write):
    message = refusal(write(), size=(64, None), assumed={"skeleton": onnx_toy.SPOTS})
    assert "leaves its input's height open and has no metadata: give --height" in message


# -- metadata --------------------------------------------------------------------------------------------------------


def test_a_model_without_metadata_takes_what_is_assumed(write):
    assumed = {"skeleton": onnx_toy.SPOTS, "color_rgb": True, "mean": (0.0, 0.0, 0.0)}
    predictor = OnnxPosePredictor(write(shape=("N", 3, 64, 96)), assumed=assumed)
    assert predictor.metadata.image_size == (96, 64) and predictor.metadata.mean == (0.0, 0.0, 0.0)
    blue, green, red = PICTURE_SPOTS
    np.testing.assert_allclose(predict(predictor), [red, green, blue], atol=8)


def test_a_model_without_metadata_and_a_word_about_its_joints_is_refused(write):
    assert "give --dataset coco, mpii or a skeleton's JSON file" in refusal(write())


def test_what_the_metadata_says_cannot_be_said_again(write):
    message = refusal(write({}), assumed={"skeleton": MPII})
    assert "remove --dataset, --mean, --std, --pixel-scale and --rgb" in message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"skeleton": {}}', '{"skeleton": {"name": "x", "joints": ["a"]}}'])
def test_metadata_that_cannot_be_read_is_one_line(write, text):
    assert "metadata" in refusal(write(text)) or text == ""


def test_metadata_with_a_value_that_cannot_be_is_one_line(write):
    values = json.loads(onnx_toy.metadata().to_json())
    values["deviation"] = [1, 0, 1]
    assert "deviation [1, 0, 1]" in refusal(write(json.dumps(values))).replace("(", "[").replace(")", "]")


def test_a_graph_of_another_size_than_its_metadata_is_refused(write):
    message = refusal(write({"image_size": (192, 256)}, shape=("N", 3, 256, 256)))
    assert "contradicts its metadata: its input's width is 256, image_size says 192" in message


def test_a_graph_of_another_number_of_joints_than_its_metadata_is_refused(write):
    weights = np.ones((5, 3, 4, 4), np.float32)
    assert "makes heatmaps of 5 joints, but its skeleton (spots) has 3" in refusal(write({}, weights=weights))
    # one that shows only when it has run
    assert "makes heatmaps of 5 joints" in refusal(write({}, weights=weights, joints="K"))


def test_a_graph_without_heatmaps_is_refused_with_what_it_has(write, tmp_path):
    nodes = [onnx_toy.onnx.helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[2, 3], keepdims=0)]
    inputs, outputs = [onnx_toy.value("pictures", ["N", 3, 64, 64])], [onnx_toy.value("mean", ["N", 3])]
    path = onnx_toy.save(tmp_path / "mean.onnx", nodes, inputs, outputs, onnx_toy.metadata().to_json())
    assert "has the outputs mean ['N', 3]; expected heatmaps (N, 3, height, width)" in refusal(path)
