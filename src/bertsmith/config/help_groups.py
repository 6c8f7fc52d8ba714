"""The boxes of `--help` and of docs/reference.md, in the order in which people need them.

A schema names the options of each box (`Options.groups`); options that no box names are in the box "Options".
"""

from __future__ import annotations

INPUT_OUTPUT = "Input and output"
MODEL = "Model"
DATA = "Data and columns"
OPTIONS = "Options"
CLEANING = "Cleaning"
TOKENIZER = "Tokenizer"
LENGTH = "Length of training"
BATCHES = "Batches"
LEARNING = "Learning"
OBJECTIVE = "Objective and masks"
EVALUATION = "Evaluation"
LANGUAGE_MODELS = "Language models only"
DISTILLATION = "Distillation"
SEEDS = "Seeds and search"
MACHINE = "Machine"
SAVING = "Saving and resuming"
SETTINGS = "Settings and output format"

ORDER = (
    *(INPUT_OUTPUT, MODEL, DATA, OPTIONS, CLEANING, TOKENIZER, LENGTH, BATCHES, LEARNING, OBJECTIVE),
    *(EVALUATION, LANGUAGE_MODELS, DISTILLATION, SEEDS, MACHINE, SAVING, SETTINGS),
)
