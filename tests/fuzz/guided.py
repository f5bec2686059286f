"""Coverage-guided fuzzing, by hand: atheris changes good files and keeps those that reach new lines of lib/.

    pip install atheris
    python tests/fuzz/guided.py weights -max_total_time=60

Each case ends in a result or in one of the project's own errors; atheris stops at the first that does not, or takes
more than 20 seconds, and writes it to the working folder. What follows the target is for atheris: -help=1 lists it.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

with atheris.instrument_imports(include=["lib"]):
    import test_fuzz_annotations as annotations
    import test_fuzz_files as files
    import test_fuzz_settings as settings

    from lib.utils.errors import RunError, UserError


def use_metadata(path):
    settings.from_json(path.read_text(encoding="utf-8", errors="replace"))


def use_truth(path):
    annotations.read_truth(path, annotations.COCO)


def all_targets(folder):
    """{target: (good files, as bytes, what is done with a path)}; folder: for files on the way."""
    return {
        "pictures": (files.PICTURES, files.use_picture),
        "weights": (files.PICKLES, files.read_weights),
        "mat": (annotations.mat_files(folder), annotations.read_predictions),
        "truth": ([text.encode() for text in annotations.TEXTS], use_truth),
        "experiments": ([text.encode() for text in settings.EXPERIMENTS], settings.use_config),
        "metadata": ([json.dumps(settings.METADATA).encode()], use_metadata),
    }


def main():
    with tempfile.TemporaryDirectory() as name:
        folder, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        targets = all_targets(folder)
        if len(sys.argv) < 2 or sys.argv[1] not in targets:
            sys.exit(f"error: expected one of {', '.join(targets)}, then options of atheris")
        seeds, use = targets[sys.argv[1]]
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        path = folder / "case"

        def attempt(data):
            path.write_bytes(data)
            try:
                use(path)
            except (UserError, RunError) as error:
                assert 0 < len(str(error)) < 2000, f"a message of {len(str(error))} characters"

        atheris.Setup([sys.argv[0], "-timeout=20", *sys.argv[2:], str(corpus)], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
