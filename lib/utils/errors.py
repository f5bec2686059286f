"""Exceptions that are reported to the user in one line."""


class UserError(ValueError):
    """Bad input: a file, option or value. The message says what was wrong, what was expected and what to do."""


class RunError(RuntimeError):
    """A failure while working on good input: a full disk, a loss that is not finite."""


class ItemError(RunError):
    """A failure with one picture or video: others can still go well, which they cannot on a full disk."""
