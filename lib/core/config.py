"""Reading an experiment: YAML -> checked, frozen records. Read once at the door of a script, never changed afterwards.

What may be said, and in which range, is in `lib.core.records`.
"""

import difflib

import yaml
from pydantic import ValidationError

from lib.core.records import Config, Record
from lib.utils.errors import UserError

# In the original's YAML files and read by nobody here: accepted, said once, ignored
UNREAD_KEYS = frozenset(
    (
        "CUDNN.BENCHMARK", "CUDNN.DETERMINISTIC", "CUDNN.ENABLED", "DATASET.HYBRID_JOINTS_TYPE", "TEST.BBOX_THRE",
        "TEST.COCO_BBOX_FILE", "TEST.IMAGE_THRE", "TEST.IN_VIS_THRE", "TEST.NMS_THRE", "TEST.OKS_THRE",
        "TEST.USE_GT_BBOX", "TRAIN.CHECKPOINT", "TRAIN.GAMMA1", "TRAIN.GAMMA2", "TRAIN.RESUME",
    )
)  # fmt: skip
# A value such as 2024 for one of these is a name, not a number
_TEXT_KEYS = ("DATA_DIR", "OUTPUT_DIR", "LOG_DIR", "DATASET.ROOT", "DATASET.TRAIN_SET", "DATASET.TEST_SET")


def _known_keys(record=Config, prefix=""):
    """Every dotted key that a file may hold, sections and unread keys included."""
    keys = set() if prefix else set(UNREAD_KEYS) | {"CUDNN"}
    for field in record.model_fields.values():
        keys.add(prefix + field.alias)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Record):
            keys |= _known_keys(field.annotation, f"{prefix}{field.alias}.")
    return keys


def _nearest(dotted_key):
    keys = sorted(_known_keys())
    close = difflib.get_close_matches(dotted_key.upper(), keys, n=1, cutoff=0.6)
    if not close:  # the right name in the wrong section
        close = [key for key in keys if key.rpartition(".")[2] == dotted_key.upper().rpartition(".")[2]]
    return f"; the nearest valid key is {close[0]}" if close else ""


def _say(error, source):
    """One line for pydantic's first complaint."""
    path = ".".join(str(part) for part in error["loc"] if not isinstance(part, int) and str(part).isupper())
    if error["type"] == "extra_forbidden":
        return f"{source}: unknown key {path}{_nearest(path)}"
    message = error["msg"].removeprefix("Value error, ")
    if not path:  # a check across keys names its key itself
        return f"{source}: {message}"
    return f"{source}: {path}: {message[0].lower() + message[1:]}, got {error['input']!r}"


def _flatten(tree, prefix=""):
    """A nested mapping as {dotted key: value}."""
    flat = {}
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        flat.update(_flatten(value, dotted + ".") if isinstance(value, dict) and value else {dotted: value})
    return flat


def _nest(flat):
    tree = {}
    for dotted, value in flat.items():
        *sections, key = dotted.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise UserError(f"{dotted}: {section} is a value and a section at once")
        node[key] = value
    return tree


def _read_yaml(path):
    try:
        with open(path, encoding="utf-8") as file:
            tree = yaml.safe_load(file)
    except OSError as error:
        raise UserError(f"cannot read the experiment file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected KEY: value lines, got {type(tree).__name__}")
    return _flatten(tree)


def parse_overrides(words):
    """['TRAIN.END_EPOCH', '3'] -> {'TRAIN.END_EPOCH': 3}; values are read as YAML."""
    if len(words) % 2:
        raise UserError(f"overrides come as KEY VALUE pairs; {words[-1]!r} has no value")
    values = {}
    for key, word in zip(words[::2], words[1::2], strict=True):
        if key not in _known_keys():
            raise UserError(f"command line: unknown key {key}{_nearest(key)}")
        try:
            values[key] = yaml.safe_load(word)
        except yaml.YAMLError as error:
            raise UserError(f"command line: {key}: {word!r} is not a YAML value") from error
        if key == "GPUS" or (isinstance(values[key], (int, float)) and key in _TEXT_KEYS):
            values[key] = word
    return values


def _one_depth(flat, source):
    """MODEL.DEPTH and the original's MODEL.EXTRA.NUM_LAYERS are one value."""
    depth, layers = flat.get("MODEL.DEPTH"), flat.get("MODEL.EXTRA.NUM_LAYERS")
    if depth is not None and layers is not None and depth != layers:
        raise UserError(
            f"{source}: MODEL.DEPTH is {depth} and MODEL.EXTRA.NUM_LAYERS is {layers}: they are one value, give one"
        )
    if layers is not None:
        flat["MODEL.DEPTH"] = layers
    elif depth is not None:
        flat["MODEL.EXTRA.NUM_LAYERS"] = depth
    return flat


def read_config(path, overrides=None, warn=print):
    """The checked, frozen `Config` of a YAML file.

    overrides: {dotted key: value} that win over the file (see `parse_overrides`).
    warn: called with one line where the file holds keys that nothing reads.
    Raises UserError with the dotted key, the file, what was expected and the nearest valid key.
    """
    flat = _read_yaml(path)
    overrides = dict(overrides or {})
    for twin, other in (("MODEL.DEPTH", "MODEL.EXTRA.NUM_LAYERS"), ("MODEL.EXTRA.NUM_LAYERS", "MODEL.DEPTH")):
        if twin in overrides and other not in overrides:
            flat.pop(other, None)  # the command line changes the depth, under whichever of its names
    source = str(path) if not overrides else f"{path} with the command line's overrides"
    flat = _one_depth({**flat, **overrides}, source)
    if isinstance(flat.get("GPUS"), int):
        flat["GPUS"] = str(flat["GPUS"])
    unread = sorted(key for key in flat if key in UNREAD_KEYS)
    if unread:
        warn(f"=> {path}: not used here, ignored: {', '.join(unread)}")
    tree = _nest({key: value for key, value in flat.items() if key not in UNREAD_KEYS and key != "CUDNN"})
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UserError(_say(error.errors()[0], source)) from None


def dump_config(config):
    """The full configuration as YAML text that `read_config` reads back."""
    return yaml.safe_dump(config.model_dump(by_alias=True, mode="json"), sort_keys=False)
