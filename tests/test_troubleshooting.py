"""docs/troubleshooting.md quotes messages: each of them is one that the code has."""

import ast
import re

import pytest
import toy

DOCUMENT = toy.ROOT / "docs" / "troubleshooting.md"
NO_MESSAGE = {".checkpoint.pdckpt.<number>.part", "No space left on device"}  # a file's name; the system's words


def texts_of(path):
    """The text constants of a module, with `...` for each value that is put into one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def code():
    folders = (toy.ROOT / "lib", toy.SCRIPTS)
    return "\n".join(text for folder in folders for path in sorted(folder.rglob("*.py")) for text in texts_of(path))


def quoted_messages():
    """Those in the first column of the tables."""
    rows = re.findall(r"^\| (.+?) \| .*\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("message", [each for each in quoted_messages() if each not in NO_MESSAGE])
def test_the_message_is_one_of_the_code(code, message):
    parts = [part for part in message.split("...") if len(part.strip(" :;,.")) > 2]
    assert parts, message
    for part in parts:
        assert part.strip() in code, part


def test_there_are_messages_of_each_theme():
    assert len(quoted_messages()) > 80
