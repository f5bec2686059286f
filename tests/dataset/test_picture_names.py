"""Pictures are found under the names that annotation tools write."""

import pytest

from lib.dataset.picture_names import PictureNames


@pytest.fixture
def names(tmp_path):
    for name in ("a.jpg", "apes/b.jpg", "apes/c.JPG", "two/d.png", "more/d.jpg", "x y.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return PictureNames(f"{tmp_path}/")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("apes\\b.jpg", "apes/b.jpg"),
        (".\\apes\\b.jpg", "apes/b.jpg"),
        ("C:\\pictures\\a.jpg", "a.jpg"),
        ("/home/someone/a.jpg", "a.jpg"),
        ("https://example.org/data/local-files/a.jpg?token=1", "a.jpg"),
        ("https://example.org/x%20y.jpg", "x y.jpg"),
        ("A.JPEG", "a.jpg"),
        ("apes/c.jpg", "apes/c.JPG"),
        ("apes/c.png", "apes/c.JPG"),
        ("apes/none.jpg", "apes/none.jpg"),
        ("elsewhere/b.jpg", "apes/b.jpg"),
        ("d.jpg", "more/d.jpg"),
        ("d.gif", "d.gif"),  # two are such, in folders: neither is taken
    ],
)
def test_names_of_other_tools(names, written, found):
    assert names.find(written) == found


def test_two_that_differ_in_their_extension_alone_are_not_guessed(tmp_path):
    names = PictureNames("", ["a.jpg", "a.png"])
    assert names.find("a.bmp") == "a.bmp" and names.find("a.png") == "a.png"
