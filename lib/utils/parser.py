"""An argument parser with one-line errors. It imports no configuration: deploy.py runs without pydantic."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

DIGITS = 9  # of a count; more would be too much for some library on the way


MAY_BE_EMPTY = frozenset(("gpus",))  # no GPU


class OneLineParser(argparse.ArgumentParser):
    """One line for a wrong option, like every other error of the project; an option without a value is one."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As argparse's, but an option's empty text, such as that of an unset variable of a shell, is an error."""
        parsed, rest = super().parse_known_args(args, namespace)
        for action in self._actions:
            may_be = action.dest in MAY_BE_EMPTY or action.const == ""  # "": the option without a value
            if action.option_strings and not may_be and getattr(parsed, action.dest, None) == "":
                self.error(f"argument {'/'.join(action.option_strings)}: its value is empty")
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; {self.prog} --help lists the options\n")


def positive(word: str) -> float:
    """argparse's type of a number above 0."""
    value = number(word)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {word}")
    return value


def count(word: str) -> int:
    """argparse's type of a whole number above 0, of up to 9 digits."""
    if not word.isdecimal() or not word.strip("0"):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {word}")
    if len(word) > DIGITS:
        raise argparse.ArgumentTypeError(f"expected a whole number of up to {DIGITS} digits, got {word}")
    return int(word)


def number(word: str) -> float:
    """argparse's type of a finite number."""
    value = float(word)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {word}")
    return value
