"""Silence for the libraries below: a command prints only our own lines.

transformers, datasets, torch and others draw bars, warn, and log on standard error. Our own messages replace what a
user needs of that. Variables that are already set win: `TRANSFORMERS_VERBOSITY=info` and `PYTHONWARNINGS=default` show
the messages again.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

VARIABLES = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "DATASETS_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TQDM_DISABLE": "1",
}


def quiet_libraries() -> None:
    """Turn off progress bars, warnings and log lines of libraries, before any of them is imported."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    root = logging.getLogger()
    if not root.handlers:
        # Without any handler, Python writes the warnings of every logger to standard error.
        root.addHandler(logging.NullHandler())
