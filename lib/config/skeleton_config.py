"""DATASET.SKELETON: a built-in skeleton by name, or one of the user's own."""
import difflib
from itertools import chain
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from ..core.skeletons import SKELETONS, Skeleton, pair_problem
from ..utils.files import short_repr
from .fields import NamePairs, Names, Positive, Record, to_pck_reference, to_tuple


class SkeletonConfig(Record):
    """A skeleton by name (the data set's own where it is empty), or one of the user's own where `joints` are given."""

    name: str = ""
    """A built-in skeleton: mpii, coco or posetrack18. Empty: the one of DATASET.DATASET. A free name where JOINTS
    are given."""
    joints: Names = ()
    """Joint names of a skeleton of your own, in the order of the annotations."""
    limbs: NamePairs = ()
    """Pairs of joint names that are drawn as lines."""
    flip_pairs: NamePairs | None = None
    """Pairs of joints that change places in a mirrored image. Empty list: none. Left out: found by the names (left_x,
    x_right, leftX, L_x, xR, l_x, L1 and the like)."""
    sigmas: Annotated[tuple[Positive, ...], BeforeValidator(to_tuple)] = ()
    """OKS's constant of each joint, for AP."""
    upper_body: Names = ()
    """Joints of the upper body, for half-body augmentation."""
    pck_reference: Annotated[str | tuple[str, str], BeforeValidator(to_pck_reference)] = "box"
    """What PCK measures distances by: box (the longer side of the box), or two joints such as [left_shoulder,
    right_hip]."""
    pck_threshold: Positive = 0.2
    """Share of the reference within which a joint counts as found."""
    indices: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(to_tuple)] = ()
    """Which joints of the annotation are used, counted from 0, if it has more than JOINTS."""

    @model_validator(mode="after")
    def _names_are_joints(self) -> Self:
        if not self.joints:
            if self.name and self.name not in SKELETONS:
                known = ", ".join(sorted(SKELETONS))
                name = short_repr(self.name)
                raise ValueError(f"NAME: there is no skeleton {name}; known are {known}, or give JOINTS")
            for key in sorted(self.model_fields_set - {"name", "joints"}):
                raise ValueError(f"{key.upper()}: is of a skeleton of one's own, which needs its JOINTS too")
            return self
        for key in ("joints", "sigmas", "indices"):
            values = getattr(self, key)
            if values and len(values) != len(self.joints):
                raise ValueError(f"{key.upper()}: {len(values)} values for {len(self.joints)} joints")
            if key != "sigmas" and len(set(values)) != len(values):
                raise ValueError(f"{key.upper()}: one of them is there twice")
        reference = () if self.pck_reference == "box" else self.pck_reference
        named = {"LIMBS": chain(*self.limbs), "FLIP_PAIRS": chain(*self.flip_pairs or ())}
        for key, names in {**named, "UPPER_BODY": self.upper_body, "PCK_REFERENCE": reference}.items():
            for name in names:
                if name not in self.joints:
                    nearest = difflib.get_close_matches(name, self.joints, n=1, cutoff=0)[0]
                    raise ValueError(f"{key}: {short_repr(name)} is not among JOINTS; the nearest is {nearest!r}")
        if len(set(reference)) != len(reference):
            raise ValueError("PCK_REFERENCE: from a joint to itself there is no length")
        mirrored = list(chain(*self.flip_pairs or ()))
        if len(set(mirrored)) != len(mirrored):
            raise ValueError("FLIP_PAIRS: a joint has one twin, another one than itself")
        problem = "" if self.flip_pairs is None else pair_problem(self.joints, self.flip_pairs)
        if problem:
            raise ValueError(f"FLIP_PAIRS: {problem}")
        return self

    @model_serializer(mode="wrap")
    def _a_name_alone(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without joints the entry is a name and nothing else, and is read back as such."""
        values = write(self)
        return values if self.joints else {key: value for key, value in values.items() if key.lower() == "name"}

    def skeleton(self, dataset: str) -> Skeleton:
        """The Skeleton that this entry means for a data set of the form `dataset`."""
        if not self.joints:
            return SKELETONS[self.name or dataset]
        values = {key: getattr(self, key) for key in type(self).model_fields if key != "flip_pairs"}
        return Skeleton(mirror_pairs=self.flip_pairs, **{**values, "name": self.name or "own"})
