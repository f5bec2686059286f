"""What lies beside a weight file, its record or its run folder: when it counts, and what is said of other pictures."""

import json

import pytest

from lib.config.config import dump_config
from lib.config.schema import Config, DatasetConfig, ModelConfig, TestConfig
from lib.utils.errors import UserError
from lib.utils.image import MEAN, STD
from lib.weights.weight_record import WeightRecord, check_record, file_digest, parse_record, read_record, write_record

VALUES = {
    "source": "w.pth", "kind": "mmpose", "part": "pose network", "color_order": "RGB", "mean": MEAN,
    "deviation": STD, "pixel_scale": 255.0, "style": "pytorch", "depth": 50, "joint_count": 16,
    "image_size": (256, 256), "sha256": "",
}  # fmt: skip
CAFFE = {"kind": "caffe", "part": "backbone", "color_order": "BGR", "pixel_scale": 1.0, "joint_count": None,
         "mean": (103.939, 116.779, 123.68), "deviation": (1.0, 1.0, 1.0), "style": "caffe"}  # fmt: skip
NOTHING = "=> nothing beside {} says what images it expects: the preprocessing is not verified"


@pytest.fixture
def weight_file(tmp_path):
    path = tmp_path / "w.pdparams"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def put_record(weight_file):
    """Writes a record of the weight file beside it, with other values."""

    def put_record(**values):
        record = WeightRecord(**{**VALUES, "sha256": file_digest(weight_file), **values})
        write_record(record, weight_file.with_suffix(".json"))
        return record

    return put_record


def experiment(color_rgb=False, pixel_scale=255.0, style="pytorch", udp=False):
    dataset = DatasetConfig(COLOR_RGB=color_rgb, PIXEL_SCALE=pixel_scale)
    return Config(DATASET=dataset, MODEL=ModelConfig(STYLE=style), TEST=TestConfig(UDP=udp))


def test_a_record_comes_back_as_it_was_written(weight_file, put_record):
    written = put_record()
    assert read_record(weight_file) == (written, None)
    written = put_record(**CAFFE)
    assert parse_record(weight_file.with_suffix(".json")) == written


@pytest.mark.parametrize("start", [False, True])
def test_weights_with_nothing_beside_them_are_used_and_this_is_said(weight_file, start):
    assert check_record(weight_file, experiment(), start) == NOTHING.format(weight_file)


@pytest.mark.parametrize("name", ["nowhere.pdparams", "imagenet", ""])
def test_no_file_has_no_record(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert check_record(name, experiment(), start=True) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"Mean": 88.5}', b"\xff\xfe"])
def test_another_json_of_the_same_name_is_no_record(weight_file, content):
    weight_file.with_suffix(".json").write_bytes(content)
    assert check_record(weight_file, experiment(color_rgb=True)) == NOTHING.format(weight_file)


@pytest.mark.parametrize(("key", "value"), [("pixel_scale", "much"), ("pixel_scale", 0), ("color_order", "GBR"),
                                            ("mean", [1, 2]), ("shift", 3)])  # fmt: skip
def test_a_record_with_a_value_that_cannot_be_is_named(weight_file, put_record, key, value):
    path = weight_file.with_suffix(".json")
    path.write_text(json.dumps(put_record().model_dump() | {key: value}))
    with pytest.raises(UserError, match=rf"w\.json: {key}"):
        check_record(weight_file, experiment())


def test_the_record_of_another_file_is_ignored_and_this_is_said(weight_file, put_record):
    put_record()
    assert check_record(weight_file, experiment(color_rgb=True)) is None
    weight_file.write_bytes(b"trained further")
    line = check_record(weight_file, experiment())
    assert "WARNING" in line and "w.json is the record of other weights" in line and line.endswith("ignored")


@pytest.mark.parametrize(
    ("record", "config", "overrides"),
    [
        ({}, {}, "give DATASET.COLOR_RGB true (says w.json"),
        ({"color_order": "BGR"}, {"color_rgb": True}, "give DATASET.COLOR_RGB false (says"),
        ({"pixel_scale": 1.0}, {"color_rgb": True}, "give DATASET.PIXEL_SCALE 1 (says"),
        ({"pixel_scale": 127.5}, {}, "give DATASET.COLOR_RGB true DATASET.PIXEL_SCALE 127.5 (says"),
    ],
)
def test_other_pictures_are_an_error_that_says_what_to_give(weight_file, put_record, record, config, overrides):
    put_record(**record)
    with pytest.raises(UserError) as error:
        check_record(weight_file, experiment(**config))
    assert str(weight_file) in str(error.value) and overrides in str(error.value)


@pytest.mark.parametrize("part", ["pose network", "backbone"])
def test_other_pictures_are_a_warning_where_a_training_starts(weight_file, put_record, part):
    put_record(part=part)
    line = check_record(weight_file, experiment(), start=True)
    assert "WARNING" in line and "expects RGB pictures divided by 255: give DATASET.COLOR_RGB true" in line
    assert "\n" not in line


def test_a_mean_that_no_option_gives_is_said_as_such(weight_file, put_record):
    put_record(**CAFFE)
    line = check_record(weight_file, experiment(style="caffe", pixel_scale=1.0), start=True)
    assert "minus [103.939, 116.779, 123.68], over [1.0, 1.0, 1.0]" in line and "give" not in line.split("which")[0]
    put_record(**{**CAFFE, "part": "pose network"})
    with pytest.raises(UserError, match="minus"):
        check_record(weight_file, experiment(style="caffe", pixel_scale=1.0))


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(("has", "wants"), [("caffe", "pytorch"), ("pytorch", "caffe")])
def test_another_style_is_always_an_error(weight_file, put_record, has, wants, start):
    put_record(style=has)
    with pytest.raises(UserError, match=rf"of MODEL\.STYLE {has}, not {wants} .* give MODEL\.STYLE {has}"):
        check_record(weight_file, experiment(style=wants, color_rgb=True), start)


# -- the run folder --------------------------------------------------------------------------------------------------


@pytest.fixture
def put_run(weight_file):
    """Makes the weight file's folder that of a run with an experiment."""

    def put_run(**values):
        (weight_file.parent / "config.yaml").write_text(dump_config(experiment(**values)))

    return put_run


def test_a_run_folder_with_the_same_pictures_says_nothing(weight_file, put_run):
    put_run(color_rgb=True, pixel_scale=1.0, udp=True)
    assert check_record(weight_file, experiment(color_rgb=True, pixel_scale=1.0, udp=True)) is None


@pytest.mark.parametrize(
    ("trained", "overrides"),
    [
        ({"color_rgb": True}, "DATASET.COLOR_RGB true"),
        ({"pixel_scale": 1.0}, "DATASET.PIXEL_SCALE 1.0"),
        ({"udp": True}, "TEST.UDP true"),
        ({"color_rgb": True, "udp": True}, "DATASET.COLOR_RGB true TEST.UDP true"),
    ],
)
def test_a_run_with_other_pictures_is_an_error_and_for_a_start_a_warning(weight_file, put_run, trained, overrides):
    put_run(**trained)
    says = f"{weight_file} was trained with {overrides} (says {weight_file.parent / 'config.yaml'})"
    with pytest.raises(UserError) as error:
        check_record(weight_file, experiment())
    assert str(error.value) == f"{says}: give {overrides}"
    assert check_record(weight_file, experiment(), start=True) == f"=> WARNING: {says}; as a start that may do"
    put_run()
    with pytest.raises(UserError, match=overrides.replace("true", "false").replace("1.0", "255.0")):
        check_record(weight_file, experiment(**trained))


@pytest.mark.parametrize("start", [False, True])
def test_a_run_of_another_style_is_always_an_error(weight_file, put_run, start):
    put_run(style="caffe", color_rgb=True)
    with pytest.raises(UserError, match=r": give MODEL\.STYLE caffe DATASET\.COLOR_RGB true$"):
        check_record(weight_file, experiment(), start)


@pytest.mark.parametrize("content", ["OPTIMIZER: {NAME: adam}", "TRAIN: [1, 2\nMODEL: }", "words", ""])
def test_the_config_of_another_program_says_nothing(weight_file, content):
    (weight_file.parent / "config.yaml").write_text(content)
    assert check_record(weight_file, experiment(color_rgb=True)) == NOTHING.format(weight_file)


def test_the_record_counts_before_the_run_folder(weight_file, put_record, put_run):
    put_run(color_rgb=True)
    put_record(color_order="BGR")
    assert check_record(weight_file, experiment()) is None
