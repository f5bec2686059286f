"""What paddle.save writes comes back bit for bit, and nothing else of a pickle is let in."""

import codecs
import collections
import os
import pickle
import struct
import subprocess

import numpy as np
import pytest

from lib.weights.weight_file import RefusedError, read_paddle

PROTOCOLS = (2, 3, 4)
WITNESS = "witness"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def name(module, function):
    return f"c{module}\n{function}\n".encode()


def same(ours, theirs):
    """Whether two trees are the same, to the bit; an OrderedDict is a dict to us."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and list(ours) == list(theirs) and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, (list, tuple)):
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, (np.ndarray, np.generic)):
        return (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape) and (
            ours.tobytes() == theirs.tobytes()
        )
    return type(ours) is type(theirs) and (ours == theirs or ours != ours)


@pytest.fixture
def read(tmp_path):
    """Reads a pickle given as bytes."""

    def read(content):
        path = tmp_path / "w.pdparams"
        path.write_bytes(content)
        return read_paddle(path)

    return read


@pytest.fixture(scope="module")
def states(paddle):
    """{what: something that paddle.save takes}."""
    network = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4))
    schedule = paddle.optimizer.lr.PolynomialDecay(0.1, decay_steps=10)
    optimizer = paddle.optimizer.Adam(schedule, parameters=network.parameters())
    network(paddle.ones([2, 3, 5, 5])).mean().backward()
    optimizer.step()
    core = paddle.base.core
    dense = (core.DenseTensor if hasattr(core, "DenseTensor") else core.LoDTensor)()  # Paddle 3, Paddle 2
    dense.set(np.arange(4, dtype="float32"), paddle.CPUPlace())
    progress = {"epoch": 3, "best": None, "history": [{"loss": 0.5, "score": np.float64(3), "none": float("nan")}],
                "size": (64, 48), "flip": True, "number": 2**70}  # fmt: skip
    kinds = {kind: paddle.ones([2, 3]).astype(kind) for kind in ("float16", "bfloat16", "float64", "int64", "bool")}
    return {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "checkpoint": {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "progress": progress},
        "types": {**kinds, "number": paddle.to_tensor(3.0), "empty": paddle.zeros([0, 3])},
        "arrays": {"columns": np.asfortranarray(np.arange(6.0).reshape(2, 3))},
        "list": [paddle.ones([2]), {"a": paddle.zeros([3])}],
        "tensor": paddle.ones([2]),
        "inner tensor": {"inside": {"dense": dense}, "count": 1},
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "what", ["network", "optimizer", "checkpoint", "types", "arrays", "list", "tensor", "inner tensor"]
)
def test_what_paddle_saves_is_read_as_paddle_reads_it(paddle, states, tmp_path, what, protocol):
    path = str(tmp_path / "w.pdparams")
    paddle.save(states[what], path, protocol=protocol)
    expected = paddle.load(path, return_numpy=True)
    assert same(read_paddle(path), expected)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_of_plain_pickle_are_read_too(read, protocol):
    shared = np.arange(5, dtype="float32")
    state = collections.OrderedDict([("a", shared), ("b", shared), ("c", np.int64(3)), ("d", [b"raw", {}, ((1,),)])])
    assert same(read(pickle.dumps(state, protocol=protocol)), state)
    big_end_first = np.arange(3, dtype=">i4")
    assert same(read(pickle.dumps([big_end_first], protocol=protocol)), [big_end_first])


def test_an_array_that_was_cut_up_for_the_pickle_is_whole_again(read):
    parts = {"w@@.0": np.arange(4.0), "w@@.1": np.arange(4.0, 6.0), "other": np.ones(2)}
    how = {"w": {"OriginShape": (2, 3), "slices": ["w@@.0", "w@@.1"]}}
    state = read(pickle.dumps({**parts, "UnpackBigParamInfor@@": how, "StructuredToParameterName@@": {}}, protocol=2))
    assert same(state, {"other": np.ones(2), "w": np.arange(6.0).reshape(2, 3)})


def test_a_part_does_not_count_twice(read):
    how = {"w": {"OriginShape": (400,), "slices": ["part"] * 100}}
    with pytest.raises(pickle.UnpicklingError, match="KeyError: 'part'"):
        read(pickle.dumps({"part": np.arange(4.0), "UnpackBigParamInfor@@": how}))


class Runs:
    """Unpickled, it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (os.mkdir, (WITNESS,), r"posix\.mkdir|nt\.mkdir"),
        (os.system, (f"mkdir {WITNESS}",), r"posix\.system|nt\.system"),
        (subprocess.check_call, (["mkdir", WITNESS],), r"(subprocess|commands)\.check_call"),
        (eval, (f"__import__('os').mkdir('{WITNESS}')",), r"builtins\.eval"),
        (eval, (f"__import__('os').mkdir('{WITNESS}')", {"data": np.ones(1)}), r"builtins\.eval"),
        (exec, ("raise SystemExit",), r"exec"),
        (getattr, ("", "__class__"), r"getattr"),
        (tuple, ([1, 2],), r"builtins\.tuple"),
        (np.load, (WITNESS,), r"numpy\.(lib\.\w+\.)?load"),
        (codecs.open, (WITNESS, "w"), r"codecs\.open"),
        (collections.deque, ([1],), r"collections\.deque"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_pickle_that_would_run_code_is_refused_by_name_and_runs_nothing(
    read, tmp_path, monkeypatch, function, arguments, said, protocol
):
    monkeypatch.chdir(tmp_path)
    content = {"conv.weight": np.ones(3), "hidden": [Runs(function, *arguments)]}
    with pytest.raises(RefusedError, match=said):
        read(pickle.dumps(content, protocol=protocol))
    assert not (tmp_path / WITNESS).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"(S'mkdir witness'\nios\nsystem\n.", "STRING"),
        (b"(" + text("mkdir witness") + b"ios\nsystem\n.", "INST"),
        (b"(" + name("os", "system") + text("mkdir witness") + b"o.", r"os\.system"),
        (name("collections", "OrderedDict") + b")\x81.", "NEWOBJ"),
        (name("collections", "OrderedDict") + b"}b.", "sets the state of a _Name"),
        (b"}}b.", "sets the state of a dict"),
        (b"\x82\x01.", "EXT1"),
        (b"Pname\n.", "PERSID"),
        (text("os") + text("system") + b"\x93.", r"os\.system"),
        (b"K\x01K\x02\x93.", r"1\.2"),
        (name("numpy", "core.multiarray._reconstruct"), r"numpy\.core"),
        (name("\x1b[2Jos", "system"), r"\\x1b\[2Jos\.system"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_other_ways_to_code_are_closed(read, content, said):
    with pytest.raises(RefusedError, match=said):
        read(content)


@pytest.mark.parametrize(
    "array", [np.array([{}], dtype=object), np.array(["text"]), np.zeros(2, "f4,f4"), np.zeros(1, "M8[s]")],
    ids=["objects", "text", "record", "times"],
)  # fmt: skip
def test_an_array_of_anything_but_numbers_is_refused(read, array):
    with pytest.raises(RefusedError, match="not of numbers"):
        read(pickle.dumps({"a": array}, protocol=4))


DEEP = 100_000
ARRAY = name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
FLOATS = name("numpy", "dtype") + text("f4") + b"\x89\x88\x87R(K\x03" + text("<") + b"NNN" + b"J\xff\xff\xff\xff" * 2
FLOATS += b"K\x00tb"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle\n" * 20,
        b"\x80\x04]",
        b"\x80\x02.",
        b"\x8e" + struct.pack("<Q", 2**60) + b"few",
        b"\x95" + struct.pack("<Q", 2**60) + b"\x8d" + struct.pack("<Q", 2**40) + b"few.",
        b"}" + b"\x85" * DEEP + b"K\x01s.",
        b"})" + b"q\x00\x86" * 3 + b"h\x00K\x01s.",
        b"a.", b"K\x01s.", b"h\x07.", b"]K\x01e.", b"(e.", b"R.", b"K\x01)R.",
        ARRAY + b"(K\x01K\x05\x85" + FLOATS + b"\x89C\x04aaaatb.",
        ARRAY + b"(K\x01J\xff\xff\xff\x7f\x85" + FLOATS + b"\x89C\x04aaaatb.",
        ARRAY + b"(K\x01K\x01\x85N\x89C\x04aaaatb.",
        ARRAY + b"K\x01b.",
    ],
)  # fmt: skip
def test_a_damaged_or_impossible_pickle_is_an_unpickling_error(read, content):
    with pytest.raises(pickle.UnpicklingError):
        read(content)


def test_a_table_of_any_size_is_not_made(read):
    assert read(b"\x80\x02Nr\xff\xff\xff\xff.") is None  # of 64 GB in Python's unpickler


def test_text_cannot_become_bytes_again_and_again(read):
    encode = name("_codecs", "encode") + b"h\x00" + text("latin1") + b"\x86R"
    with pytest.raises(pickle.UnpicklingError, match="bytes that are not the file's"):
        read(text("a" * 10_000) + b"q\x00" + encode * 50 + b".")


def test_what_is_nested_without_end_is_read_and_harms_nobody(read):
    content = read(b"]q\x00h\x00a.")
    assert content[0] is content
    deep = read(b"]" * DEEP + b"a" * (DEEP - 1) + b".")
    assert isinstance(deep[0], list)
