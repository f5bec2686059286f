"""Confidence intervals and tests by the bootstrap over pictures (Efron and Tibshirani 1993): percentiles, seeded.

Persons of one picture are not independent, so pictures are drawn, with all their persons. A draw is a weight for each
picture, how often it was drawn; figures of all draws are one product of weights with sums per picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 0
BLOCK = 250  # resamples whose weights are in memory at once


@dataclass(frozen=True)
class Column:
    """A figure that is a share of sums: percent of right joints, mean pixels, ...

    values, counts: (N, K), what each person's joint adds above and below the line.
    pooled: the sum of all joints' values over the sum of their counts; else the mean of the joints' own shares.
    factor: 100 for percent.
    """

    name: str
    values: np.ndarray
    counts: np.ndarray
    pooled: bool = True
    factor: float = 100.0

    def of_sums(self, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The figure (...,) of sums (..., K); NaN where nothing counts."""
        if self.pooled:
            values, counts = values.sum(axis=-1, keepdims=True), counts.sum(axis=-1, keepdims=True)
        counted = counts > 0
        shares = np.where(counted, values / np.where(counted, counts, 1), 0).sum(axis=-1)
        number = counted.sum(axis=-1)
        return np.where(number > 0, self.factor * shares / np.maximum(number, 1), np.nan)

    def figure(self, rows: np.ndarray | slice = slice(None)) -> float:
        """The figure of some persons, all by default."""
        return float(self.of_sums(self.values[rows].sum(axis=0), self.counts[rows].sum(axis=0)))


def weight_blocks(pictures: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[np.ndarray]:
    """Blocks (R, P) float32 of how often each of P pictures is in a resample; the same for the same arguments."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        count = min(BLOCK, resamples - start)
        drawn = generator.integers(0, pictures, (count, pictures), dtype=np.int32)
        drawn += pictures * np.arange(count, dtype=np.int32)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * pictures)
        yield counts.reshape(count, pictures).astype(np.float32)


def picture_sums(values: np.ndarray, picture_of: np.ndarray, pictures: int) -> np.ndarray:
    """(P, K) sums of values (N, K) over the persons of each picture; picture_of (N,): its number, from 0 on."""
    sums = np.zeros((pictures, *values.shape[1:]))
    np.add.at(sums, picture_of, values)
    return sums


def resampled(
    columns: Sequence[Column], picture_of: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED
) -> np.ndarray:
    """(R, C) the columns' figures in R resamples of the pictures.

    Runs over the same pictures get the same draws, so that the difference of two results is the paired one.
    """
    pictures = int(picture_of.max()) + 1
    sums = [
        [picture_sums(part.astype(np.float64), picture_of, pictures) for part in (column.values, column.counts)]
        for column in columns
    ]
    widths = [part.shape[1] for pair in sums for part in pair]
    joined = np.concatenate([part for pair in sums for part in pair], axis=1)
    edges = np.cumsum(widths)[:-1]
    blocks = []
    for weights in weight_blocks(pictures, resamples, seed):
        parts = np.split(weights.astype(np.float64) @ joined, edges, axis=1)
        pairs = zip(columns, parts[::2], parts[1::2], strict=True)
        blocks.append(np.stack([column.of_sums(values, counts) for column, values, counts in pairs], axis=1))
    return np.concatenate(blocks)


def interval(draws: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(low, high) of draws (R,): what the middle `confidence` of them lie within; NaN where none is a number."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_value(differences: np.ndarray) -> float:
    """Two-sided p of 'there is no difference' from resampled differences (R,): 1 where all are 0, never below 2 / R.

    Twice the share of draws on the other side of 0; those at 0 count on both.
    """
    differences = differences[np.isfinite(differences)]
    if not len(differences):
        return 1.0
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * max(tail, 1) / len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm (1979), in their order."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(np.minimum(np.arange(len(values), 0, -1) * values[order], 1))
    return corrected.tolist()
