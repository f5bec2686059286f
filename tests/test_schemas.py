"""docs/schemas: what the scripts write is as the schemas say, and the schemas say all of it."""

import json
import re
from dataclasses import fields

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx_toy")

from onnx_toy import metadata  # noqa: E402
from written import FRAMES, Written, lines_of  # noqa: E402

from lib.core.skeletons import MPII, Skeleton  # noqa: E402
from lib.deploy.model_metadata import METADATA_KEY, ModelMetadata, from_json  # noqa: E402
from lib.utils.errors import UserError  # noqa: E402


@pytest.fixture
def written(tmp_path, run_main):
    return Written(tmp_path, run_main)


@pytest.fixture(scope="session")
def schema(root):
    return lambda name: json.loads((root / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def check(schema):
    """Fails where a value is not as a schema says, or has a key that it does not describe."""
    jsonschema = pytest.importorskip("jsonschema")

    def check(value, name):
        jsonschema.Draft202012Validator.check_schema(schema(name))
        jsonschema.Draft202012Validator(closed(schema(name))).validate(value)

    return check


def closed(part):
    """A schema whose objects have no keys but those that it describes: users' schemas let later keys through."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    shut = {key: closed(value) for key, value in part.items()}
    return {**shut, "additionalProperties": False} if isinstance(part.get("properties"), dict) else shut


@pytest.mark.parametrize("script", ["deploy", "infer"])
def test_a_pictures_file(written, check, script):
    pictures = written.pictures
    out = written.run("deploy", pictures) if script == "deploy" else written.infer("--img-file", pictures)
    for name in ("000000000785", "a"):
        entries = json.loads((out / f"{name}_pose.json").read_text())
        check(entries, "pictures")
        assert [entry["version"] for entry in entries] == [1]


def test_a_picture_of_nobody(written, check, tmp_path):
    (tmp_path / "none.json").write_text(json.dumps([{"image_id": "one", "bbox": [1, 2, 30, 40], "score": 0.01}]))
    out = written.run("deploy", written.picture, boxes=tmp_path / "none.json")
    entries = json.loads((out / "one_pose.json").read_text())
    assert entries == []
    check(entries, "pictures")


@pytest.mark.parametrize("script", ["deploy", "infer"])
def test_a_videos_lines(written, check, script):
    out = written.run("deploy", written.clip) if script == "deploy" else written.infer("--img-file", written.clip)
    lines = lines_of(out / "clip_pose.jsonl")
    assert len(lines) == FRAMES and all(line["persons"] for line in lines)
    for line in lines:
        check(line, "video-frame")
        assert line["version"] == 1 and "track_id" not in line["persons"][0]


@pytest.mark.parametrize("source", ["clip", "frames"])
@pytest.mark.parametrize(("script", "words"), [("track", ()), ("deploy", ("--track",))])
def test_a_tracked_clips_lines_are_of_the_same_form(written, check, source, script, words):
    first = 1 if source == "frames" else 0
    out = written.run(script, getattr(written, source), *words, boxes=written.moving_boxes(first))
    lines = lines_of(out / f"{source}_track.jsonl")
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    for line in lines:
        check(line, "video-frame")
        (person,), (annotation,) = line["persons"], line["annotations"]
        assert person["track_id"] == annotation["track_id"] == 1
        assert person["image_id"] == line["frame"] + first  # a picture's number is in its name
        assert person["keypoints"][:2] == pytest.approx(annotation["keypoints"][:2], abs=0.001)
    tracks = json.loads((out / f"{source}_track.json").read_text())
    check(tracks, "tracks")
    assert tracks["version"] == 1 and len(tracks["annotations"]) == FRAMES


def test_tracks_that_infer_writes(written, check):
    out = written.infer("--img-file", written.clip, "--track")
    lines = lines_of(out / "clip_track.jsonl")
    assert len(lines) == FRAMES
    for line in lines:
        check(line, "video-frame")
    check(json.loads((out / "clip_track.json").read_text()), "tracks")


@pytest.mark.parametrize(
    "about", [metadata(), metadata(skeleton=MPII, decode="dark", config_digest="0" * 64), metadata(unbiased=True)]
)
def test_a_models_metadata(check, about):
    check(json.loads(about.to_json()), "model-metadata")


def test_an_exported_networks_metadata(check, written):
    onnx = pytest.importorskip("onnx")
    (item,) = onnx.load(written.model).metadata_props
    assert item.key == METADATA_KEY
    check(json.loads(item.value), "model-metadata")


def test_the_schema_has_every_field_of_the_metadata(schema):
    properties = schema("model-metadata")["properties"]
    assert list(properties) == ["version", *sorted_fields(ModelMetadata, properties)]
    inner = properties["skeleton"]["properties"]
    assert list(inner) == sorted_fields(Skeleton, inner)


def sorted_fields(kind, properties):
    names = {field.name for field in fields(kind)}
    return [name for name in properties if name in names] + sorted(names - set(properties))


def test_a_person_is_the_same_in_pictures_and_videos(schema):
    picture, video = schema("pictures")["items"]["properties"], schema("video-frame")["$defs"]["person"]["properties"]
    assert {**picture, "track_id": video["track_id"]} == {**video, "version": picture["version"]}
    frame, tracks = schema("video-frame"), schema("tracks")
    assert all(frame["$defs"][name] == tracks["$defs"][name] for name in ("image", "annotation"))


def test_the_code_of_the_page_runs(root, written, monkeypatch, tmp_path):
    pytest.importorskip("jsonschema")
    text = (root / "docs" / "files.md").read_text(encoding="utf-8")
    reading, checking = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "docs").symlink_to(root / "docs")
    out = written.run("track", written.clip, "--output", tmp_path / "output" / "track")
    assert out.parent == tmp_path
    (tmp_path / "output" / "onnx").mkdir()
    (tmp_path / "output" / "onnx" / "posenet.onnx").write_bytes(written.model.read_bytes())
    monkeypatch.chdir(tmp_path)
    values = {}
    exec(reading, values)
    assert values["metadata"] == json.loads(metadata().to_json())
    exec(checking, values)
    assert values["line"]
    with open("output/track/clip_track.jsonl", "a", encoding="utf-8") as file:
        file.write('{"version": 1, "frame": -1, "seconds": 0, "persons": []}')
    with pytest.raises(values["jsonschema"].ValidationError, match="-1 is less than the minimum of 0"):
        exec(checking, values)


@pytest.mark.parametrize(
    ("change", "said"), [({"version": 2}, "version 2 is newer than what this release reads, 1"),
                         ({"version": "1"}, "a version of '1'; expected a whole number from 1 on")]
)  # fmt: skip
def test_metadata_of_a_newer_version_is_refused(change, said):
    with pytest.raises(UserError, match=said):
        from_json(json.dumps({**json.loads(metadata().to_json()), **change}))


def test_metadata_without_a_version_is_read():
    values = json.loads(metadata().to_json())
    assert values.pop("version") == 1
    assert from_json(json.dumps(values)).image_size == metadata().image_size
