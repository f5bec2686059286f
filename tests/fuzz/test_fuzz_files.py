"""Pictures, archives of them, weights and checkpoints with other bytes than they should have."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from damage import changed_bytes
from hypothesis import given
from hypothesis import strategies as st

from lib.utils.image import _open_archive, picture_size, read_image
from lib.weights.checksum import seal
from lib.weights.convert import read_source
from lib.weights.weights import read_weights

IMAGE = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
ENDINGS = (".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".gif", ".jp2")
STATE = OrderedDict(
    [("conv.weight", np.arange(6, dtype="float32").reshape(2, 3)), ("conv.bias", np.ones(2, "float32"))]
)
CHECKPOINT = {"network": STATE, "optimizer": {"LR_Scheduler": {"last_epoch": 1}}, "progress": {"epoch": 1}}
PICKLES = [pickle.dumps(value, protocol=protocol) for protocol in (2, 3, 4, 5) for value in (STATE, CHECKPOINT)]


def encoded(ending):
    """A picture in a format, or nothing where this OpenCV does not write it."""
    good, data = cv2.imencode(ending, IMAGE) if cv2.haveImageWriter(f"a{ending}") else (False, None)
    return data.tobytes() if good else b""


PICTURES = [data for data in map(encoded, ENDINGS) if data]


def zipped(method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("images/a.png", PICTURES[1])
    return file.getvalue()


def use_picture(path):
    image = read_image(path)
    assert image.ndim == 3 and image.dtype == np.uint8


@given(data=changed_bytes(PICTURES))
def test_pictures(attempt, place, data):
    path = place / "a.png"
    path.write_bytes(data)
    attempt("pictures", use_picture, path)
    attempt("sizes of pictures", picture_size, path)


@given(data=changed_bytes([zipped(zipfile.ZIP_STORED), zipped(zipfile.ZIP_DEFLATED)]))
def test_archives(attempt, place, data):
    path = place / "images.zip"
    path.write_bytes(data)
    _open_archive.cache_clear()
    attempt("archives of pictures", use_picture, f"{path}@images/a.png")


@given(data=changed_bytes(PICKLES))
def test_weights(attempt, place, data):
    path = place / "w.pdparams"
    path.write_bytes(data)
    attempt("weight pickles", read_weights, path)


TORCH_FILES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data" / "torch").glob("*.p*"))]


@given(data=changed_bytes(TORCH_FILES))
def test_pytorchs_files(attempt, place, data):
    path = place / "w.pth"
    path.write_bytes(data)
    attempt("PyTorch's files", partial(read_source, say=len), path)


def _text(value):
    return b"X" + struct.pack("<I", len(value)) + value


PIECES = [
    *(bytes([code]) for code in b"(.012N]})aesutldRbo\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"),
    b"K\x05", b"K\x00", b"J\xff\xff\xff\xff", b"q\x00", b"h\x00", b"q\x01", b"h\x01", b"r\xff\xff\xff\xff",
    b"C\x08\x00\x00\x80?\x00\x00\x00@",
    b"Q", b"\x82\x01", _text(b"f4"), _text(b"<"), _text(b"latin1"), _text(b"data"), _text(b"os"), _text(b"system"),
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n",
    b"cnumpy.core.multiarray\nscalar\n", b"cnumpy.core.numeric\n_frombuffer\n", b"ccollections\nOrderedDict\n",
    b"c__builtin__\ntuple\n", b"c__builtin__\neval\n", b"c__builtin__\nbytes\n", b"\x8e" + b"\xff" * 8,
    PICKLES[0][2:-1], PICKLES[4][2:-1],
    _text(b"f4") + b"\x85R(K\x03" + _text(b"<") + b"NNNK\x01K\x01K\x00tb",
]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_pickles_put_together_from_instructions(attempt, place, pieces):
    path = place / "w.pdparams"
    path.write_bytes(b"".join(pieces) + b".")
    attempt("pickles of instructions", read_weights, path)


@pytest.fixture(scope="module")
def training(paddle):
    network = paddle.nn.Sequential()
    network.add_sublayer("conv", paddle.nn.Linear(2, 3))
    return network, paddle.optimizer.Adam(parameters=network.parameters())


@pytest.fixture(scope="module")
def checkpoints(training, place):
    from lib.training.checkpoint import save_checkpoint

    progress = {"epoch": 1, "best": 3.5, "history": [{"epoch": 0, "results": {"Mean": 3.5}}], "train": {"LR": 0.1}}
    training[0](training[0].conv.weight.T).mean().backward()
    training[1].step()
    save_checkpoint(place, *training, progress)
    return [(place / "checkpoint.pdckpt").read_bytes()]


@given(data=st.data())
def test_checkpoints_with_the_checksum_of_their_damage(attempt, place, training, checkpoints, data):
    """As from somebody who means harm: chance alone does not get past the checksum."""
    from lib.training.checkpoint import load_checkpoint

    path = place / "changed.pdckpt"
    path.write_bytes(data.draw(changed_bytes(checkpoints)))
    seal(path)
    attempt("checkpoints", load_checkpoint, path, *training)
