"""A published row measured again: the settings it was published with, and how far the figures are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluation.report import describe_run
from ..utils.errors import UserError
from ..utils.files import write_json

if TYPE_CHECKING:
    from ..config.schema import Config
    from .index import Network

# {a publisher's figure: ours}, the deciding one first. Not AUC: publishers take other thresholds. Nor "Whole AP" and
# the figures of CrowdPose, JHMDB and PoseTrack18, whose definitions are their own
OF_COCO = {
    "AP": "AP", "AP@0.5": "Ap .5", "AP@0.75": "AP .75", "AP (M)": "AP (M)", "AP (L)": "AP (L)", "AR": "AR",
    "AR@0.5": "AR .5", "AR@0.75": "AR .75",
}  # fmt: skip
OF_MPII = {"Mean": "Mean", "Mean@0.1": "Mean@0.1"}
OF_OTHERS = {**OF_COCO, "PCK@0.2": "PCK@0.2", "EPE": "EPE"}
OWN_DEFINITIONS = ("coco_wholebody", "crowdpose", "jhmdb", "posetrack18")
SHARES = tuple(OF_COCO.values())  # we give them from 0 to 1; PCK, PCKh and EPE are percent and pixels
DATA = {"mpii": ("mpii_annotations", "mpii_images"), "coco": ("coco_val2017",)}  # {skeleton: names in data.yaml}
BOXES = "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
BOXES_FROM = "https://github.com/microsoft/human-pose-estimation.pytorch, section Data preparation"


@dataclass(frozen=True)
class Comparison:
    """A figure as published and as measured, in points of 100."""

    figure: str
    published: float
    measured: float

    @property
    def difference(self) -> float:
        """Measured minus published."""
        return self.measured - self.published


def figures_of(network: Network) -> dict[str, str]:
    """{figure of the first published row: ours}, the deciding one first. Raises UserError where there is none."""
    known = OF_MPII if network.skeleton == "mpii" else OF_OTHERS
    row = network.published[0] if network.published and network.skeleton not in OWN_DEFINITIONS else {}
    figures = {name: ours for name, ours in known.items() if name in row}
    if not figures:
        what = f"none of its published figures ({network.figure()})" if network.published else "no published figure"
        raise UserError(f"{network.name} cannot be compared: {what} is measured here as its publisher does")
    return figures


def published_settings(network: Network, annotated_boxes: bool) -> dict[str, Any]:
    """{dotted key: value} that a row was published with, besides what the network says; see `Network.settings`.

    Only COCO's rows are of detected boxes; annotated_boxes takes the annotations' there, too.
    """
    settings: dict[str, Any] = {"TEST.FLIP_TEST": True, "TEST.SHIFT_HEATMAP": True}
    if network.skeleton != "mpii":
        settings["TEST.USE_GT_BBOX"] = annotated_boxes or network.skeleton != "coco"
        settings["TEST.COCO_BBOX_FILE"] = BOXES
        settings["TEST.METRIC"] = "ap" if "AP" in figures_of(network) else "pck"
    return settings


def data_of(network: Network) -> tuple[str, ...]:
    """Names of the data sets that a row was measured on. Raises UserError where the index has none."""
    if network.skeleton not in DATA:
        on = network.published[0].get("on", "its publisher's data")
        raise UserError(
            f"{on} is not in the index: get it from its publisher, then give DATASET.ROOT FOLDER and DATASET.TEST_SET "
            "NAME of FOLDER/annotations/person_keypoints_NAME.json, which has COCO's form"
        )
    return DATA[network.skeleton]


def check_boxes(config: Config) -> None:
    """Raises UserError where the publisher's detected boxes are not there, and says what else there is."""
    path = Path(config.test.coco_bbox_file)
    if config.test.use_gt_bbox or path.is_file():
        return
    raise UserError(
        f"the published row has the boxes of {path}, which is not there: it is linked from {BOXES_FROM}. Boxes of your "
        "own: detect.py, then TEST.COCO_BBOX_FILE FILE; annotated boxes, with which AP is higher: --annotated-boxes"
    )


def compare(network: Network, results: Mapping[str, float]) -> list[Comparison]:
    """The figures that a network's first published row and the results have in common, in points of 100; EPE in pixels.

    Raises UserError where there are none.
    """
    found = []
    for figure, ours in figures_of(network).items():
        if ours in results:
            value, measured = float(network.published[0][figure]), float(results[ours])
            published = value * (100 if abs(value) <= 1 and figure != "EPE" else 1)
            found.append(Comparison(figure, published, measured * (100 if ours in SHARES else 1)))
    if not found:
        raise UserError(f"nothing was measured that {network.name} was published with ({network.figure()})")
    return found


def is_reproduced(network: Network, rows: list[Comparison]) -> bool:
    """Whether the first figure is within the network's tolerance."""
    return math.isfinite(rows[0].difference) and abs(rows[0].difference) <= network.tolerance + 1e-9


def table_of(network: Network, rows: list[Comparison], count: int | None = None) -> list[str]:
    """The lines of the table and the verdict; count: of how many persons alone, which gives no verdict."""
    lines = ["| figure | published | measured | difference |", "|---|---|---|---|"]
    lines += [f"| {row.figure} | {row.published:.3f} | {row.measured:.3f} | {row.difference:+.3f} |" for row in rows]
    if count is not None:
        return [*lines, f"=> a quick look at the first {count} persons: no verdict, the row is of the whole set"]
    verdict = "reproduced" if is_reproduced(network, rows) else "not reproduced"
    first = f"{rows[0].figure} differs by {rows[0].difference:+.3f}"
    lines.append(f"=> {verdict}: {first}, tolerance {network.tolerance:g}")
    return lines


def write_reproduction(
    network: Network, config: Config, rows: list[Comparison], digest: str, path: Path, count: int | None = None
) -> None:
    """Writes what was compared, with versions, the weights' SHA-256 and the command; count: see `table_of`."""
    figures = [{**asdict(row), "difference": row.difference} for row in rows]
    content = {
        "network": network.name, "source": network.source, "url": network.url, "weights_sha256": digest,
        "reproduced": is_reproduced(network, rows) if count is None else None, "quick_look_persons": count,
        "tolerance": network.tolerance, "figures": figures,
        "test": config.test.model_dump(by_alias=True, mode="json"), **describe_run(f"GPUS {config.gpus}"),
    }  # fmt: skip
    write_json(content, path)
