"""What a step of pre-training needs, computed before the first one: parameters, arithmetic, memory.

The arithmetic is that of BERT with its MLM head on predicted positions only (`models/bert.py`). The memory is that
of the fast step (`models/fast`): the tensors that its autograd functions save, and those alive at the peak. The
former were compared with `torch.autograd.graph.saved_tensors_hooks`, the place of the peak was found by watching the
resident set line by line, and the memory of a process was measured with `tests/training/test_forecast.py SETTING`.

On the CPU the forecast differs from the growth of the resident set after `prepare_process` by 3% in the median and 16%
at most (67 settings: tiny to base, 2 to 32 examples of 64 to 512 tokens; the furthest were two layers with many long
examples). For CUDA the same formulas, unmeasured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertsmith.models.fast.working import VOCABULARY_BLOCK

if TYPE_CHECKING:
    from transformers import BertConfig

LIBRARIES = {"fp32": 40e6, "bf16": 60e6}
"""Bytes that even the smallest model takes in its first step: code paged in and generated, scratch space of oneDNN."""

PLANNED = 70
"""Bytes a sentence of the STORE: its mapped tables and the plan of an epoch of pairs.

Measured with 2 million sentences, over the step only: 63 to 93 (tiny to small). A run over a small STORE takes what
its step takes: the peak's matrices, the tokenizer and the evaluation lie where the first step will.
"""

HEAP = {"cpu": 1.35, "cuda": 1.1}
"""Bytes taken for a byte of activations.

CPU: glibc keeps freed memory (`runtime/machine.py`), and its aligned allocation does not put a block into
a hole of just its size; measured 0.9 to 1.7, in the middle 1.35 (glibc 2.36). CUDA: the caching allocator rounds up;
assumed, not measured.
"""

HEAP_CHECKPOINTED = 1.05
"""On the CPU with gradient checkpointing, where glibc maps every large block by itself.

A heap that is kept takes as much with checkpointing as without: a recomputed layer does not fit the holes that the
last one left.
"""


def parameters(config: BertConfig) -> int:
    """The parameters of BertForPreTraining; the MLM decoder, tied to the word embeddings, is counted once."""
    hidden, vocabulary = config.hidden_size, config.vocab_size
    embeddings = (vocabulary + config.max_position_embeddings + config.type_vocab_size + 2) * hidden
    biases_and_norms = 9 * hidden + config.intermediate_size
    layers = config.num_hidden_layers * (_matrices(config) + biases_and_norms)
    pooler_and_transform = 2 * (hidden + 1) * hidden
    heads = 2 * hidden + vocabulary + 2 * (hidden + 1)
    return int(embeddings + layers + pooler_and_transform + heads)


def _matrices(config: BertConfig) -> int:
    """Entries of the matrices of one layer: query, key, value, attention output; the two of the feed-forward part."""
    return int(4 * config.hidden_size**2 + 2 * config.hidden_size * config.intermediate_size)


def flops_per_example(
    config: BertConfig, sequence_length: int, predictions: float, *, gradient_checkpointing: bool = False
) -> float:
    """Floating point operations of forward and backward for one example, matrix products only.

    A multiply-add is 2 operations, and the backward pass is twice the forward (Kaplan et al. 2020, "Scaling Laws for
    Neural Language Models", section 2.1). Gradient checkpointing adds one forward pass of the layers.

    Args:
        sequence_length: tokens of the example, padding included.
        predictions: masked positions of the example; the MLM head runs on these only.
    """
    hidden = config.hidden_size
    attention = 2 * sequence_length**2 * hidden
    layers = config.num_hidden_layers * (sequence_length * _matrices(config) + attention)
    mlm = predictions * (hidden**2 + hidden * config.vocab_size)
    nsp = hidden**2 + 2 * hidden
    passes_of_layers = 4 if gradient_checkpointing else 3
    return float(2 * (passes_of_layers * layers + 3 * (mlm + nsp)))


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a step.

    Attributes:
        weights: float32.
        gradients: float32.
        optimizer: its state, float32.
        activations: what autograd keeps, what the widest operation adds to it, what the allocator takes beyond
            both, and the working copies of the weights.
        total: the sum, `LIBRARIES`, and what the examples are planned with.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    total: int


def memory(
    config: BertConfig,
    *,
    micro_batch_size: int,
    sequence_length: int,
    predictions: float,
    precision: str,
    optimizer: str,
    dropout: float,
    attention: str,
    gradient_checkpointing: bool,
    accumulation: bool = False,
    streams: int = 1,
    sentences: int = 0,
    processes: int = 1,
    device: str = "cpu",
) -> Memory:
    """The memory that training takes beyond what the process has before the model is made.

    Args:
        predictions: masked positions of an example.
        precision: `fp32`, or `bf16`: products of bfloat16 copies of the float32 weights.
        optimizer: `adamw` (two moments), or `muon` (one for the layers' matrices, two for the rest).
        attention: `eager` keeps the probabilities of every pair of positions, `sdpa` (the fused kernel) does not,
            except with dropout on the CPU.
        accumulation: whether a batch is several micro-batches.
        streams: micro-batches side by side, which have `micro_batch_size` together and gradients of their own.
        sentences: of the STORE's training part, where the process plans its examples.
        processes: over how many weights, gradients and optimizer are divided (FSDP); the weights of one unit, a layer
            or all that is no layer, are whole at a time.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    count, layers = parameters(config), config.num_hidden_layers
    matrices = layers * _matrices(config)
    number = 2 if precision == "bf16" else 4
    layer, widest = _layer(config, sequence_length, number=number, dropout=dropout, attention=attention, kind=kind)
    embeddings = _embeddings(config, number, dropout)
    tokens, logits = micro_batch_size * sequence_length, _logits(config, micro_batch_size * predictions, number)
    if gradient_checkpointing:  # the inputs of all layers, and one layer at a time
        inputs = tokens * (embeddings + layers * number * config.hidden_size)
        alive = inputs + max(logits, tokens * (layer + widest))
    else:
        alive = tokens * (embeddings + layers * layer) + max(logits, tokens * widest)
    heap = HEAP_CHECKPOINTED if gradient_checkpointing and kind == "cpu" else HEAP[kind]
    moments = 8 * count - (4 * matrices if optimizer == "muon" else 0)
    activations = int(heap * alive) + _working_copies(config, number)
    if accumulation and not gradient_checkpointing:
        # The gradients so far exist together with all activations; else they come as those go.
        activations += 4 * count if kind == "cpu" else 0
    weights = gradients = 4 * count
    gradients *= streams
    if processes > 1:
        activations += 8 * max(matrices // max(layers, 1), count - matrices)
        weights, gradients, moments = (-(-part // processes) for part in (weights, gradients, moments))
    total = weights + gradients + moments + activations + int(LIBRARIES[precision])
    total += PLANNED * sentences
    return Memory(weights, gradients, moments, activations, total)


def _embeddings(config: BertConfig, number: int, dropout: float) -> int:
    """Bytes a token of the sum of the embeddings in float32, the mask of their dropout, and the output of the last
    layer, which the pooler keeps.
    """
    return int((4 + (number if dropout else 0) + number) * config.hidden_size)


def _logits(config: BertConfig, predicted: float, number: int) -> float:
    """Bytes that the MLM head takes for predicted positions.

    The logits become their own gradient; four rows of the head's own; the gradient of the decoder, first in the type of
    the products. Before them the decoder's copy is made anew, by a cast and a cat, while the old one is there.
    """
    vocabulary = config.vocab_size * config.hidden_size
    logits = predicted * number * (config.vocab_size + 4 * config.hidden_size)
    logits += 2 * vocabulary if number == 2 else 0
    return max(logits, 4 * vocabulary if number == 2 or config.vocab_size % VOCABULARY_BLOCK else 0)


def _working_copies(config: BertConfig, number: int) -> int:
    """Bytes of the copies of weights that the products are computed with, for all of a run.

    Those of the layers, the MLM head's transform and the decoder in bfloat16; in float32 only what is joined (query,
    key and value) or filled up (a vocabulary that is not a multiple of VOCABULARY_BLOCK).
    """
    hidden, vocabulary, layers = config.hidden_size, config.vocab_size, config.num_hidden_layers
    if number == 2:
        return int(2 * (layers * _matrices(config) + hidden**2 + vocabulary * hidden))
    return int(4 * (3 * layers * hidden**2 + (vocabulary * hidden if vocabulary % VOCABULARY_BLOCK else 0)))


def _layer(
    config: BertConfig, length: int, *, number: int, dropout: float, attention: str, kind: str
) -> tuple[int, int]:
    """Bytes a token that autograd keeps of one layer, and that the widest operation of its backward pass adds.

    Args:
        number: bytes of a number of the products.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    pairs = config.num_attention_heads * length
    # Inputs of the products (of query, key and value, of the attention output, of the feed-forward part), query, key
    # and value themselves, what both LayerNorms normalise; what stands before and after GELU. A mask of dropout is as
    # wide as what it masks.
    kept = number * (8 * hidden + 2 * inner) + (2 * number * hidden if dropout else 0)
    if attention == "eager":
        kept += number * pairs * (2 if dropout else 1)
        scores = 2 * number * pairs  # the gradients of the shares and of the scores
    elif dropout and kind == "cpu":  # the fused kernel's fallback: query, key and value and three times the pairs
        kept += 12 * pairs + 3 * (4 - number) * hidden
        scores = 8 * pairs
    else:
        kept += 4 * config.num_attention_heads  # logarithms of the sums
        scores = 0
    # Backwards the feed-forward part is first, with the gradient of its inside; it is gone when attention's turn comes.
    widest = max(number * (inner + 3 * hidden), scores + number * (2 * hidden - 2 * inner))
    return kept, widest


def fitting_micro_batch(free_bytes: int, batch_size: int, forecast: Callable[[int], Memory]) -> int | None:
    """The largest of batch_size, its half (rounded up), a quarter ... 1 whose forecast fits; None where none does."""
    size = batch_size
    while forecast(size).total > free_bytes:
        if size <= 1:
            return None
        size = (size + 1) // 2
    return size
