"""The forms of annotation that DATASET.DATASET names, one class each. A new form is a class here, named in FORMS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.skeletons import SKELETONS
from ..utils.errors import UserError
from .coco import annotated_persons, detected_persons, picture_paths
from .coco_truth import annotation_path, read_truth
from .mpii import read_mpii
from .posetrack import annotation_folder, posetrack_of_coco, read_posetrack

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from .coco_truth import CocoTruth
    from .joints_dataset import Persons


@dataclass(frozen=True)
class AnnotationForm:
    """A data set on the disk.

    root: its folder; skeleton: the joints that are wanted; image_size: (width, height) of the crops; data_format: how
    the images lie there (jpg, png, zip).
    """

    root: Path
    skeleton: Skeleton
    image_size: tuple[int, int]
    data_format: str

    def persons(self, image_set: str) -> Persons:
        """The annotated persons of a set. Raises UserError for bad or missing annotations."""
        raise NotImplementedError

    def annotation_path(self, image_set: str) -> Path:
        """Where a set's annotations are, or would be."""
        raise NotImplementedError

    def has_ground_truth(self, image_set: str) -> bool:
        """Whether a set has joints to compare with."""
        return True

    def default_metric(self) -> str:
        """What TEST.METRIC auto means."""
        return "pck"


class MPIIForm(AnnotationForm):
    """MPII's JSON, see `lib.dataset.mpii`."""

    def persons(self, image_set: str) -> Persons:
        count = len(self.skeleton.joints)
        return read_mpii(self.root, image_set, count, self.data_format, self.skeleton.indices)

    def annotation_path(self, image_set: str) -> Path:
        return self.root / "annot" / f"{image_set}.json"

    def has_ground_truth(self, image_set: str) -> bool:
        return image_set != "test"

    def default_metric(self) -> str:
        return "pckh" if self.skeleton is SKELETONS["mpii"] else "pck"


class COCOForm(AnnotationForm):
    """COCO's JSON, see `lib.dataset.coco`."""

    def persons(self, image_set: str) -> Persons:
        truth = self.ground_truth(image_set)
        return annotated_persons(truth, self.image_size, self._pictures(image_set, truth))

    def detected_persons(self, image_set: str, path: str, threshold: float) -> Persons:
        """The persons of a file of detected boxes with a score of at least `threshold`."""
        truth = self.ground_truth(image_set)
        pictures = self._pictures(image_set, truth)
        return detected_persons(truth, path, len(self.skeleton.joints), self.image_size, pictures, threshold)

    def ground_truth(self, image_set: str) -> CocoTruth:
        """What the annotation file says; COCO's own people where PoseTrack18's joints are wanted."""
        path = self.annotation_path(image_set)
        if self.skeleton is not SKELETONS["posetrack18"]:
            return read_truth(path, self.skeleton)
        truth = read_truth(path, SKELETONS["coco"])  # to train on before PoseTrack itself, as the paper does
        for record in truth.annotations:
            record["keypoints"] = posetrack_of_coco(record["keypoints"].reshape(1, -1, 3)).ravel()
        return truth

    def annotation_path(self, image_set: str) -> Path:
        return annotation_path(self.root, image_set)

    def has_ground_truth(self, image_set: str) -> bool:
        return not self.annotation_path(image_set).name.startswith("image_info")

    def default_metric(self) -> str:
        return "ap" if self.skeleton.sigmas else "pck"

    def _pictures(self, image_set: str, truth: CocoTruth) -> dict[int, str]:
        return picture_paths(self.root, image_set, truth, self.data_format)


class PoseTrackForm(AnnotationForm):
    """PoseTrack18's JSON, see `lib.dataset.posetrack`."""

    def persons(self, image_set: str) -> Persons:
        if self.data_format == "zip":
            raise UserError("DATASET.DATA_FORMAT: zip is not for PoseTrack18, whose pictures are read from folders")
        return read_posetrack(self.root, image_set, self.skeleton, self.image_size)

    def annotation_path(self, image_set: str) -> Path:
        return annotation_folder(self.root, image_set)


FORMS = {"mpii": MPIIForm, "coco": COCOForm, "posetrack18": PoseTrackForm}
