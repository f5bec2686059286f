"""A local server in the place of the publishers', and a network of one's own on it."""

import hashlib
import http.server
import threading

import pytest
import yaml
from foreign import original_weights, renamed, write_torch


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the folder `server.folder`; `server.faults`: {path: what goes wrong}. POSE_MIRROR points to it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self, head=False):
            fault = server.faults.get(self.path)
            path = server.folder / self.path.strip("/")
            if fault == "redirect":
                self.send_response(302)
                self.send_header("Location", f"{self.path}.moved")
                self.end_headers()
                return
            if self.path.endswith(".moved"):
                path = server.folder / self.path.removesuffix(".moved").strip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(10**15 if fault == "huge" else len(data)))
            self.end_headers()
            if not head:
                server.sent.append(self.path)
                self.wfile.write(data[: len(data) // 2] if fault == "half" else data)

        def do_HEAD(self):
            self.do_GET(head=True)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder, server.faults, server.sent = tmp_path / "server", {}, []
    server.folder.mkdir()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("POSE_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("POSE_HOME", str(tmp_path / "models"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()


@pytest.fixture
def publish(paddle, server, tmp_path, monkeypatch):
    """Puts a seeded network of depth 18 on the server under mmpose's names, and in an index of one's own."""
    from lib.models.pose_resnet import PoseResNet

    def publish(name="own_resnet18_64x64", joints=16, filters=(16, 16, 16), **values):
        network = PoseResNet(18, joints, deconv_filters=filters, deconv_kernels=(4,) * len(filters))
        path = server.folder / "weights.pth"
        write_torch(path, renamed(original_weights(network), "mmpose 1.x"))
        side = 64 // 32 * 2 ** len(filters)
        entry = {
            "url": "https://example.org/weights.pth", "depth": 18,
            "sha256_begins": hashlib.sha256(path.read_bytes()).hexdigest()[:8],
            "deconv_filters": list(filters), "input_size": [64, 64], "heatmap_size": [side, side],
            "skeleton": "mpii", "source": "mmpose of nobody", "published": [{"Mean": 50.0, "on": "a toy"}], **values,
        }  # fmt: skip
        index = tmp_path / "own.yaml"
        index.write_text(yaml.safe_dump({name: entry}))
        monkeypatch.setenv("POSE_ZOO", str(index))
        return network

    return publish
