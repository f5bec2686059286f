"""The probe of the memory that loader processes share: one line instead of a traceback."""

import errno
import os
import sys

import pytest

from lib.dataset.loader import BatchLoader
from lib.utils import shared_memory
from lib.utils.errors import UserError
from lib.utils.shared_memory import check_shared_memory


def test_this_machine_has_some():
    check_shared_memory()


def test_a_folder_that_takes_nothing_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"--shm-size=1g.*WORKERS 0"):
        check_shared_memory(str(tmp_path / "nowhere"))


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_too_little_memory_is_said_before_loader_processes_start(monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"1 MB of shared memory in /dev/shm: No space left"):
        list(BatchLoader([], [[0]], workers=1))


def test_it_leaves_nothing_behind(tmp_path):
    check_shared_memory(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_systems_without_such_a_folder_are_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(shared_memory.tempfile, "TemporaryFile", full)
    check_shared_memory()
