"""OpenVINO's tests, in a process of their own: with OpenVINO 2026.4 and Paddle 3.3 in one process, in some orders of
the tests, the process ended with a segmentation fault."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_openvino_runs_exported_files(root):
    pytest.importorskip("openvino")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", Path(__file__).with_name("openvino_checks.py")]
    answer = subprocess.run(list(map(str, command)), cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-5000:] + answer.stderr[-2000:]
