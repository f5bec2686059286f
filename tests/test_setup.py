"""make setup, with nvidia-smi played by a script and stand-ins of all packages on local package indices."""

import http.server
import io
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# what the ranges in requirements must choose from, newest last; extras of onnxruntime-gpu as PyPI has them
PYPI = {
    "paddlepaddle": ["2.6.2", "3.3.1"], "paddlepaddle-gpu": ["2.6.2"], "onnxruntime": ["1.18.1", "1.32.0"],
    "onnxruntime-gpu": ["1.18.1", "1.26.0", "1.31.1"], "numpy": ["1.26.4", "2.4.6"], "setuptools": ["80.9.0", "81.0.0"],
    "onnx": ["1.17.0", "1.18.0"], "paddle2onnx": ["1.3.1", "2.1.0"], "nvidia-cudnn-cu12": ["9.5.1.17"],
    "nvidia-cuda-runtime-cu12": ["12.6.77"], "nvidia-cudnn-cu13": ["9.9.0"],
}  # fmt: skip
CUDA_EXTRAS = {"1.26.0": "12", "1.31.1": "13"}


def wheel(name, version):
    """The bytes of an empty package."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if name == "onnxruntime-gpu" and version in CUDA_EXTRAS:
        lines += ["Provides-Extra: cuda", "Provides-Extra: cudnn"]
        lines.append(f'Requires-Dist: nvidia-cudnn-cu{CUDA_EXTRAS[version]}; extra == "cudnn"')
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{folder}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", "")
    return content.getvalue()


def lowest(root):
    """{package: a version that the requirements files take} of those that are not in PYPI."""
    lines = [line for path in (root / "requirements").glob("*.txt") for line in path.read_text().splitlines()]
    found = (re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)", line) for line in lines)
    return {match[1].replace("_", "-").lower(): [match[2]] for match in found if match and match[1] not in PYPI}


@pytest.fixture
def server(root):
    """Serves /pypi/<name>/ and /paddle/<name>/; its `gone` hides Paddle's."""
    packages = {"pypi": {**lowest(root), **PYPI}, "paddle": {"paddlepaddle-gpu": ["3.3.1"]}}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            index, name, *file = self.path.strip("/").split("/")
            versions = packages[index].get(name)
            if versions is None or (index == "paddle" and self.server.gone):
                self.send_error(404)
                return
            if file:
                content = wheel(name, file[0].split("-")[1])
            else:
                names = [f"{name.replace('-', '_')}-{version}-py3-none-any.whl" for version in versions]
                links = "".join(f'<a href="/{index}/{name}/{wheel_name}">{wheel_name}</a>' for wheel_name in names)
                content = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if file else "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.gone = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def setup(root, server, tmp_path):
    """Runs make setup in a copy of the project; returns what it said, and {package: version} of what is installed."""
    project = tmp_path / "project"
    shutil.copytree(root / "requirements", project / "requirements")
    shutil.copytree(root / "lib" / "device", project / "lib" / "device")
    for name in ("Makefile", "requirements.txt", "lib/__init__.py"):
        shutil.copy(root / name, project / name)
    address = f"http://127.0.0.1:{server.server_port}"
    for path in (project / "requirements.txt", project / "requirements" / "cuda129.txt"):
        text, count = re.subn(r"https://www\.paddlepaddle\.org\.cn/\S+", f"{address}/paddle/", path.read_text())
        assert count == 1
        path.write_text(text)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")

    def setup(gpu=None, *words):
        if gpu:
            (tools / "nvidia-smi").write_text(f'#!/bin/sh\necho "{gpu}"\n')
            (tools / "nvidia-smi").chmod(0o755)
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin", "PIP_INDEX_URL": f"{address}/pypi/", "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "no_proxy": "127.0.0.1", "HOME": str(tmp_path),
        }  # fmt: skip
        done = subprocess.run(
            ["make", "setup", *words], cwd=project, capture_output=True, text=True, env=environment, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        installed = project.glob(".venv/lib/python3*/site-packages/*.dist-info")
        packages = dict(path.name.removesuffix(".dist-info").replace("_", "-").rsplit("-", 1) for path in installed)
        return done.stdout + done.stderr, packages

    return setup


def of(packages, *names):
    return [packages.get(name, "") for name in names]


ABOUT = ("paddlepaddle", "paddlepaddle-gpu", "onnxruntime", "onnxruntime-gpu", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13")


def test_a_gpu_gets_paddle_from_its_own_index_and_cuda_12_throughout(setup):
    said, packages = setup("Tesla V100, 7.0, 535.104.05")
    assert "=> GPU 0: Tesla V100, compute capability 7.0, driver 535.104.05" in said
    assert "=> installing requirements.txt into .venv" in said
    assert of(packages, *ABOUT) == ["", "3.3.1", "", "1.26.0", "9.5.1.17", ""]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Paddle 2.6.2, the last for CUDA 11.8, has no wheel for 3.13")
def test_an_old_driver_gets_cuda_11_from_pypi(setup):
    said, packages = setup("Tesla V100, 7.0, 460.32.03")
    assert "CUDA 11.8 and cuDNN 8.6 must be installed" in said
    assert of(packages, *ABOUT, "numpy", "onnx") == ["", "2.6.2", "", "1.18.1", "", "", "1.26.4", "1.17.0"]


def test_without_the_index_the_cpus_packages_come_and_later_the_gpus_replace_them(setup, server):
    server.gone = True
    said, packages = setup("Tesla V100, 7.0, 535.104.05")
    assert "paddlepaddle-gpu/ cannot be reached (Not Found): requirements/cpu.txt for now" in said
    assert of(packages, *ABOUT) == ["3.3.1", "", "1.32.0", "", "", ""]
    server.gone = False
    said, packages = setup(None, "REQUIREMENTS=requirements.txt")
    assert "=> installing requirements.txt into .venv" in said
    assert of(packages, *ABOUT) == ["", "3.3.1", "", "1.26.0", "9.5.1.17", ""]  # nothing is left of the CPU's
    said, _ = setup(None, "REQUIREMENTS=requirements.txt")
    assert "installing" not in said


def test_without_a_gpu_the_cpus_packages_come(setup):
    said, packages = setup()
    assert "no NVIDIA GPU was found (there is no nvidia-smi): requirements/cpu.txt" in said
    assert of(packages, *ABOUT) == ["3.3.1", "", "1.32.0", "", "", ""]
