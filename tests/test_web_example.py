"""examples/web: the JavaScript agrees with lib/ in node, and the page in headless Chromium with deploy.py."""

import contextlib
import json
import queue
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from lib.core.heatmap import get_final_preds
from lib.core.skeletons import COCO
from lib.core.transforms import crop_of_box, get_affine_transform
from lib.deploy.model_metadata import METADATA_KEY
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.utils.image import STD, crop_person, crops_to_input, read_image

onnx_toy = pytest.importorskip("onnx_toy")

OLD_OPENCV = cv2.__version__.startswith("4.")
CALL = """
import { readFileSync } from "node:fs";
import * as pose from %s;
const bytesOf = (path) => new Uint8Array(readFileSync(path));
const opened = (value) => {
  if (value?.bytes) return bytesOf(value.bytes);
  if (value?.floats) return new Float32Array(bytesOf(value.floats).buffer);
  return value?.picture ? { ...value, data: bytesOf(value.picture) } : value;
};
const [name, ...words] = JSON.parse(readFileSync(0, "utf-8"));
const answer = typeof pose[name] === "function" ? pose[name](...words.map(opened)) : pose[name];
console.log(JSON.stringify(answer instanceof Float32Array ? [...answer] : answer));
"""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
MANY = """
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from %s;
import { estimatePose, loadModel } from %s;
const [model, pictures, answer] = JSON.parse(readFileSync(0, "utf-8"));
const loaded = await loadModel(ort, new Uint8Array(readFileSync(model)));
const found = [];
for (const { file, width, height, boxes } of pictures) {
  const picture = { data: new Uint8Array(readFileSync(file)), width, height };
  for (const box of boxes) found.push(await estimatePose(loaded, picture, box));
}
writeFileSync(answer, JSON.stringify(found));
process.exit(0);  // whatever threads the runtime has
"""
# holds the example's own page, and sends what it says
WATCHER = """<!doctype html><iframe src="index.html?%s" width="900" height="900"></iframe><script>
const text = (id) => document.querySelector("iframe").contentDocument?.getElementById(id)?.textContent ?? "";
const timer = setInterval(() => {
  if (!text("joints") && !text("status").startsWith("error")) return;
  clearInterval(timer);
  fetch("result", { method: "POST", body: JSON.stringify({ joints: text("joints"), status: text("status") }) });
}, 100);
</script>"""


@pytest.fixture
def javascript(root):
    """Calls a function of pose.js in node; {"bytes": path}, {"floats": path} and {"picture": path} stand for arrays."""
    if not shutil.which("node"):
        pytest.skip("needs node")
    source = CALL % json.dumps((root / "examples" / "web" / "pose.js").as_uri())

    def javascript(name, *words):
        command = ["node", "--input-type=module", "-e", source]
        done = subprocess.run(command, input=json.dumps([name, *words]), capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    return javascript


def test_the_metadata_of_an_exported_file(javascript, tmp_path):
    about = onnx_toy.metadata(mean=(0.1, 0.2, 0.3), image_size=(192, 256))
    model = onnx_toy.write_pose_network(tmp_path / "posenet.onnx", about)
    assert javascript("readMetadata", {"bytes": str(model)}) == json.loads(about.to_json())


def test_a_file_without_metadata_has_none(javascript, tmp_path):
    model = onnx_toy.write_pose_network(tmp_path / "posenet.onnx")
    assert javascript("readMetadata", {"bytes": str(model)}) is None


@pytest.mark.parametrize("cut", [slice(3, None), slice(0, -5)])
def test_a_file_that_is_no_whole_model_is_refused(javascript, tmp_path, cut):
    model = onnx_toy.write_pose_network(tmp_path / "posenet.onnx", onnx_toy.metadata())
    model.write_bytes(model.read_bytes()[cut])
    with pytest.raises(RuntimeError, match="not an ONNX file|not a whole ONNX file"):
        javascript("readMetadata", {"bytes": str(model)})


def test_metadata_of_a_newer_version_is_refused(javascript, tmp_path):
    text = json.dumps({**json.loads(onnx_toy.metadata().to_json()), "version": 2})
    model = onnx_toy.write_pose_network(tmp_path / "posenet.onnx", text)
    with pytest.raises(RuntimeError, match="metadata of the newer version 2"):
        javascript("readMetadata", {"bytes": str(model)})


def test_what_stands_for_missing_metadata_is_what_deploy_takes(javascript):
    assumed, ours = javascript("COCO"), json.loads(onnx_toy.metadata(skeleton=COCO).to_json())
    for key, value in assumed.pop("skeleton").items():
        assert value == ours["skeleton"][key], key
    for key, value in assumed.items():
        assert value == ours[key], key


@pytest.mark.parametrize("color_rgb", [False, True])
@pytest.mark.parametrize("box", [(20, 30, 90, 60), (-30.5, 5.25, 140.7, 160), (71, 41, 30, 50)])
def test_the_crop_is_that_of_opencv(javascript, tmp_path, box, color_rgb):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.float32)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    (tmp_path / "rgba").write_bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA).tobytes())
    about = json.loads(onnx_toy.metadata(image_size=(64, 96), color_rgb=color_rgb).to_json())
    crop = javascript("cropOfBox", box, about["image_size"], about["padding"])
    center, scale = crop_of_box(box, (64, 96))
    assert crop["center"] == center.tolist() and crop["width"] == pytest.approx(scale[0] * 200, rel=1e-7)
    found = javascript("cropToInput", {"picture": str(tmp_path / "rgba"), "width": 160, "height": 120}, crop, about)
    expected = crop_person(picture, get_affine_transform(center, scale, 0, (64, 96)), (64, 96), color_rgb)
    apart = np.reshape(found, (3, 96, 64)) - crops_to_input(expected[None])[0]
    levels = np.abs(apart) * np.reshape(STD, (3, 1, 1)) * 255
    # OpenCV 4 rounds places to 1/32 of a pixel; 5.0 does not
    assert levels.max() < 4.5 and levels.mean() < 0.3


@pytest.mark.parametrize("decode", ["quarter", "none"])
def test_the_joints_of_heatmaps(javascript, tmp_path, decode):
    heatmaps = np.random.default_rng(1).normal(size=(1, 60, 16, 12)).astype(np.float32)
    heatmaps[0, 0] = -1  # no joint
    heatmaps[0, 1] = 0.5  # equal everywhere: the first
    for number, (x, y) in enumerate([(0, 0), (1, 5), (2, 5), (10, 5), (11, 5), (5, 1), (5, 14), (5, 15), (11, 15)], 2):
        heatmaps[0, number, y, x] = 9
    (tmp_path / "heatmaps").write_bytes(heatmaps.tobytes())
    box, size = (13.3, 20.1, 77.7, 110.3), (48, 64)
    center, scale = crop_of_box(box, size)
    points, scores = get_final_preds(heatmaps, center[None], scale[None], decode)
    crop = javascript("cropOfBox", box, size, 1.25)
    found = javascript("decodeHeatmaps", {"floats": str(tmp_path / "heatmaps")}, 60, 12, 16, decode)
    found = np.array(javascript("toPicture", found, crop, 12, 16))
    np.testing.assert_allclose(found[:, :2], points[0], atol=1e-4)
    np.testing.assert_allclose(found[:, 2], scores[0, :, 0], rtol=1e-6)


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(root):
    """onnxruntime-web's folder."""
    folder = root / "examples" / "web" / "node_modules" / "onnxruntime-web"
    if not folder.is_dir():
        pytest.skip("needs onnxruntime-web: npm install in examples/web")
    return folder


@pytest.fixture
def page(root, package, tmp_path):
    """Opens the example's page in headless Chromium with a model, a picture and more of its address; {name: joint}."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if OLD_OPENCV:
        pytest.skip("OpenCV 4 rounds the places of a crop to 1/32 of a pixel; the page agrees with OpenCV 5")
    if not browser:
        pytest.skip("needs Chromium: apt install chromium")
    site, answers = tmp_path / "site", queue.Queue()
    shutil.copytree(root / "examples" / "web", site, ignore=shutil.ignore_patterns("node_modules"))
    (site / "node_modules").symlink_to(package.parent)

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    def page(model, picture, more=""):
        shutil.copy(model, site / "model.onnx")
        shutil.copy(picture, site / picture.name)
        (site / "watch.html").write_text(WATCHER % f"model=model.onnx&picture={picture.name}{more}")
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site)))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            address = f"http://127.0.0.1:{server.server_port}/watch.html"
            command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", address]
            chromium = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(chromium.wait)
            stack.callback(chromium.terminate)
            answer = answers.get(timeout=120)
        assert answer["joints"], answer["status"]
        return json.loads(answer["joints"])

    return page


@pytest.fixture
def deployed(run_main, tmp_path):
    """The only person that deploy.py finds: {name: (x, y, score)}."""

    def deployed(model, picture, box, *words):
        given = ("--img", picture, "--model", model, "--bbox", *box, "--output", tmp_path / "out", "--provider", "cpu")
        code, said, error = run_main("deploy", *given, *words)
        assert code == 0, said + error
        (person,) = json.loads((tmp_path / "out" / f"{picture.stem}_pose.json").read_text())
        return dict(zip(person["joint_names"], np.reshape(person["keypoints"], (-1, 3)).tolist(), strict=True))

    return deployed


def assert_joints_agree(found, expected, name):
    assert list(found) == list(expected)
    apart = np.abs(np.array([*found.values()]) - np.array([*expected.values()]))
    pixels, score = apart[:, :2].max(), apart[:, 2].max()
    print(f"=> {name}: {len(found)} joints, at most {pixels:.6f} px and {score:.6f} of score apart")  # shown by -rP
    assert pixels < 0.1 and score < 0.01


def test_the_page_and_deploy_agree_on_a_file_with_metadata(page, deployed, tmp_path):
    model = onnx_toy.write_pose_network(tmp_path / "spots.onnx", onnx_toy.metadata())
    picture, box = tmp_path / "spots.png", (20, 30, 90, 100)
    cv2.imwrite(str(picture), onnx_toy.spotted_picture([(60, 70), (90, 50), (40, 110)]))
    found = page(model, picture, f"&box={','.join(map(str, box))}")
    assert_joints_agree(found, deployed(model, picture, box), "spots")


def with_plain_normalization(model, path, about=None):
    """A copy of MXNet's file without BatchNormalization's `spatial` = 0, whose weights are spatial all the same.

    ONNX Runtime for Python folds all of them into convolutions, the one for the web not that of the deconvolutions, and
    refuses the attribute there. about: ModelMetadata to write into it.
    """
    onnx = pytest.importorskip("onnx")
    content = onnx.load(model)
    for node in content.graph.node:
        kept = [item for item in node.attribute if (node.op_type, item.name) != ("BatchNormalization", "spatial")]
        del node.attribute[:]
        node.attribute.extend(kept)
    if about:
        onnx.helper.set_model_props(content, {METADATA_KEY: about.to_json()})
    onnx.save(content, str(path))
    return path


@pytest.mark.parametrize(
    ("name", "box", "says"),
    [
        ("photos/astronaut.png", (7, 0, 440, 512), True),
        ("photos/astronaut.png", (7, 0, 440, 512), False),
        ("photos/camera.png", (110.5, 60.25, 240, 420), True),
        ("coco4/images/val2017/000000000785.jpg", (280.79, 44.73, 218.7, 346.68), True),
    ],
    ids=["astronaut", "astronaut without metadata", "camera", "a JPEG of COCO"],
)
def test_the_page_and_deploy_agree_on_photographs(page, deployed, shared, tmp_path, name, box, says):
    pytest.importorskip("onnxruntime", minversion="1.19")  # 1.18 does not take this file's BatchNormalization
    model, picture = shared / "data" / "ultralight_simplepose.onnx", shared / "data" / name
    about = onnx_toy.metadata(skeleton=COCO, image_size=(192, 256), color_rgb=True) if says else None
    copy, more = with_plain_normalization(model, tmp_path / "copy.onnx", about), "" if says else "&joints=coco&rgb"
    found = page(copy, picture, f"&box={','.join(map(str, box))}{more}")
    expected = deployed(model, picture, box, "--dataset", "coco", "--rgb")
    assert max(score for _, _, score in expected.values()) > 0.5  # it sees the person
    assert_joints_agree(found, expected, name)


@pytest.mark.slow
def test_many_boxes_of_photographs_in_node(root, javascript, package, shared, tmp_path):
    """Those of annotations and of two photographs, each with ten others about it."""
    data, rng = shared / "data", np.random.default_rng(0)
    about = onnx_toy.metadata(skeleton=COCO, image_size=(192, 256), color_rgb=True)
    model = with_plain_normalization(data / "ultralight_simplepose.onnx", tmp_path / "model.onnx", about)
    (annotations,) = (data / "coco4" / "annotations").glob("*.json")
    people = json.loads(annotations.read_text())["annotations"]
    given = {path: [person["bbox"] for person in people if person["image_id"] == int(path.stem)]
             for path in sorted((data / "coco4" / "images").rglob("*.jpg"))}  # fmt: skip
    given[data / "photos" / "astronaut.png"] = [(7, 0, 440, 512)]
    given[data / "photos" / "camera.png"] = [(110.5, 60.25, 240, 420)]
    predictor, pictures, expected = OnnxPosePredictor(model, provider="cpu"), [], []
    for path, boxes in given.items():
        image, file = read_image(path), tmp_path / f"{path.stem}.rgba"
        file.write_bytes(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA).tobytes())
        many = np.repeat([box for box in boxes if box[2] > 20], 11, axis=0)
        is_other = np.arange(len(many))[:, None] % 11 > 0
        many = many + rng.normal(0, 0.1, many.shape) * np.tile(many[:, 2:], 2) * is_other
        keypoints, _ = predictor.predict(image, many)
        expected += keypoints.tolist()
        pictures.append({"file": str(file), "width": image.shape[1], "height": image.shape[0], "boxes": many.tolist()})
    runtime = package / "dist" / "ort.node.min.mjs"
    source = MANY % tuple(json.dumps(path.as_uri()) for path in (runtime, root / "examples" / "web" / "pose.js"))
    command = ["node", "--input-type=module", "-e", source]
    words = json.dumps([str(model), pictures, str(tmp_path / "answer.json")])
    done = subprocess.run(command, input=words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = np.array(json.loads((tmp_path / "answer.json").read_text()))[..., :2]
    apart = np.abs(found - np.array(expected)).max(axis=-1)
    far, near = int((apart > 0.1).sum()), apart[apart <= 0.1].max()
    print(f"=> {apart.size} joints of {len(apart)} boxes: {far} more than 0.1 px apart, the others {near:.6f}")
    # where two pixels of a heatmap are equally high, nearly
    assert far <= apart.size * (0.06 if OLD_OPENCV else 0.002)
