"""One deliberate mistake in the project's code, and the tests that ought to see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands exactly once in `file`, is replaced by `new`.

    file: from the repository's folder; breaks: what is wrong then, for the table; tests: arguments of pytest, files
    mostly, that need nothing beside the repository and take seconds.
    """

    name: str
    file: str
    breaks: str
    old: str
    new: str
    tests: tuple

    def applied_to(self, text):
        """The text of `file` with the mistake. Raises ValueError where `old` does not stand in it exactly once."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the text to replace stands {count} times in {self.file}, expected once")
        return text.replace(self.old, self.new)
