"""Spans of whole characters: no word, token or answer begins or ends inside a grapheme cluster."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from bertsmith.tasks.graphemes import whole_clusters
from bertsmith.tasks.question_answering.encoding import encode_questions
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.words_of_text import words_of_text
from bertsmith.tokenization.folder import make_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
EXAMPLES = {
    "Hindi": "राम पुणे में रहता है",
    "Thai": "น้ำตาลที่บ้านกำลังหวานจริงๆ",
    "Arabic": "ذَهَبَ الوَلَدُ إلى بَيْتٍ",
    "decomposed Latin": "Zoe\u0308 met Jose\u0301 in the cafe\u0301, n\u0303!",
    "emoji": "a 👩\u200d🔬 met 👍🏽, 🇩🇪🇫🇷 and 1\ufe0f\u20e3 ❤\ufe0f #\ufe0f\u20e3",
    "jamo": "\u1112\u1161\u11ab\u1100\u1173\u11af and 한국어",
    "Tamil": "தமிழ் நாடு",
    "variation of an ideograph": "中\U000e0100国 か\u3099",
    "line breaks": "one\r\ntwo\r\n\r\n three",
}


def byte_level() -> PreTrainedTokenizerBase:
    """Each byte is a token, as in RoBERTa's tokenizer without merges."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *sorted(ByteLevel.alphabet())])}
    tokenizer = Tokenizer(BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {name: f"[{name[:-6].upper()}]" for name in ("pad_token", "unk_token", "cls_token", "sep_token")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


LETTERS = sorted({letter for text in EXAMPLES.values() for letter in text} - set(" \r\n"))
BERT_VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *"abcdefghijklmnopqrstuvwxyz"]
TOKENIZERS = {
    "uncased": make_tokenizer(BERT_VOCABULARY, cased=False),
    "cased": make_tokenizer(BERT_VOCABULARY, cased=True),
    "unknown": make_tokenizer([*SPECIAL, "a"], cased=False),
    "bytes": byte_level(),
}


def borders(text: str) -> set[int]:
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


def check(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    """Words and tokens have whole clusters; words are in order, contain all tokens, and share no character."""
    found = borders(text)
    ((pieces, spans),) = words_of_text(tokenizer, [text])
    assert {place for span in spans for place in span} <= found
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert [token for word in pieces for token in word] == tokenizer(text, add_special_tokens=False)["input_ids"]
    inputs = encode_questions(tokenizer, ["a"], [text], 100_000)
    context = inputs.contexts[0]
    assert {*context.starts.tolist(), *context.ends.tolist()} <= found
    assert np.all(np.diff(context.starts) >= 0) and np.all(np.diff(context.ends) >= 0)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("script", EXAMPLES)
def test_no_word_or_piece_ends_inside_a_character(script: str, name: str) -> None:
    check(TOKENIZERS[name], EXAMPLES[script])


@given(
    st.lists(
        st.one_of(st.sampled_from(LETTERS), st.sampled_from(list(" \r\n,.-ae")), st.characters(codec="utf-8")),
        max_size=30,
    ).map("".join),
    st.sampled_from(sorted(TOKENIZERS)),
)
def test_no_word_or_piece_of_any_text_ends_inside_a_character(text: str, name: str) -> None:
    check(TOKENIZERS[name], text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("राम पुणे में", ["राम", "पुणे", "में"]),
        ("Zoe\u0308 met Jose\u0301.", ["Zoe\u0308", "met", "Jose\u0301", "."]),
        ("بَيْتٍ كَبِيرٌ", ["بَيْتٍ", "كَبِيرٌ"]),
        ("press 1\ufe0f\u20e3, #\ufe0f\u20e3", ["press", "1\ufe0f\u20e3", ",", "#\ufe0f\u20e3"]),
        ("中\U000e0100国", ["中\U000e0100", "国"]),
        ("\u1112\u1161\u11ab", ["\u1112\u1161\u11ab"]),
        ("ok 👩\u200d🔬", ["ok", "👩\u200d🔬"]),
    ],
)
@pytest.mark.parametrize("name", ["uncased", "cased", "unknown"])
def test_the_words_of_a_text_keep_their_marks(text: str, words: list[str], name: str) -> None:
    ((_, spans),) = words_of_text(TOKENIZERS[name], [text])
    assert [text[start:end] for start, end in spans] == words


def test_a_mark_that_is_read_together_with_punctuation_is_no_reason_to_join_words() -> None:
    """A byte-level tokenizer reads a mark and the comma after it as one word; only the mark joins the word before."""
    text = "नामा, है"
    ((_, spans),) = words_of_text(TOKENIZERS["bytes"], [text])
    found = [text[start:end] for start, end in spans]
    assert "," in found and "मा" in found and "".join(found) == text.replace(" ", "")


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("राम पुणे में रहता है", "पुणे"),
        ("in the cafe\u0301 today", "cafe\u0301"),
        ("ذَهَبَ إلى بَيْتٍ أمس", "بَيْتٍ"),
        ("sent by 👩\u200d🔬 today", "👩\u200d🔬"),
        ("the \u1112\u1161\u11ab river", "\u1112\u1161\u11ab"),
        ("น้ำ ที่", "ที่"),
    ],
)
def test_the_pieces_of_an_answer_are_its_characters(context: str, answer: str, name: str) -> None:
    inputs = encode_questions(TOKENIZERS[name], ["a"], [context], 512)
    start = context.index(answer)
    first, last = inputs.token_span(0, start, start + len(answer))
    pieces = inputs.contexts[0]
    assert context[pieces.starts[first] : pieces.ends[last]] == answer


def test_spans_of_the_same_characters_are_one_candidate() -> None:
    """The bytes of a character are tokens; whichever of them a span begins or ends with, the answer is the same."""
    context = "é ab"
    inputs = encode_questions(TOKENIZERS["bytes"], ["a"], [context], 64)
    assert len(inputs.contexts[0]) == 5  # two bytes, a blank, two letters
    starts, ends = np.array([0, 1, 0, 3]), np.array([0, 1, 1, 4])
    kept = (0.0, np.array([3, 2, 1, 0], dtype=np.float32), starts, ends)
    found = QuestionAnswering((), "").gather_outputs([kept], inputs)
    assert [(context[start:end], share) for start, end, share in found.candidates(0)] == [
        ("é", pytest.approx(1 / (1 + np.exp(-3)))),
        ("ab", pytest.approx(1 / (1 + np.exp(3)))),
    ]


def test_spans_are_widened_and_empty_spans_stay_empty() -> None:
    text = "e\u0301a\r\n"
    starts, ends = whole_clusters(text, [0, 1, 1, 2, 4], [1, 2, 1, 3, 4])
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == [(0, 2), (0, 2), (0, 0), (2, 3), (3, 3)]
    starts, ends = whole_clusters("été", [1], [2])
    assert (starts.tolist(), ends.tolist()) == ([1], [2])
