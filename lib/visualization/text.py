"""Text in pictures: labels on a patch, names with a rim, captions. All of it stays inside the picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from .palette import DARK, RIM_COLOR, WHITE, Color, text_color

FONT = cv2.FONT_HERSHEY_SIMPLEX
CAPITAL = 21  # pixels of a capital letter at scale 1
PADDING = 0.35  # around a label, of the letters' height


def plain_text(text: str) -> str:
    """The text in the letters of OpenCV's font, which are ASCII: accents go, other letters become question marks."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in letters)


def joint_label(name: str, number: int) -> str:
    """A joint's name for a picture, or its number from 1 on where the font has not its letters."""
    text = plain_text(name)
    return f"joint {number}" if "?" in text and "?" not in name else text.replace("_", " ")


def text_size(text: str, height: float) -> tuple[int, int]:
    """(width, pixels below the base line) of a text whose capitals are `height` pixels high."""
    (width, _), below = cv2.getTextSize(text, FONT, height / CAPITAL, _stroke(height))
    return width, below


def draw_text(image: np.ndarray, text: str, base: tuple[int, int], height: float, color: Color = DARK) -> None:
    """Text at its base line's left end x, y."""
    cv2.putText(image, text, base, FONT, height / CAPITAL, color, _stroke(height), cv2.LINE_AA)


def draw_outlined(image: np.ndarray, text: str, base: tuple[int, int], height: float) -> None:
    """White text with a dark rim, readable on anything; `base` is moved so that the text is inside the picture."""
    width, below = text_size(text, height)
    rim = max(1, round(height / 9))
    left = min(max(base[0], rim), max(image.shape[1] - width - rim, 0))
    bottom = min(max(base[1], round(height) + _stroke(height) + rim), max(image.shape[0] - below - rim, 0))
    for right, down in ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, 0), (1, 0), (0, -1), (0, 1)):
        draw_text(image, text, (left + right * rim, bottom + down * rim), height, RIM_COLOR)  # bolder text is wider
    draw_text(image, text, (left, bottom), height, WHITE)


def draw_label(image: np.ndarray, text: str, corner: tuple[int, int], height: float, color: Color) -> None:
    """Text on a patch of a colour, which stands on the corner x, y of a box, moved to be inside the picture."""
    text = plain_text(text)
    padding = max(2, round(height * PADDING))
    width, tall = text_size(text, height)[0] + 2 * padding, round(height) + 2 * padding
    left = min(max(corner[0], 0), max(image.shape[1] - width, 0))
    top = min(max(corner[1] - tall, 0), max(image.shape[0] - tall, 0))
    cv2.rectangle(image, (left, top), (left + width - 1, top + tall - 1), color, -1)
    draw_text(image, text, (left + padding, top + tall - padding - 1), height, text_color(color))


def draw_names(
    image: np.ndarray, names: Sequence[str], points: np.ndarray, gap: float, height: float
) -> None:
    """Names beside their points (M, 2), on the side away from the middle; moved up or down where they would overlap.

    gap: pixels between a point and its name; height: of capitals.
    """
    taken: list[tuple[float, float, float, float]] = []
    middle = float(np.mean(points[:, 0])) if len(points) else 0.0
    step = height * 1.6
    for index in np.argsort(points[:, 1], kind="stable"):
        x, y = points[index].tolist()
        width = text_size(names[index], height)[0]
        left = x + gap if x >= middle else x - gap - width
        left = min(max(left, 1), max(image.shape[1] - width - 1, 1))
        places = [y + height / 2 + turn * step for turn in (0, 1, -1, 2, -2, 3, -3, 4, -4)]
        inside = [place for place in places if height < place < image.shape[0] - height / 2] or places
        free = [place for place in inside if not _overlaps((left, place - step, left + width, place), taken)]
        base = (free or inside)[0]
        taken.append((left, base - step, left + width, base))
        if abs(base - places[0]) > height:  # a thin line says whose name it is
            end = round(left if x >= middle else left + width), round(base - height / 2)
            cv2.line(image, (round(x), round(y)), end, RIM_COLOR, 3, cv2.LINE_AA)
            cv2.line(image, (round(x), round(y)), end, WHITE, 1, cv2.LINE_AA)
        draw_outlined(image, names[index], (round(left), round(base)), height)


def shortened(text: str, width: int, height: float) -> str:
    """The text, without its middle where it would be wider than `width` pixels."""
    text = plain_text(text)
    kept = len(text)
    result = text
    while kept > 2 and text_size(result, height)[0] > width:
        kept -= 1
        result = f"{text[: (kept + 1) // 2]}..{text[len(text) - kept // 2 :]}"
    return result


def _overlaps(box: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> bool:
    left, top, right, bottom = box
    return any(left < x2 and x1 < right and top < y2 and y1 < bottom for x1, y1, x2, y2 in others)


def _stroke(height: float) -> int:
    return max(1, round(height / 9))
