"""What Python, NumPy or Paddle will take away is an error where our code uses it, and nobody's else."""

import warnings

import pytest

CATEGORIES = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def warn_of(module, category):
    warnings.warn_explicit("going away", category, "a_file.py", 1, module=module)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("module", ["lib.core.heatmap", "lib.core.nms", "train", "toy", "test_heatmap", "__main__"])
def test_a_warning_of_our_code_is_an_error(module, category):
    with pytest.raises(category, match="going away"):
        warn_of(module, category)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("module", ["numpy.lib", "paddle", "scipy.io.matlab", "librosa", "trainer"])
def test_a_warning_of_anothers_code_is_not(module, category):
    with warnings.catch_warnings(record=True) as caught:
        warn_of(module, category)
    assert [warning.category for warning in caught] == [category]


def test_the_module_that_makes_the_call_counts(tmp_path, monkeypatch):
    """As with NumPy: what warns is in another package, what calls it is in ours."""
    (tmp_path / "anothers.py").write_text(
        "import warnings\n"
        "def gone_soon():\n"
        "    warnings.warn('going away', DeprecationWarning, stacklevel=2)\n"
        "def calls_it():\n"
        "    gone_soon()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import anothers

    with warnings.catch_warnings(record=True) as caught:
        anothers.calls_it()
    assert len(caught) == 1
    with pytest.raises(DeprecationWarning):
        anothers.gone_soon()
