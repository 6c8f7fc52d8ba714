"""Measure seconds from logits to answers for the number of questions in SQuAD 1.1's dev file; print JSON.

    python benchmarks/span_search.py [--questions 10570]

Contexts have as many pieces as SQuAD's (log-normal, mean about 150), so some are read in several windows; rows are
padded to 384. Drawing the logits is not counted. `kept_megabytes` is the memory of all kept rows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from bertsmith.tasks.question_answering.encoding import ContextTokens, EncodedQuestions, PairTemplate, context_windows
from bertsmith.tasks.question_answering.squad_file import ContextQuestion
from bertsmith.tasks.question_answering.task import QuestionAnswering

LENGTH, BATCH, QUESTION, TEMPLATE = 384, 64, 14, PairTemplate([2], [3], [3], (0, 0, 0, 1, 1))


def inputs_of(questions: int) -> EncodedQuestions:
    """Return questions of 14 pieces, five per context."""
    counts = np.clip(np.random.default_rng(0).lognormal(4.92, 0.42, -(-questions // 5)).astype(int), 20, 900)
    contexts = [
        ContextTokens(np.full(count, 9, np.int32), *(np.arange(count, dtype=np.int32) * 5 + add for add in (0, 4)))
        for count in counts
    ]
    context_of = [number // 5 for number in range(questions)]
    room = LENGTH - len(TEMPLATE) - QUESTION
    rows = [
        (number, first, count)
        for number, context in enumerate(context_of)
        for first, count in context_windows(len(contexts[context]), room)
    ]
    asked = [[9] * QUESTION for _ in range(questions)]
    return EncodedQuestions(TEMPLATE, asked, contexts, context_of, *np.array(rows).T, [0] * questions, [0] * questions)


Seconds = tuple[float, float]


@contextmanager
def timed(seconds: dict[str, Seconds], step: str) -> Iterator[None]:
    """Add the time of a step, by the clock and by the processor: on shared cores the clock says little."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    before = seconds.get(step, (0.0, 0.0))
    seconds[step] = before[0] + time.perf_counter() - wall, before[1] + time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_570)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    inputs, head, draw = inputs_of(options.questions), QuestionAnswering(), torch.Generator().manual_seed(0)
    questions = [
        ContextQuestion(str(number), ("word",), "q", "word " * len(inputs.contexts[context]))
        for number, context in enumerate(inputs.context_of)
    ]
    rows, kept = len(inputs.owners), []
    seconds: dict[str, Seconds] = {}
    for at in range(0, rows, BATCH):
        numbers = list(range(at, min(at + BATCH, rows)))
        start, end = torch.randn(2, len(numbers), LENGTH, generator=draw)
        output = {"start_logits": start.numpy(), "end_logits": end.numpy()}
        with timed(seconds, "windows"):
            kept += head.extract_outputs(output, inputs, numbers)
    with timed(seconds, "questions"):
        answers = head.gather_outputs(kept, inputs)
    with timed(seconds, "texts"):
        texts = head.texts(questions, answers)
    assert len(texts) == options.questions and all(texts.values())
    size = sum(part.nbytes for item in kept for part in item)
    record = {
        "questions": options.questions,
        "windows": rows,
        "length": LENGTH,
        "threads": options.threads,
        "seconds": round(sum(wall for wall, _ in seconds.values()), 3),
        "processor_seconds": round(sum(processor for _, processor in seconds.values()), 3),
        "processor_seconds_by_step": {name: round(processor, 3) for name, (_, processor) in seconds.items()},
        "kept_megabytes": round(size / 1e6, 1),
        "logits_megabytes": round(rows * LENGTH * 2 * 4 / 1e6, 1),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
