"""The form of a file is recognised by its inputs and outputs, and its boxes come back in the picture's pixels.

In each form a network of constants finds the same person, x 100 to 200, y 50 to 150 in a picture of 400x200: what it
has to say for that was worked out by hand, as the comments show.
"""

import math

import numpy as np
import pytest

from lib.deploy.session import Port
from lib.inference.detector import DetectorSettings, PersonDetector
from lib.inference.detectors.forms import FORMS, form_of
from lib.utils.errors import UserError
from lib.zoo.index import detectors

pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")

PICTURE = np.zeros((200, 400, 3), np.uint8)
PERSON = [100, 50, 100, 100]  # x, y, width, height
SQUARE = (1, 3, 640, 640)


def floats(*shape):
    return np.zeros(shape, np.float32)


def mmdeploy():
    # 320 / 400 = 0.8 at the top left: x 80 to 160, y 40 to 120
    dets = np.array([[[80, 40, 160, 120, 0.9], [0, 0, 80, 80, 0.8]]], np.float32)
    return {"dets": dets, "labels": np.array([[0, 2]])}, {"input": (1, 3, "h", "w")}


def yolox():
    # 64 / 400 = 0.16 at the top left: x 16 to 32, y 8 to 24, so centre (24, 16), sides 16. In the grid of stride 8,
    # 8 cells wide, that is the corner of cell (3, 2), number 19, and 2 strides; in that of 16, after 64 cells and 4
    # wide, cell (1, 1), number 69, half a stride to the right of it, and 1 stride
    values = floats(1, 84, 85)
    values[0, 19, :6] = (0, 0, math.log(2), math.log(2), 0.9, 1)
    values[0, 69, :6] = (0.5, 0, 0, 0, 0.8, 1)
    values[0, 0, 4:7] = (0.9, 0.4, 0.9)  # rather of class 1
    return {"output": values}, {"images": (1, 3, 64, 64)}


def yolo():
    # 640 / 400 = 1.6, in the middle: 640x320 from y 160 on; x 160 to 320, y 160 + 80 to 160 + 240
    values = floats(1, 84, 8400)
    values[0, :5, 7] = (240, 320, 160, 160, 0.9)
    values[0, :5, 99] = (248, 320, 160, 160, 0.8)  # 152 / 168 of it are the same: suppressed
    values[0, :6, 5] = (50, 320, 60, 60, 0.4, 0.7)  # rather of class 1
    return {"output0": values}, {"images": SQUARE}


def yolo_end_to_end():
    values = floats(1, 300, 6)
    values[0, 3] = (160, 240, 320, 400, 0.9, 0)
    values[0, 4] = (160, 240, 320, 400, 0.9, 1)
    return {"output0": values}, {"images": SQUARE}


def torchvision():
    boxes = np.array([[100, 50, 200, 150], [0, 0, 9, 9]], np.float32)  # of the picture as it is
    answers = {"boxes": boxes, "labels": np.array([1, 0]), "scores": np.array([0.9, 0.9], np.float32)}
    return answers, {"images": (1, 3, "h", "w")}


def onnx_zoo_faster_rcnn():
    # 1333 / 400 = 3.3325 is below 800 / 200, and makes 1333x667: x 333.25 to 666.5; 667 / 200 = 3.335: y 166.75, 500.25
    boxes = np.array([[333.25, 166.75, 666.5, 500.25], [0, 0, 9, 9]], np.float32)
    answers = {"6379": boxes, "6381": np.array([1, 3]), "6383": np.array([0.9, 0.9], np.float32)}
    return answers, {"image": (3, "height", "width")}


def onnx_zoo_ssd():
    boxes = np.array([[[0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1]]], np.float32)
    answers = {"bboxes": boxes, "labels": np.array([[1, 2]]), "scores": np.array([[0.9, 0.9]], np.float32)}
    return answers, {"image": (1, 3, 1200, 1200)}


def paddledetection():
    rows = np.array([[0, 0.9, 100, 50, 200, 150], [1, 0.9, 0, 0, 9, 9], [0, 0.9, 0, 0, 9, 9]], np.float32)
    # two rows are boxes, the third only fills up
    answers = {"multiclass_nms3_0.tmp_0": rows, "multiclass_nms3_0.tmp_2": np.array([2], np.int32)}
    return answers, {"image": SQUARE, "scale_factor": (1, 2)}


FILES = {
    function.__name__.replace("_", "-"): function
    for function in (
        mmdeploy, yolox, yolo, yolo_end_to_end, torchvision, onnx_zoo_faster_rcnn, onnx_zoo_ssd, paddledetection,
    )
}  # fmt: skip


class Session:
    """What a session says of its inputs and outputs, all of float32."""

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = (
            [Port(name, "tensor(float)", [*shape]) for name, shape in ports.items()] for ports in (inputs, outputs)
        )


@pytest.fixture
def write(tmp_path):
    return lambda answers, inputs, **more: onnx_toy.write_answers(tmp_path / "d.onnx", answers, inputs, **more)


def opened(path, **settings):
    return PersonDetector(path, DetectorSettings(**settings), "cpu")


def test_every_form_is_tested_and_those_of_the_index_are_known():
    assert set(FILES) == set(FORMS) and {entry.form for entry in detectors().values()} <= set(FORMS)


@pytest.mark.parametrize("name", FILES)
def test_each_form_is_recognised_and_finds_the_person(write, name):
    found = opened(write(*FILES[name]()))
    assert found.form.name == name and f"; form {name}, input " in found.line
    boxes, scores = found.detect(PICTURE)
    np.testing.assert_allclose(boxes, [PERSON], rtol=1e-5)
    np.testing.assert_allclose(scores, [0.9], rtol=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_each_form_is_recognised_with_open_sizes_too_or_named(write, name):
    answers, inputs = FILES[name]()
    shapes = {key: [f"{key}_{axis}" for axis in range(array.ndim)] for key, array in answers.items()}
    if name.startswith("yolo"):
        path = write(answers, inputs, shapes=shapes)
        with pytest.raises(UserError, match="this could be yolox or yolo or yolo-end-to-end: give --detector-form"):
            opened(path)
        found = opened(path, form=name)
    else:
        found = opened(write(answers, inputs, shapes=shapes))
    assert found.form.name == name
    np.testing.assert_allclose(found.detect(PICTURE)[0], [PERSON], rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "size", "name"),
    [
        ((1, 3549, 85), (416, 416), "yolox"),
        ((1, 3549, 6), (416, 416), "yolox"),  # of one class
        (("batch", "boxes", 85), ("h", "w"), "yolox"),
        (("batch", 84, "boxes"), ("h", "w"), "yolo"),
        ((1, 5, 8400), (640, 640), "yolo"),  # of one class
        ((1, 84, 2000), (640, 640), "yolo"),  # two grids
        ((1, 84, 33600), (640, 640), "yolo"),  # four
        ((1, 300, 6), (640, 640), "yolo-end-to-end"),
        (("batch", 300, 6), ("h", "w"), "yolo-end-to-end"),
    ],
)
def test_the_forms_of_yolo_differ_in_their_sizes(write, shape, size, name):
    session = Session({"i": (1, 3, *size)}, {"o": shape})
    assert form_of(session, "d.onnx")[0].name == name


@pytest.mark.parametrize(
    "shape",
    [
        (1, 25200, 85),  # YOLOv5: three boxes a cell
        (1, 25200, 6),
        (1, 300, 84),  # DETR
        (1, 300, 57),  # poses
        (1, 84, 80, 80),
        (1, 1000),
    ],
)
def test_other_files_are_refused_with_what_they_have_and_the_way_round(write, shape):
    path = write({"found": floats(*shape)}, {"images": SQUARE})
    with pytest.raises(UserError) as caught:
        opened(path)
    message = str(caught.value)
    assert "\n" not in message and "images tensor(float) [1, 3, 640, 640]" in message
    assert f"found {list(shape)}" in message and "--bbox-file FILE" in message
    assert all(f"{form.name}: {form.makes}" in message for form in FORMS.values())


@pytest.mark.parametrize("inputs", [{"a": SQUARE, "b": SQUARE}, {"a": (1, 1, 640, 640)}, {"a": SQUARE, "size": (1, 2)}])
def test_other_inputs_are_refused_too(write, inputs):
    with pytest.raises(UserError, match="expected one input of float pictures and the outputs of a known form"):
        opened(write(yolo()[0], inputs))


def test_a_named_form_that_the_file_cannot_have_is_refused_with_that_one_only(write):
    with pytest.raises(UserError, match=r"of a known form \(torchvision: boxes \(M, 4\), labels \(M\), scores \(M\)\)"):
        opened(write(*yolo()), form="torchvision")


def test_a_fixed_batch_is_refused(write):
    with pytest.raises(UserError, match="expected one picture at a time: export it with a batch of 1"):
        opened(write({"o": floats(4, 84, 8400)}, {"i": (4, 3, 640, 640)}))


def test_the_zoos_form_differs_from_torchvisions_in_its_input(write):
    answers, _ = torchvision()
    assert opened(write(answers, {"images": (3, "h", "w")})).form.name == "torchvision"
    assert opened(write(answers, {"image": (3, "h", "w")})).form.name == "onnx-zoo-faster-rcnn"
    assert opened(write(answers, {"image": (3, "h", "w")}), form="torchvision").form.name == "torchvision"


def test_torchvisions_masks_and_keypoints_are_left_aside(write):
    answers, inputs = torchvision()
    more = {"masks": floats(2, 1, 8, 8), "keypoints": floats(2, 17, 3), "keypoints_scores": floats(2, 17)}
    np.testing.assert_allclose(opened(write(answers | more, inputs)).detect(PICTURE)[0], [PERSON])


def test_a_fixed_input_of_torchvision_is_squashed(write):
    answers, _ = torchvision()
    answers["boxes"] = np.array([[25, 25, 50, 75], [0, 0, 9, 9]], np.float32)  # a quarter in x, a half in y
    np.testing.assert_allclose(opened(write(answers, {"i": (3, 100, 100)})).detect(PICTURE)[0], [PERSON])


# -- what is fed -----------------------------------------------------------------------------------------------------


class Recording:
    """A session that keeps what it is fed."""

    def __init__(self, session):
        self.session = session

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, names, feed):
        self.feed = feed
        return self.session.run(names, feed)


def fed(found, picture=PICTURE):
    found.session = Recording(found.session)
    found.detect(picture)
    return found.session.feed


@pytest.mark.parametrize(
    ("name", "shape", "value"),  # of a blue of 10, a green of 20, a red of 30, in the middle of the input
    [
        ("yolo", (1, 3, 640, 640), (30 / 255, 20 / 255, 10 / 255)),
        ("yolo-end-to-end", (1, 3, 640, 640), (30 / 255, 20 / 255, 10 / 255)),
        ("torchvision", (1, 3, 200, 400), (30 / 255, 20 / 255, 10 / 255)),
        ("onnx-zoo-faster-rcnn", (3, 672, 1344), (10 - 102.9801, 20 - 115.9465, 30 - 122.7717)),
        ("onnx-zoo-ssd", (1, 3, 1200, 1200), (-1.604, -1.6857, -1.6302)),  # 30 / 255 = 0.11765, -0.36735 / 0.229
        ("paddledetection", (1, 3, 640, 640), (-1.604, -1.6857, -1.6302)),
    ],
)
def test_each_form_gets_its_own_pixels(write, name, shape, value):
    feed = fed(opened(write(*FILES[name]())), np.full_like(PICTURE, (10, 20, 30)))
    values = next(iter(feed.values()))
    assert values.shape == shape and values.dtype == np.float32
    np.testing.assert_allclose(values[..., shape[-2] // 2, shape[-1] // 2].ravel(), value, rtol=2e-4)


def test_paddledetection_gets_the_factors_and_the_size_with_y_first(write):
    answers, inputs = paddledetection()
    feed = fed(opened(write(answers, {"im_shape": (1, 2), **inputs})))
    assert feed["scale_factor"].tolist() == [[np.float32(3.2), np.float32(1.6)]]  # 640 / 200, 640 / 400
    assert feed["im_shape"].tolist() == [[640, 640]] and feed["scale_factor"].dtype == np.float32


def test_half_precision_is_fed_and_understood(write):
    values = yolo()[0]["output0"].astype(np.float16)
    found = opened(write({"output0": values}, {"images": SQUARE}, kind=onnx_toy.onnx.TensorProto.FLOAT16))
    assert fed(found)["images"].dtype == np.float16
    np.testing.assert_allclose(found.detect(PICTURE)[0], [PERSON], atol=0.1)


def test_an_open_size_is_640_or_a_given_multiple_of_32(write):
    path = write(yolo()[0], {"images": (1, 3, "h", "w")}, shapes={"output0": ("n", 84, "boxes")})
    assert opened(path).size == (640, 640) and opened(path, size=(320, 256)).size == (320, 256)
    with pytest.raises(UserError, match="--detector-size 320 250: .*needs sides that are multiples of 32"):
        opened(path, size=(320, 250))


def test_options_come_before_what_the_form_says(write):
    found = opened(write(*yolo()), color_rgb=False, mean=(1, 2, 3), deviation=(2, 2, 2), person_label=1)
    values = fed(found, np.full_like(PICTURE, (10, 20, 30)))["images"]
    np.testing.assert_allclose(values[0, :, 320, 320], (4.5, 9, 13.5))
    np.testing.assert_allclose(found.detect(PICTURE)[1], [0.7], rtol=1e-6)
