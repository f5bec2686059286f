"""Checks what of this project runs on the CUDA GPU, and says what to do if something does not."""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict

import _init_paths  # noqa: F401

from lib.device.device import gpu_numbers
from lib.training.gpu_check import Finding, driver_findings, network_findings, onnx_findings, paddle_findings
from lib.utils.errors import UserError, gpu_problem
from lib.utils.parser import OneLineParser
from lib.utils.runtime import run_script

EPILOG = """
Prints a table: driver, GPUs and their compute capability; Paddle with its CUDA and cuDNN; the providers of ONNX
Runtime; then the network (ResNet-50, 256x256) on the GPU against the CPU, its time and memory. Each part runs in a
process of its own, so that a crash of CUDA ends none of the others.
Exit code 0: everything runs on the GPU; 1: something does not.
"""
PARTS = ("driver", "paddle", "network", "onnx")
SECONDS = 600  # for one part


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", default="0", metavar="N", help="number of the GPU to check (default %(default)s)")
    parser.add_argument("--model", metavar="FILE.onnx", help="ONNX file to run (default: one is exported)")
    parser.add_argument("--part", choices=PARTS, help="only one part of the checks")
    parser.add_argument("--json", action="store_true", help="print the findings as lines of JSON")
    arguments = parser.parse_args()
    arguments.gpu = next(iter(gpu_numbers(arguments.gpus)), None)
    if arguments.gpu is None:
        raise UserError(f"--gpus {arguments.gpus}: expected the number of a GPU, such as 0")
    return arguments


def findings_of(part: str, arguments: argparse.Namespace) -> list[Finding]:
    """The findings of one part, in this process."""
    if part == "driver":
        return list(driver_findings())
    if part == "onnx":
        return list(onnx_findings(arguments.model))
    return list((paddle_findings if part == "paddle" else network_findings)(arguments.gpu))


def findings_apart(part: str, arguments: argparse.Namespace) -> list[Finding]:
    """The findings of one part, in a process of its own; what ends that process is a finding too."""
    command = [sys.executable, __file__, "--json", "--part", part, "--gpus", str(arguments.gpu)]
    command += ["--model", arguments.model] if arguments.model else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return [Finding(part, "failed", f"no answer within {SECONDS} seconds: restart the machine, or see nvidia-smi")]
    found = [Finding(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"subject"')]
    if done.returncode not in (0, 1) or not found:
        said = done.stderr.strip()
        found.append(Finding(part, "failed", gpu_problem(said) or " ".join(said.split())[-300:] or "the process died"))
    return found


def main() -> None:
    arguments = parse_arguments()
    findings: list[Finding] = []
    for part in (arguments.part,) if arguments.part else PARTS:
        if part == "network" and any(finding.problem for finding in findings):
            continue  # Paddle cannot use the GPU
        found = (findings_of if arguments.part else findings_apart)(part, arguments)
        findings += found
        for finding in found:
            line = json.dumps(asdict(finding)) if arguments.json else f"{finding.subject:18} {finding.answer}"
            print(line, flush=True)
    problems = [finding.problem for finding in findings if finding.problem]
    if not arguments.json:
        for problem in problems:
            print(f"problem: {problem}")
        print("=> not everything runs on the GPU" if problems else "=> everything runs on the GPU")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    run_script(main)
