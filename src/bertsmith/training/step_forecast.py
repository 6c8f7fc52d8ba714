"""Forecast of a pre-training step before the first one: parameters, arithmetic, memory.

The arithmetic is that of BERT with its MLM head on masked positions only (`models/bert.py`). The memory is that of the
fast operations (`models/fast`): the tensors that their autograd functions save, and those alive at the peak. The saved
tensors were checked with `torch.autograd.graph.saved_tensors_hooks`, the position of the peak by watching the resident
set line by line, and the memory of a process with `tests/training/test_step_forecast.py SETTING`.

On the CPU the forecast differs from the growth of the resident set after `prepare_process` by 3% in the median and 16%
at most (67 settings: tiny to base, 2 to 32 examples of 64 to 512 tokens; the largest errors were for two layers with
many long examples). For CUDA the formulas are the same, and not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertsmith.models.fast.compute_weights import VOCABULARY_BLOCK

if TYPE_CHECKING:
    from transformers import BertConfig

LIBRARIES = {"fp32": 40e6, "bf16": 60e6}
"""Bytes that even the smallest model needs in its first step: code that is loaded or generated, buffers of oneDNN."""

BYTES_PER_SENTENCE = 70
"""Bytes per sentence of the STORE: its mapped tables and the plan of an epoch of pairs.

Measured with 2 million sentences: 63 to 93 more than the step alone (tiny to small). With a small STORE nothing is
added, because the first step reuses the memory of the tokenizer, the evaluation and the measurement of the peak.
"""

HEAP = {"cpu": 1.35, "cuda": 1.1}
"""Bytes of memory per byte of activations.

CPU: glibc keeps freed memory (`runtime/machine.py`), and its aligned allocation cannot reuse a hole of exactly the
block's size; measured 0.9 to 1.7, median 1.35 (glibc 2.36). CUDA: the caching allocator rounds up; assumed, not
measured.
"""

HEAP_CHECKPOINTED = 1.05
"""The same on the CPU with gradient checkpointing, for which glibc maps every large block separately.

If freed memory were kept, checkpointing would save nothing: a recomputed layer does not fit the holes that the previous
one left.
"""


def count_parameters(config: BertConfig) -> int:
    """Count the parameters of BertForPreTraining; word embeddings and MLM decoder share one matrix."""
    hidden, vocabulary = config.hidden_size, config.vocab_size
    embeddings = (vocabulary + config.max_position_embeddings + config.type_vocab_size + 2) * hidden
    biases_and_norms = 9 * hidden + config.intermediate_size
    layers = config.num_hidden_layers * (_matrices(config) + biases_and_norms)
    pooler_and_transform = 2 * (hidden + 1) * hidden
    heads = 2 * hidden + vocabulary + 2 * (hidden + 1)
    return int(embeddings + layers + pooler_and_transform + heads)


def _matrices(config: BertConfig) -> int:
    """Count the entries of the matrices of one layer: query, key, value, attention output, two of the feed-forward."""
    return int(4 * config.hidden_size**2 + 2 * config.hidden_size * config.intermediate_size)


def flops_per_example(
    config: BertConfig, sequence_length: int, predictions: float, *, gradient_checkpointing: bool = False
) -> float:
    """Return the floating point operations of the forward and backward pass of one example, matrix products only.

    A multiply-add is 2 operations, and the backward pass is twice the forward (Kaplan et al. 2020, "Scaling Laws for
    Neural Language Models", section 2.1). Gradient checkpointing adds one forward pass of the layers.

    Args:
        sequence_length: tokens of the example, padding included.
        predictions: masked positions of the example.
    """
    hidden = config.hidden_size
    attention = 2 * sequence_length**2 * hidden
    layers = config.num_hidden_layers * (sequence_length * _matrices(config) + attention)
    mlm = predictions * (hidden**2 + hidden * config.vocab_size)
    nsp = hidden**2 + 2 * hidden
    passes_of_layers = 4 if gradient_checkpointing else 3
    return float(2 * (passes_of_layers * layers + 3 * (mlm + nsp)))


@dataclass(frozen=True)
class StepMemory:
    """Bytes at the peak of a step.

    Attributes:
        weights: float32.
        gradients: float32.
        optimizer: its state, float32.
        activations: the tensors that autograd saves, those of the widest operation, the allocator's overhead, and the
            copies of the weights in the precision of the products.
        total: the sum of the above, `LIBRARIES`, and `BYTES_PER_SENTENCE`.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    total: int


def forecast_memory(
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
    micro_batch_threads: int = 1,
    sentences: int = 0,
    processes: int = 1,
    device: str = "cpu",
) -> StepMemory:
    """Forecast the memory that training adds to a process.

    Args:
        micro_batch_size: examples at once, over all threads.
        predictions: masked positions per example.
        precision: `fp32`, or `bf16`: products of bfloat16 copies of the float32 weights.
        optimizer: `adamw` (two moments), or `muon` (one for the layers' matrices, two for the rest).
        attention: `eager` keeps the probabilities of every pair of positions; `sdpa` (the fused kernel) does not,
            except with dropout on the CPU.
        accumulation: whether a batch is divided into several micro-batches.
        micro_batch_threads: micro-batches computed at once, each with its own gradients.
        sentences: the number of sentences in the STORE's training part.
        processes: the number of processes that share weights, gradients and optimizer (FSDP). The weights of one unit
            at a time (a layer, or everything outside the layers) are whole in each process.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    count, layers = count_parameters(config), config.num_hidden_layers
    matrices = layers * _matrices(config)
    width = 2 if precision == "bf16" else 4  # bytes
    layer, widest = _layer(config, sequence_length, width=width, dropout=dropout, attention=attention, kind=kind)
    embeddings = _embeddings(config, width, dropout)
    tokens, logits = micro_batch_size * sequence_length, _logits(config, micro_batch_size * predictions, width)
    if gradient_checkpointing:  # the inputs of all layers, and one layer at a time
        inputs = tokens * (embeddings + layers * width * config.hidden_size)
        alive = inputs + max(logits, tokens * (layer + widest))
    else:
        alive = tokens * (embeddings + layers * layer) + max(logits, tokens * widest)
    heap = HEAP_CHECKPOINTED if gradient_checkpointing and kind == "cpu" else HEAP[kind]
    moments = 8 * count - (4 * matrices if optimizer == "muon" else 0)
    activations = int(heap * alive) + _weight_copies(config, width)
    if accumulation and not gradient_checkpointing:
        # The gradients of earlier micro-batches exist next to all activations. Otherwise gradients are made as
        # activations are freed.
        activations += 4 * count if kind == "cpu" else 0
    weights = gradients = 4 * count
    gradients *= micro_batch_threads
    if processes > 1:
        activations += 8 * max(matrices // max(layers, 1), count - matrices)
        weights, gradients, moments = (-(-whole // processes) for whole in (weights, gradients, moments))
    total = weights + gradients + moments + activations + int(LIBRARIES[precision])
    total += BYTES_PER_SENTENCE * sentences
    return StepMemory(weights, gradients, moments, activations, total)


def _embeddings(config: BertConfig, width: int, dropout: float) -> int:
    """Bytes per token of the sum of embeddings in float32, its dropout mask, and the output of the last layer.

    The pooler keeps that output.
    """
    return int((4 + (width if dropout else 0) + width) * config.hidden_size)


def _logits(config: BertConfig, predicted: float, width: int) -> float:
    """Bytes of the MLM head for this many predicted positions.

    At the peak there are the logits (which become their own gradient), four hidden vectors per position, and the
    gradient of the decoder in the type of the products. Earlier, the old and the new copy of the decoder exist.
    """
    vocabulary = config.vocab_size * config.hidden_size
    logits = predicted * width * (config.vocab_size + 4 * config.hidden_size)
    logits += 2 * vocabulary if width == 2 else 0
    return max(logits, 4 * vocabulary if width == 2 or config.vocab_size % VOCABULARY_BLOCK else 0)


def _weight_copies(config: BertConfig, width: int) -> int:
    """Bytes of the copies of weights that the products are computed with, for the whole run.

    In bfloat16 the layers, the MLM head's transform and the decoder have copies. In float32 only joined weights have
    one (query, key and value), and a decoder that is padded to a multiple of VOCABULARY_BLOCK.
    """
    hidden, vocabulary, layers = config.hidden_size, config.vocab_size, config.num_hidden_layers
    if width == 2:
        return int(2 * (layers * _matrices(config) + hidden**2 + vocabulary * hidden))
    return int(4 * (3 * layers * hidden**2 + (vocabulary * hidden if vocabulary % VOCABULARY_BLOCK else 0)))


def _layer(
    config: BertConfig, length: int, *, width: int, dropout: float, attention: str, kind: str
) -> tuple[int, int]:
    """Bytes per token that autograd saves for one layer, and that the widest operation of its backward pass adds.

    Args:
        width: bytes per number in the products.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    pairs = config.num_attention_heads * length
    # Hidden-sized: inputs of the products (query, key and value; attention output; feed-forward), query, key and value,
    # and inputs of both LayerNorms. Inner-sized: input and output of GELU. A dropout mask is as wide as its values.
    saved = width * (8 * hidden + 2 * inner) + (2 * width * hidden if dropout else 0)
    if attention == "eager":
        saved += width * pairs * (2 if dropout else 1)
        scores = 2 * width * pairs  # the gradients of probabilities and scores
    elif dropout and kind == "cpu":  # the fused kernel's fallback: query, key, value and 3 * pairs, in float32
        saved += 12 * pairs + 3 * (4 - width) * hidden
        scores = 8 * pairs
    else:
        saved += 4 * config.num_attention_heads  # logarithms of the sums
        scores = 0
    # The backward pass begins with the feed-forward part, whose inner tensors are freed before that of attention.
    widest = max(width * (inner + 3 * hidden), scores + width * (2 * hidden - 2 * inner))
    return saved, widest


def fitting_micro_batch(free_bytes: int, batch_size: int, forecast: Callable[[int], StepMemory]) -> int | None:
    """Halve batch_size (rounding up) until its forecast fits; return None if not even 1 fits."""
    size = batch_size
    while forecast(size).total > free_bytes:
        if size <= 1:
            return None
        size = (size + 1) // 2
    return size
