"""Experiments, overrides, skeletons, records and an exported model's metadata that are not what they should be."""

import json
from pathlib import Path

import yaml
from damage import JUNK, changed_text, changed_tree
from hypothesis import given
from hypothesis import strategies as st

from lib.config.config import FIELDS, KNOWN_KEYS, dump_config, parse_overrides, read_config
from lib.config.schema import Config
from lib.config.skeleton_file import read_skeleton
from lib.core.skeletons import MPII
from lib.deploy.model_metadata import ModelMetadata, from_json
from lib.weights.weight_record import parse_record

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = [
    (ROOT / "experiments" / name).read_text(encoding="utf-8")
    for name in ("mini/mpii_resnet18_64x64.yaml", "custom/lsp_resnet18_128x128.yaml")
]
TREES = [yaml.safe_load(text) for text in EXPERIMENTS]
RECORD = {
    "source": "w.pth", "kind": "mmpose", "part": "pose network", "color_order": "RGB", "mean": [0.485, 0.456, 0.406],
    "deviation": [0.229, 0.224, 0.225], "pixel_scale": 255.0, "style": "pytorch", "depth": 50, "joint_count": 16,
    "image_size": [256, 256], "sha256": "",
}  # fmt: skip
SKELETON = {"name": "mine", "joints": ["a", "left_b", "right_b"], "limbs": [["a", "left_b"]],
            "flip_pairs": [["left_b", "right_b"]], "SIGMAS": [0.1, 0.1, 0.1]}  # fmt: skip
METADATA = json.loads(ModelMetadata(MPII, (256, 256)).to_json())


def use_config(path, overrides=None):
    """Reads an experiment and what scripts ask of it; written out, it means the same."""
    config = read_config(path, overrides, warn=lambda line: None)
    skeleton = config.skeleton
    assert len(skeleton.joints) == config.model.num_joints
    skeleton.flip_pairs, skeleton.limb_indices, skeleton.groups, config.dataset_root  # noqa: B018
    path.write_text(dump_config(config), encoding="utf-8")
    assert read_config(path) == config


def write_utf8(path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@given(tree=st.sampled_from(TREES).flatmap(changed_tree))
def test_experiments_with_other_values(attempt, place, tree):
    path = write_utf8(place / "e.yaml", json.dumps(tree))  # JSON is YAML
    attempt("experiments", use_config, path)


@given(text=changed_text(EXPERIMENTS))
def test_experiments_with_other_text(attempt, place, text):
    attempt("experiments' text", use_config, write_utf8(place / "t.yaml", text))


VALUES = st.one_of(JUNK.map(str), JUNK.map(json.dumps), changed_text(["[64, 64]", "{a: &a [1]}", "1e-3"]))


@given(words=st.lists(st.tuples(st.sampled_from(sorted({*FIELDS, *KNOWN_KEYS, "TRAIN.LRR"})), VALUES), max_size=3))
def test_overrides(attempt, place, words):
    path = write_utf8(place / "o.yaml", EXPERIMENTS[0])
    attempt("overrides", lambda: use_config(path, parse_overrides([word for pair in words for word in pair])))


@given(content=changed_tree(SKELETON))
def test_skeleton_files(attempt, place, content):
    path = write_utf8(place / "s.json", json.dumps(content))

    def use():
        skeleton = read_skeleton(str(path))
        skeleton.flip_pairs, skeleton.limb_indices, skeleton.groups  # noqa: B018

    attempt("skeleton files", use)


@given(content=changed_tree(RECORD))
def test_records_of_weights(attempt, place, content):
    path = write_utf8(place / "w.json", json.dumps(content))

    def use():
        record = parse_record(path)
        if record is not None:
            record.describe_pictures(), record.overrides_for(Config().dataset)

    attempt("records of weights", use)


def use_metadata(text):
    metadata = from_json(text)
    metadata.skeleton.groups  # noqa: B018
    assert from_json(metadata.to_json()).skeleton.flip_pairs == metadata.skeleton.flip_pairs


@given(content=changed_tree(METADATA))
def test_metadata_of_models(attempt, content):
    attempt("ONNX metadata", use_metadata, json.dumps(content))


@given(text=changed_text([json.dumps(METADATA), "[" * 2000]))
def test_metadata_that_is_hardly_json(attempt, text):
    attempt("ONNX metadata's text", use_metadata, text)
