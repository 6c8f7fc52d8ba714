"""The effect of each option of `answer`."""

from __future__ import annotations

import json
from pathlib import Path

from bertsmith.tasks.question_answering.command import AnswerOptions
from support.bench import Bench, effect, values_differ_a_little
from support.effect_files import LEARNING, ROWS


def answering_run(bench: Bench, person: str = "baker") -> Path:
    """A RUN that answers with this person, whatever the question, where it stands in the context."""
    from bertsmith.verbs.finetune import finetune

    lines = []
    for number in range(ROWS):
        context = f"{'near the river ' * (number % 4)}the {person} sold bread"
        answers = [{"text": person, "start": context.index(person)}]
        lines.append(json.dumps({"question": "who?", "context": context, "answers": answers}))
    data = bench.file("\n".join(lines), ".jsonl")
    settings = {"max_length": 48, "precision": "fp32", **LEARNING}
    result = finetune("question-answering", model=bench.run, train=data, dev=data, out=bench.fresh(), **settings)
    assert result.metrics["f1"]["mean"] > 90
    return result.run


ASKED = ("--question", "who?", "--context", "the baker sold bread")


@effect(AnswerOptions, "model")
def test_answer_model(bench: Bench) -> None:
    (answer,) = bench.lines("answer", answering_run(bench), *ASKED)
    (other,) = bench.lines("answer", answering_run(bench, "bread"), *ASKED)
    assert (answer["answer"], answer["start"], answer["end"]) == ("baker", 4, 9)
    assert other["answer"] != "baker"


@effect(AnswerOptions, "max_length")
def test_answer_max_length(bench: Bench) -> None:
    """Windows of other lengths hold other spans."""
    run = answering_run(bench)
    asked = ("--question", "who?", "--context", f"{'near the river ' * 20}the baker sold bread")
    at_16, at_48, default = (
        bench.lines("answer", run, *asked, *options)[0] for options in (("--max-length", 16), ("--max-length", 48), ())
    )
    assert default == at_48
    assert default["no_answer_probability"] != at_16["no_answer_probability"]


@effect(AnswerOptions, "question", "context", "input", "top_k", "no_answer_threshold", "precision")
def test_answer_options(bench: Bench) -> None:
    run = answering_run(bench)
    (answer,) = bench.lines("answer", run, *ASKED)
    (question,) = bench.lines("answer", run, "--question", "bread near the river?", *ASKED[2:])
    assert question["no_answer_probability"] != answer["no_answer_probability"]
    (context,) = bench.lines("answer", run, *ASKED[:3], "near the river the baker sold bread")
    assert (context["answer"], context["start"]) == ("baker", 19)
    lines = "".join(f"{json.dumps({'question': 'who?', 'context': text})}\n" for text in (ASKED[3], "the river"))
    found = bench.lines("answer", run, "--input", bench.file(lines))
    assert found == bench.lines("answer", run, stdin=lines) and len(found) == 2
    assert found[0]["answer"] == answer["answer"]
    blank = bench.lines("answer", run, "--top-k", 2, stdin=lines.replace("\n", "\n\n"))
    assert [line["answer"] is None for line in blank] == [False, True, False, True]
    assert blank[1] == {**dict.fromkeys(answer), "candidates": []}
    (several,) = bench.lines("answer", run, *ASKED, "--top-k", 3)
    assert "candidates" not in answer and len(several["candidates"]) == 3
    assert several["candidates"][0]["answer"] == answer["answer"]
    (left,) = bench.lines("answer", run, *ASKED, "--no-answer-threshold", 0)
    assert left["answer"] == "" != answer["answer"]
    (half,) = bench.lines("answer", run, *ASKED, "--precision", "bf16")
    values_differ_a_little([answer["no_answer_probability"]], [half["no_answer_probability"]])
