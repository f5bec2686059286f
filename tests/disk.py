"""A disk that is full."""

import contextlib


@contextlib.contextmanager
def full_disk(room):
    """In the block no file of this process grows beyond `room` bytes, as on a disk that is full. For POSIX.

    A block and not a fixture: the limit is on the file that pytest's own lines go to, too.
    """
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
