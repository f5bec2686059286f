"""Types of configuration values, with their ranges."""
import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; people write it as a number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _finite(value: Any) -> Any:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def lower_case(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def to_tuple(value: Any) -> Any:
    return tuple(to_tuple(item) for item in value) if isinstance(value, list) else value


def to_pck_reference(value: Any) -> Any:
    value = to_tuple(value)
    is_pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(name, str) for name in value)
    if not is_pair and value != "box":
        raise ValueError("expected box, or two joint names such as [left_shoulder, right_hip]")
    return value


def to_set_names(value: Any) -> Any:
    """A list of names as one text, a+b, which file names and messages take."""
    is_list = isinstance(value, (list, tuple)) and value and all(isinstance(name, str) for name in value)
    return "+".join(value) if is_list else value


Number = Annotated[float, BeforeValidator(_number), AfterValidator(_finite)]
NotNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Sizes = Annotated[tuple[Count, ...], BeforeValidator(to_tuple)]
WidthHeight = Annotated[tuple[Count, Count], BeforeValidator(to_tuple)]
NamePairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(to_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(to_tuple)]
SetNames = Annotated[str, BeforeValidator(to_set_names)]


class Record(BaseModel):
    """A section of an experiment; the docstring of each field is its meaning in docs/configuration.md."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=str.upper, use_attribute_docstrings=True
    )
