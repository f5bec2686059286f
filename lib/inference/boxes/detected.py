"""The people that a detector finds, and what is likely wrong where it finds nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.poses import Poses
from ...utils.files import pluralize
from .finders import PeopleFinder

if TYPE_CHECKING:
    from ...utils.media import Frame
    from ..detector import PersonDetector

FEW = 0.5  # of the people that other pixels find in the first picture, on average in all: these pixels are wrong


class DetectedBoxes(PeopleFinder):
    """The people that a PersonDetector finds."""

    def __init__(self, detector: PersonDetector) -> None:
        self.detector, self.line = detector, detector.line
        self.pictures = self.people = self._with_others = 0
        self._hint = ""

    def __call__(self, frame: Frame) -> Poses:
        boxes, scores = self.detector.detect(frame.image)
        if not self.pictures and not len(boxes):
            self._try_others(frame)
        self.pictures, self.people = self.pictures + 1, self.people + len(boxes)
        return Poses.in_boxes(boxes, scores)

    def remarks(self) -> list[str]:
        """Where nobody was found, or other pixels find many more: which setting is likely wrong."""
        if self._hint and self.people < FEW * self._with_others * self.pictures:
            return [f"=> WARNING: {self._found()}; {self._hint}"]
        if self.people or not self.pictures:
            return []
        detector = self.detector
        others = ", ".join(f"{label} ({count})" for label, count in detector.others.most_common(3))
        size = f"{detector.size[0]} {detector.size[1]}"
        causes = [
            f"the label of people (--person-label, now {detector.person_label}"
            + (f"; there are boxes of label {others})" if others else ")"),
            f"the pixels (--detector-mean, --detector-std, now {detector.pixels})",
            "their colour order (--detector-rgb)",
            f"the input size (--detector-size, now {size})",
            f"the least score (--bbox-thr, now {detector.settings.threshold:g})",
        ]
        return [f"=> WARNING: {self._found()}; if people are there, check {', '.join(causes)}"]

    def _found(self) -> str:
        people = pluralize(self.people, "person", "people") if self.people else "nobody"
        return f"{people} found by the detector in {pluralize(self.pictures, 'picture', 'pictures')}"

    def _try_others(self, frame: Frame) -> None:
        better = self.detector.better_pixels(frame.image)
        if better:
            pixels, scores = better
            self._with_others = len(scores)
            self._hint = (
                f"its file does not say what pixels it wants, and with {pixels} instead of {self.detector.pixels} it "
                f"finds {pluralize(len(scores), 'person', 'people')} in the first picture, {frame.path.name}, scores "
                f"up to {scores.max():.2f}: if people are there, give {pixels.options()}"
            )
