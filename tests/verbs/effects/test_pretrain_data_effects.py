"""The effects of `pretrain`'s options for the data: examples, masks, batches."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from bertsmith.config.pretrain import PretrainOptions
from support.bench import Bench, effect
from support.effect_files import texts


@effect(PretrainOptions, "store")
def test_pretrain_store(bench: Bench) -> None:
    other = bench.prepare().store
    run = bench.pretrain(other).run
    assert bench.record(run)["data"]["checksum"] != bench.record(bench.base)["data"]["checksum"]
    assert len(bench.vocabulary(run)) == 192


@effect(PretrainOptions, "objective")
def test_pretrain_objective(bench: Bench) -> None:
    found = {}
    for objective in ("mlm+nsp", "mlm", "nsp", "mlm+sop"):
        result = bench.pretrain(objective=objective)
        losses = {name for name in bench.updates(result.run)[0] if name.endswith("_loss")}
        measured = {name for name, value in result.evaluation.items() if value is not None}
        found[objective] = (
            losses,
            "mlm_nats_per_masked_token" in measured,
            "next_sentence_accuracy" in measured,
        )
    assert found == {
        "mlm+nsp": ({"mlm_loss", "nsp_loss"}, True, True),
        "mlm": ({"mlm_loss"}, True, False),
        "nsp": ({"nsp_loss"}, False, True),
        "mlm+sop": ({"mlm_loss", "nsp_loss"}, True, True),
    }
    sop, nsp = (bench.record(bench.pretrain(objective=name).run)["data"] for name in ("mlm+sop", "mlm+nsp"))
    assert sop["pairs"]["forced_random"] == 0, "order prediction needs no random sentence"
    assert nsp["pairs"]["forced_random"] > 0


@effect(PretrainOptions, "negatives")
def test_pretrain_negatives(bench: Bench) -> None:
    documents = ["\n".join(texts(130)[start:]) for start in (0, 5)]
    store = bench.prepare(*(bench.file(text) for text in documents), clean="none", documents="file").store
    found = {}
    for negatives in ("other-document", "same-document"):
        pairs = bench.record(bench.pretrain(store, negatives=negatives).run)["data"]["pairs"]
        found[negatives] = (pairs["same_document_negatives"], pairs["not_next"])
    assert found["other-document"][0] == 0
    assert found["same-document"][0] == found["same-document"][1] > 0


@effect(PretrainOptions, "mask_unit")
def test_pretrain_mask_unit(bench: Bench) -> None:
    """With whole words no piece of a word stays where another one of it is predicted; with spans words are near."""
    from bertsmith.tokenization.folder import load_tokenizer

    pieces = load_tokenizer(str(bench.run)).convert_ids_to_tokens(range(256))
    goes_on = {number for number, piece in enumerate(pieces) if piece.startswith("##")}
    seen = bench.training_batches()
    broken, apart = {}, {}
    for unit in ("token", "word", "span"):
        seen.clear()
        bench.pretrain(mask_unit=unit, steps=6, mask_rate=0.3)
        broken[unit], gaps = 0, []
        for batch in seen:
            original, flat = batch["input_ids"].flatten().clone(), batch["input_ids"].shape[1]
            real = batch["masked_labels"] != -100
            positions = batch["masked_positions"][real]
            original[positions] = batch["masked_labels"][real]
            predicted = set(positions.tolist())
            for at in range(1, len(original)):
                if int(original[at]) in goes_on and at % flat and int(original[at - 1]) > 4:
                    broken[unit] += (at in predicted) != (at - 1 in predicted)
            gaps += [later - earlier for earlier, later in itertools.pairwise(sorted(predicted))]
        apart[unit] = sum(gap == 1 for gap in gaps) / len(gaps)
    assert broken["token"] > 0 and broken["word"] == broken["span"] == 0
    assert apart["span"] > apart["token"] + 0.1


@effect(PretrainOptions, "mask_rate")
def test_pretrain_mask_rate(bench: Bench) -> None:
    seen = bench.training_batches()
    for rate in (0.15, 0.45):
        bench.pretrain(mask_rate=rate, steps=4)
    scratch = bench.pretrain(steps=4).run
    bench.pretrain(steps=4, from_=scratch)
    shares = [int((batch["masked_labels"] != -100).sum()) / int((batch["input_ids"] != 0).sum()) for batch in seen]
    for first, rate in enumerate((0.15, 0.45, 0.25, 0.15)):
        assert np.mean(shares[4 * first : 4 * first + 4]) == pytest.approx(rate, abs=0.02)


@effect(PretrainOptions, "mask_split")
def test_pretrain_mask_split(bench: Bench) -> None:
    from bertsmith.tokenization.folder import load_tokenizer

    mask = load_tokenizer(str(bench.run)).mask_token_id
    seen = bench.training_batches()
    found = {}
    for split in ((100, 0, 0), (0, 100, 0), (0, 0, 100)):
        seen.clear()
        bench.pretrain(mask_split=split)
        real = [batch["masked_labels"] != -100 for batch in seen]
        at_masks = [
            batch["input_ids"].flatten()[batch["masked_positions"]][there]
            for batch, there in zip(seen, real, strict=True)
        ]
        labels = [batch["masked_labels"][there] for batch, there in zip(seen, real, strict=True)]
        found[split] = (
            all(bool((ids == mask).all()) for ids in at_masks),
            all(bool((ids == truth).all()) for ids, truth in zip(at_masks, labels, strict=True)),
            any(bool((ids == mask).any()) for ids in at_masks),
        )
    assert found == {
        (100, 0, 0): (True, False, True),
        (0, 100, 0): (False, False, False),
        (0, 0, 100): (False, True, False),
    }


@effect(PretrainOptions, "sequence_length")
def test_pretrain_sequence_length(bench: Bench) -> None:
    seen = bench.training_batches()
    short, long = (bench.pretrain(sequence_length=length) for length in (16, 48))
    assert [batch["input_ids"].shape[1] for batch in seen] == [16, 16, 48, 48]
    assert short.tokens_seen < long.tokens_seen


@effect(PretrainOptions, "short_phase")
def test_pretrain_short_phase(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.pretrain(steps=4, sequence_length=32, short_phase="16,0.75")
    assert [batch["input_ids"].shape[1] for batch in seen] == [16, 16, 16, 32]


@effect(PretrainOptions, "batch_size")
def test_pretrain_batch_size(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.pretrain(batch_size=4)
    bench.pretrain(batch_size=12)
    assert [len(batch["input_ids"]) for batch in seen] == [4, 4, 12, 12]


@effect(PretrainOptions, "batch_ramp")
def test_pretrain_batch_ramp(bench: Bench) -> None:
    """From 2 examples an update to 8 over the first half of the run."""
    seen = bench.training_batches()
    bench.pretrain(steps=8, batch_ramp="2,0.5")
    assert [len(batch["input_ids"]) for batch in seen] == [2, 2, 4, 6, 8, 8, 8, 8]


@effect(PretrainOptions, "epochs")
def test_pretrain_epochs(bench: Bench) -> None:
    examples = bench.record(bench.base)["data"]["examples"]
    for epochs in (0.02, 0.05):
        assert bench.pretrain(epochs=epochs).steps == math.ceil(epochs * examples / 8)


@effect(PretrainOptions, "general_text")
def test_pretrain_general_text(bench: Bench) -> None:
    """Another text is measured before, during and after; without one there are no such figures."""
    text = bench.file(" ".join(f"the queen sold {number} horses ." for number in range(600)))
    result = bench.pretrain(general_text=text, eval_every=1)
    found = [result.general_evaluation_before, result.general_evaluation]
    found += [line["general_evaluation"] for line in bench.evaluations(result.run)]
    losses = [figures["mlm_nats_per_masked_token"] for figures in found]
    assert len(set(losses)) == len(losses) == 3
    assert bench.record(result.run)["general_text"]["source"] == str(text)
    plain = bench.pretrain(eval_every=1)
    assert plain.general_evaluation is None and plain.general_evaluation_before is None
    assert all("general_evaluation" not in line for line in bench.evaluations(plain.run))
    assert bench.distance(result.run, plain.run) == 0, "measuring changes nothing"


@effect(PretrainOptions, "overfit_one_batch")
def test_pretrain_overfit_one_batch(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.listen()
    result = bench.pretrain(overfit_one_batch=True, steps=150, learning_rate=1e-2)
    assert all(batch["input_ids"].equal(seen[0]["input_ids"]) for batch in seen)
    updates = bench.updates(result.run)
    assert updates[-1]["mlm_loss"] < 0.2 * updates[0]["mlm_loss"]
    assert result.warnings == [] and any("the training step works" in text for text in bench.said)
    assert "the loss on one batch is" in bench.pretrain(overfit_one_batch=True, steps=2).warnings[0]
