"""What report.py does: figures of runs, one page and one JSON file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.report import table_lines
from ..utils.errors import UserError
from ..utils.files import read_json, readable_size, write_json
from ..utils.image import picture_header
from ..utils.runtime import make_folder
from .compare import changed_people, differences, differing_keys, group_rows, refuse_others, seed_groups
from .groups import groups_of
from .intervals import CONFIDENCE, RESAMPLES, SEED
from .pages.gallery import MOST, Shown, galleries, show_all
from .pages.page import LARGEST, Section, write_page
from .pages.sections import comparison_section, overview, run_section
from .predictions import RunPredictions, load, prediction_file
from .run_figures import Figures, figures_of, primary_name

if TYPE_CHECKING:
    from ..config.schema import Config

PAGE = "index.html"
ALL = 510  # people on a page, so that it stays below LARGEST: one takes about 23 kB
CHANGED = 12  # people of each kind of change
TRIED = 5  # pictures: if none of so many is there, the others are not looked for


@dataclass(frozen=True)
class ReportSettings:
    """resamples, seed: of the bootstrap; by_seed: runs that differ in the seed alone become one row; people: shown."""

    resamples: int = RESAMPLES
    seed: int = SEED
    by_seed: bool = False
    people: bool = True


def write_report(
    runs: Sequence[RunPredictions], output: Path, settings: ReportSettings = ReportSettings(),  # noqa: B008, frozen
    say: Callable[[str], None] = print,
) -> Path:
    """Writes index.html and report.json into the folder `output`; returns the page's path.

    Raises UserError where the runs cannot be compared or the folder cannot be written to.
    """
    refuse_others(runs)
    folder = make_folder(output)
    sizes = picture_sizes(runs[0])
    groups = groups_of(runs[0].people, runs[0].skeleton, sizes)
    figures = [figures_of(run, groups, settings.resamples, settings.seed) for run in runs]
    for run, each in zip(runs, figures, strict=True):
        for line in table_lines(run.name, {name: value for name, (value, *_) in each.rows["table"].items()}):
            say(line)
    for line in remarks(runs, settings.by_seed):
        say(line)
    by_seed = group_rows(seed_groups(runs), figures) if settings.by_seed else {}
    compared = {
        run.name: {part: differences(figures[0], each, part) for part in each.rows}
        for run, each in zip(runs[1:], figures[1:], strict=True)
    }
    content = _content(runs, figures, settings, by_seed, compared)
    sections = _sections(runs, figures, by_seed, compared, settings.people and bool(sizes))
    title = "Report: " + ", ".join(run.name for run in runs)
    details = figures[0].details
    subtitle = (
        f"{details['people']} people in {details['pictures']} pictures; 95% intervals from {settings.resamples} "
        f"resamples of the pictures, seed {settings.seed}"
    )
    write_json(content, folder / "report.json")
    size = write_page(title, subtitle, sections, folder / PAGE)
    if size > LARGEST:
        say(f"=> the page has {readable_size(size)}: fewer runs at once, or --no-people, make it smaller")
    say(f"=> saving the report to {folder / PAGE} ({readable_size(size)})")
    return folder / PAGE


def remarks(runs: Sequence[RunPredictions], by_seed: bool) -> list[str]:
    """Lines about runs that are not what they seem."""
    lines = [line for run in runs if (line := run.other_annotations())]
    for run in runs[1:]:
        if np.array_equal(run.predicted, runs[0].predicted, equal_nan=True):
            lines.append(f"=> {runs[0].name} and {run.name} are the same predictions")
    if by_seed and all(len(numbers) == 1 for numbers in seed_groups(runs).values()):
        lines.append("=> --group: no two runs differ in TRAIN.SEED alone, so there is nothing to average")
    return lines


def _content(
    runs: Sequence[RunPredictions], figures: Sequence[Figures], settings: ReportSettings, by_seed: Mapping[str, Any],
    compared: Mapping[str, Any],
) -> dict[str, Any]:
    """report.json."""
    return {
        "settings": asdict(settings) | {"confidence": CONFIDENCE},
        "runs": [as_json(run, each) for run, each in zip(runs, figures, strict=True)],
        "differing_keys": differing_keys(runs),
        "groups_of_seeds": by_seed,
        "comparisons": {
            name: {part: [asdict(row) for row in rows] for part, rows in parts.items()}
            for name, parts in compared.items()
        },
    }


def shown_of_each(runs: int) -> int:
    """How many people of each kind a page of so many runs shows: five kinds a run, and those that runs differ in."""
    return min(MOST, max(1, ALL // (5 * runs + 3 * (runs - 1))))


def _sections(
    runs: Sequence[RunPredictions], figures: Sequence[Figures], by_seed: Mapping[str, Any],
    compared: Mapping[str, Any], with_people: bool,
) -> list[Section]:
    most = shown_of_each(len(runs))
    sections = [overview(runs, figures, by_seed, compared)]
    for run in runs[1:]:
        changed: dict[str, tuple[int, list[Shown]]] = {}
        for what, (count, rows) in changed_people(runs[0], run, min(CHANGED, most)).items():
            changed[what] = (count, show_all([runs[0], run], rows) if with_people else [])
        sections.append(comparison_section(runs[0], run, compared[run.name], changed))
    for run, each in zip(runs, figures, strict=True):
        sections.append(run_section(run, each, history_of(run.folder), galleries(run, most) if with_people else {}))
    return sections


def as_json(run: RunPredictions, figures: Figures) -> dict[str, Any]:
    """All figures of a run, for report.json."""
    rows = {
        part: {name: dict(zip(("value", "low", "high"), row, strict=True)) for name, row in values.items()}
        for part, values in figures.rows.items()
    }
    people = [
        {"id": number, "picture": Path(str(picture)).name, "score": float(score)}
        for number, picture, score in zip(run.people.ids, run.people.pictures, run.person_scores, strict=True)
    ]
    about = {"name": run.name, "metric": run.metric, "primary": primary_name(run)}
    return {**about, "figures": rows, **figures.details, "persons": people}


def picture_sizes(run: RunPredictions) -> dict[str, tuple[int, int]]:
    """{path: (width, height)} of the pictures that are there; empty where none of the first ones is."""
    sizes: dict[str, tuple[int, int]] = {}
    for number, picture in enumerate(dict.fromkeys(run.people.pictures)):
        if number == TRIED and not sizes:
            break
        try:
            sizes[picture] = picture_header(picture)[0]
        except UserError:
            continue
    return sizes


def history_of(folder: Path | None) -> list[Any]:
    """The rows of the epochs in a run folder's history.json; empty where there is none."""
    path = folder / "history.json" if folder else None
    content = read_json(path) if path and path.is_file() else []
    return content if isinstance(content, list) else []


def report_run(config: Config, folder: Path, path: str | None = None, say: Callable[[str], None] = print) -> Path:
    """The report of a run folder that valid.py or train.py has just written, in its folder report/.

    path: of the predictions, None for those of the run folder.
    """
    file = prediction_file(folder, config.dataset.test_set) if path is None else Path(path)
    run = load(folder.name, config, file, folder)
    return write_report([run], report_page(folder).parent, say=say)


def report_page(folder: Path) -> Path:
    """The page of a run folder's own report, which is written last of all its files."""
    return folder / "report" / PAGE
