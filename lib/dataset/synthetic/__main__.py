"""python -m lib.dataset.synthetic: draws a data set of synthetic people."""

from ...utils.runtime import run_script
from .pictures import main

run_script(main)
