"""Which requirements file serves which NVIDIA GPU and driver. Standard library only: it runs before any installation.

Paddle's wheels hold machine code, and hardly any PTX that a driver could compile for another GPU. Machine code for
compute capability 8.0 runs on 8.x, not on 9.0 and not on 7.5. Drivers run programs of any CUDA 12 from 525.60.13 on,
and of any CUDA 11 from 450.80.02 on (NVIDIA's "CUDA Compatibility", minor version compatibility).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPU_FILE = "requirements/cpu.txt"


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi describes it. capability: such as (8, 6); None if the driver is too old to say."""

    name: str
    capability: tuple[int, int] | None
    driver: str

    def __str__(self) -> str:
        capability = f"compute capability {dotted(self.capability)}, " if self.capability else ""
        return f"{self.name}, {capability}driver {self.driver}"


@dataclass(frozen=True)
class Family:
    """Paddle and ONNX Runtime for one version of CUDA.

    cuda: as paddle.version.cuda() gives it. minors: {major compute capability: least minor} that the wheel has code
    for. driver: the oldest that runs it. besides: what must be installed that pip does not bring. python: the newest
    that it has wheels for.
    """

    file: str
    cuda: str
    minors: dict[int, int]
    driver: str
    besides: str = ""
    python: tuple[int, int] = (3, 13)

    def has_code_for(self, capability: tuple[int, int] | None) -> bool:
        """Whether the wheel can run on a GPU; an unknown capability counts as one that it can."""
        if capability is None:
            return True
        major, minor = capability
        return major in self.minors and minor >= self.minors[major]

    def takes_driver(self, driver: str) -> bool:
        """Whether a driver is new enough."""
        return _numbers(driver) >= _numbers(self.driver)

    def serves(self, gpu: Gpu) -> bool:
        """Whether a GPU with its driver can run this family."""
        return self.has_code_for(gpu.capability) and self.takes_driver(gpu.driver)

    def index(self, root: Path = ROOT) -> str:
        """The address of Paddle's own package index in the requirements file, '' if it needs none."""
        found = re.search(r"^--extra-index-url\s+(\S+)", (root / self.file).read_text(encoding="utf-8"), re.MULTILINE)
        return found[1] if found else ""


# In the order of preference. Paddle 2.6.2's code: read in its wheel. Paddle 3's: from its build files and from reports
# of its users (issue 4682 of PaddleX: CUDA 12.9's wheel does not run on a GTX 1080); nobody here could read the wheels.
FAMILIES = (
    Family("requirements.txt", "12.6", {6: 1, 7: 0, 8: 0, 9: 0}, "525.60.13"),
    Family("requirements/cuda129.txt", "12.9", {7: 0, 8: 0, 9: 0, 10: 0, 12: 0}, "570.26"),
    Family(
        "requirements/cuda11.txt", "11.8", {6: 1, 7: 0, 8: 0}, "450.80.02",
        "CUDA 11.8 and cuDNN 8.6 must be installed, see docs/gpu.md", (3, 12),
    ),
)  # fmt: skip


def family_of(cuda: str) -> Family | None:
    """The family of an installed Paddle by its paddle.version.cuda(), None for a version that is not ours."""
    return next((family for family in FAMILIES if family.cuda == cuda), None)


def choose_family(gpus: list[Gpu]) -> tuple[Family | None, list[str]]:
    """The family that serves most of the GPUs, None if none serves any; and lines that say why."""
    best = max(FAMILIES, key=lambda family: sum(map(family.serves, gpus)))  # the first of equals
    if not any(map(best.serves, gpus)):
        return None, [why_none(gpu) for gpu in gpus]
    lines = [f"{best.file} is for CUDA {best.cuda} and needs driver {best.driver} or newer"]
    if best.besides:
        lines.append(best.besides)
    served = [str(number) for number, gpu in enumerate(gpus) if best.serves(gpu)]
    for number, gpu in enumerate(gpus):
        if not best.serves(gpu):
            lines.append(f"GPU {number}, {gpu.name}, cannot run it: set CUDA_VISIBLE_DEVICES={','.join(served)}")
    return best, lines


def why_none(gpu: Gpu) -> str:
    """Why no family serves a GPU, and what to do."""
    with_code = [family for family in FAMILIES if family.has_code_for(gpu.capability)]
    if not with_code:
        return f"{gpu}: no Paddle wheel has code for this GPU; they have it for 6.1, 7.0 to 9.0, 10.x and 12.x"
    oldest = min(with_code, key=lambda family: _numbers(family.driver))
    return f"{gpu}: the driver is too old; install NVIDIA driver {oldest.driver} or newer, then run make setup again"


def parse_gpus(text: str) -> list[Gpu]:
    """The GPUs in nvidia-smi's lines `name, compute capability, driver`, or `name, driver` of an old driver.

    Raises ValueError for lines of another form.
    """
    gpus = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, *rest = (part.strip() for part in line.rsplit(",", 2 if line.count(",") > 1 else 1))
        capability = re.fullmatch(r"(\d+)\.(\d+)", rest[0]) if len(rest) == 2 else None
        if not rest or not re.fullmatch(r"\d+(\.\d+)+", rest[-1]):
            raise ValueError(f"unexpected line {line[:80]!r}")
        gpus.append(Gpu(name, (int(capability[1]), int(capability[2])) if capability else None, rest[-1]))
    return gpus


def dotted(capability: tuple[int, int]) -> str:
    """(8, 6) as 8.6."""
    return f"{capability[0]}.{capability[1]}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
