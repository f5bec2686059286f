"""The forms of annotation that DATASET.DATASET names, one class each. A new form is a class here, named in FORMS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config.names import annotation_path
from ...core.skeletons import SKELETONS
from ...utils.errors import UserError
from ...utils.image import UprightPath
from ..checks.fit import refuse_misfits
from ..picture_sizes import compare_sizes
from .coco import annotated_persons, check_fit, detected_persons, picture_paths, refuse_unknown_sizes
from .coco_truth import read_truth
from .mpii import read_mpii
from .posetrack import annotation_folder, posetrack_of_coco, read_posetrack

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton
    from ..joints_dataset import Persons
    from .coco_truth import CocoTruth


@dataclass(frozen=True)
class AnnotationForm:
    """A data set on the disk.

    root: its folder; skeleton: the joints that are wanted; image_size: (width, height) of the crops; data_format: how
    the images lie there (jpg, png, zip). categories, orientation: DATASET.CATEGORIES and ORIENTATION.
    """

    root: Path
    skeleton: Skeleton
    image_size: tuple[int, int]
    data_format: str
    categories: tuple[str, ...] = ()
    orientation: str = "auto"

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
    """MPII's JSON, see `lib.dataset.annotations.mpii`."""

    def persons(self, image_set: str) -> Persons:
        count = len(self.skeleton.joints)
        persons = read_mpii(self.root, image_set, count, self.data_format, self.skeleton.indices)
        pictures = {path: path for path in persons.pictures}
        sizes = compare_sizes(pictures, dict.fromkeys(pictures), self.orientation, fill=False)
        persons.pictures = [UprightPath(path) if path in sizes.turned else path for path in persons.pictures]
        assert persons.boxes is not None
        misfits = refuse_misfits(self.annotation_path(image_set), persons.boxes, persons.joints, persons.visible)
        persons.note = "\n".join(filter(None, [*sizes.notes(), misfits]))
        return persons

    def annotation_path(self, image_set: str) -> Path:
        return self.root / "annot" / f"{image_set}.json"

    def has_ground_truth(self, image_set: str) -> bool:
        return image_set != "test"

    def default_metric(self) -> str:
        return "pckh" if self.skeleton is SKELETONS["mpii"] else "pck"


class COCOForm(AnnotationForm):
    """COCO's JSON, see `lib.dataset.annotations.coco`."""

    def persons(self, image_set: str) -> Persons:
        ground_truth = self.ground_truth(image_set)
        pictures, notes = self.pictures(image_set, ground_truth)
        notes += check_fit(ground_truth)
        persons = annotated_persons(ground_truth, self.image_size, pictures)
        persons.note = "\n".join(filter(None, [persons.note, *notes]))
        return persons

    def detected_persons(self, image_set: str, path: str, threshold: float, part: bool = False) -> Persons:
        """The persons of a file of detected boxes with a score of at least `threshold`; part: see detected_persons."""
        ground_truth = self.ground_truth(image_set)
        pictures, notes = self.pictures(image_set, ground_truth)
        persons = detected_persons(
            ground_truth, path, len(self.skeleton.joints), self.image_size, pictures, threshold, part
        )
        persons.note = "\n".join(filter(None, [persons.note, *notes]))
        return persons

    def ground_truth(self, image_set: str) -> CocoTruth:
        """What the annotation file says; COCO's own people where PoseTrack18's joints are wanted."""
        path = self.annotation_path(image_set)
        if self.skeleton is not SKELETONS["posetrack18"]:
            return read_truth(path, self.skeleton, self.categories)
        # to train on before PoseTrack itself, as the paper does
        ground_truth = read_truth(path, SKELETONS["coco"], self.categories)
        for record in ground_truth.annotations:
            record["keypoints"] = posetrack_of_coco(record["keypoints"].reshape(1, -1, 3)).ravel()
        return ground_truth

    def annotation_path(self, image_set: str) -> Path:
        return annotation_path(self.root, image_set)

    def has_ground_truth(self, image_set: str) -> bool:
        return not self.annotation_path(image_set).name.startswith("image_info")

    def default_metric(self) -> str:
        return "ap" if self.skeleton.sigmas else "pck"

    def pictures(self, image_set: str, ground_truth: CocoTruth) -> tuple[dict[Any, str], list[str]]:
        """({image id: path} of the images of a set, lines for the log); ground_truth gets the images' own sizes."""
        paths = picture_paths(self.root, image_set, ground_truth, self.data_format)
        annotated = {key: None if None in size else size for key, (_, *size) in ground_truth.images.items()}
        found = compare_sizes(paths, annotated, self.orientation)
        for key, size in found.sizes.items():
            ground_truth.images[key] = (ground_truth.images[key][0], *size)
        refuse_unknown_sizes(ground_truth)
        for key in found.turned:
            paths[key] = UprightPath(paths[key])
        return paths, found.notes()


class PoseTrackForm(AnnotationForm):
    """PoseTrack18's JSON, see `lib.dataset.annotations.posetrack`."""

    def persons(self, image_set: str) -> Persons:
        if self.data_format == "zip":
            raise UserError("DATASET.DATA_FORMAT: zip is not for PoseTrack18, whose pictures are read from folders")
        return read_posetrack(self.root, image_set, self.skeleton, self.image_size)

    def annotation_path(self, image_set: str) -> Path:
        return annotation_folder(self.root, image_set)


FORMS = {"mpii": MPIIForm, "coco": COCOForm, "posetrack18": PoseTrackForm}
