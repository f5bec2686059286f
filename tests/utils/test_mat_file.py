"""MATLAB files of numbers and cells of text come back as SciPy reads them; damaged ones are an error."""

import numpy as np
import pytest
import scipy.io

from lib.utils import mat_file
from lib.utils.mat_file import read_mat

NUMBERS = np.arange(24).reshape(2, 3, 4)
KINDS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


@pytest.fixture
def write(tmp_path):
    def write(values, **options):
        scipy.io.savemat(tmp_path / "a.mat", values, **options)
        return tmp_path / "a.mat"

    return write


@pytest.mark.parametrize("do_compression", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_have_the_type_shape_and_values_that_scipy_reads(write, kind, do_compression):
    path = write({"a": NUMBERS.astype(kind), "empty": np.zeros((0, 3)), "one": 3}, do_compression=do_compression)
    expected = scipy.io.loadmat(path)
    found = read_mat(path)
    assert found.keys() == {"a", "empty", "one"}
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])


def test_cells_of_text_are_lists_and_other_kinds_are_left_out(write):
    cells = np.array([["ankle", "knie ü"]], dtype=object)
    path = write({"names": cells, "text": "x", "struct": {"a": 1}, "complex": np.ones(2) * 1j, "a": NUMBERS})
    found = read_mat(path)
    assert found.keys() == {"names", "a"}
    assert found["names"] == ["ankle", "knie ü"]


def test_mpiis_ground_truth_is_as_scipy_reads_it(data_folder):
    path = data_folder / "pckh_gt_valid.mat"
    expected, found = scipy.io.loadmat(path), read_mat(path)
    assert found.pop("dataset_joints") == [str(np.ravel(name)[0]) for name in np.ravel(expected["dataset_joints"])]
    assert found.keys() == {"jnt_missing", "pos_gt_src", "headboxes_src"}
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("do_compression", [False, True])
def test_a_file_that_is_cut_off_anywhere_is_an_error(write, do_compression):
    names = np.array(["b", "c"], dtype=object)
    path = write({"a": NUMBERS.astype("f8"), "names": names}, do_compression=do_compression)
    whole = path.read_bytes()
    variables = len(read_mat(path))
    assert variables == 2
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            assert len(read_mat(path)) < variables
        except ValueError as error:
            assert str(error)


def test_a_variable_that_grows_without_end_is_refused(write, monkeypatch):
    monkeypatch.setattr(mat_file, "LARGEST", 1000)
    with pytest.raises(ValueError, match="a variable of more than"):
        read_mat(write({"a": np.zeros(10_000)}, do_compression=True))


@pytest.mark.parametrize(
    "content", [b"", b"text" * 100, b"MATLAB 7.3 MAT-file".ljust(200), bytes(126) + b"IM" + b"\xff" * 40]
)
def test_another_kind_of_file_is_an_error(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"not of MATLAB's version 5 to 7|cut off|damaged"):
        read_mat(tmp_path / "a.mat")
