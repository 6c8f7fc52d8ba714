"""What a step of pre-training needs, computed before the first one: parameters, arithmetic, memory.

The formulas follow stock BERT (`transformers` 5, modeling_bert.py) as `models/bert.py` runs it, its MLM head on the
predicted positions alone. What autograd keeps was read off with `torch.autograd.graph.saved_tensors_hooks`, what is
alive at the peak with torch's profiler, what the process takes with `tests/training/test_forecast.py SETTING`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertConfig

LIBRARIES = 40e6
"""Bytes that even the smallest model takes in its first step: code paged in, scratch space of MKL and oneDNN."""

HEAP = {"cpu": 1.5, "cuda": 1.1}
"""Bytes taken for a byte of activations.

CPU: glibc is told to keep what is freed (`runtime/machine.py`), and its aligned allocation does not put a block into
a hole of just its size; measured 1.2 to 1.8, in the middle 1.5 (glibc 2.36), and 1.0 where glibc maps every block
by itself. CUDA: the caching allocator rounds up; assumed, not measured.
"""

HEAP_CHECKPOINTED = 1.05
"""On the CPU with gradient checkpointing, where glibc maps every large block by itself.

A heap that is kept takes as much with checkpointing as without ("mini", 32 x 512, float32: 2.7 GB either way, of which
0.6 GB are alive): a recomputed layer does not fit the holes that the last one left.
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
    """Floating point operations of forward and backward for one example, matrix products alone.

    A multiply-add is 2 operations, and the backward pass is twice the forward (Kaplan et al. 2020, "Scaling Laws for
    Neural Language Models", section 2.1). Gradient checkpointing adds one forward pass of the layers.

    Args:
        sequence_length: tokens of the example, padding included.
        predictions: masked positions of the example; the MLM head runs on these alone.
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
        activations: what autograd keeps, what the widest operation adds to it, and what the allocator takes beyond
            both. Autocast's bfloat16 copies of the weights count where gradients are there at the same time.
        total: the sum, and `LIBRARIES`.
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
    processes: int = 1,
    device: str = "cpu",
) -> Memory:
    """The memory that training takes beyond what the process has before the model is made.

    On the CPU it differs from the growth of the resident set after `prepare_process` by 6% in the median and 21% at
    most (73 settings from 300 MB on: tiny to base, 2 to 32 examples of 64 to 512 tokens; the furthest were few and
    long examples). For CUDA the same formulas, unmeasured.

    Args:
        predictions: masked positions of an example.
        precision: `fp32`, or `bf16`: autocast over float32 weights.
        optimizer: `adamw` (two moments), or `muon` (one for the layers' matrices, two for the rest).
        attention: `eager` keeps the probabilities of every pair of positions, `sdpa` (the fused kernel) does not,
            except with dropout on the CPU.
        accumulation: whether a batch is several micro-batches.
        processes: over how many weights, gradients and optimizer are divided (FSDP); the weights of one unit, a layer
            or all that is no layer, are whole at a time.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    count, layers = parameters(config), config.num_hidden_layers
    matrices = layers * _matrices(config)
    tokens = micro_batch_size * sequence_length
    layer, widest = _layer(config, sequence_length, precision, dropout, attention, kind)

    # LayerNorm's input and dropout's mask of the embeddings, and in float32 the pooler's input, which is never cast.
    embeddings = (4 + (4 if dropout else 0) + (4 if precision == "fp32" else 0)) * config.hidden_size
    kept = tokens * (embeddings + layers * layer)
    # Log-probabilities, their gradient and that of the logits, all in float32.
    logits = 12 * micro_batch_size * predictions * config.vocab_size
    word_embeddings = config.vocab_size * config.hidden_size
    if gradient_checkpointing:
        inputs = tokens * (embeddings + layers * 4 * config.hidden_size)
        # One layer is there at a time; its feed-forward part is gone when the backward pass reaches its attention.
        inner = (2 if precision == "bf16" else 4) * 2 * config.intermediate_size
        alive = inputs + max(logits, tokens * (layer + max(inner, widest - inner)))
    else:
        alive = kept + max(logits, tokens * widest)
    # The tied matrix gets its gradient from both ends: two parts beside their sum.
    alive = max(alive, 8 * word_embeddings)
    heap = HEAP_CHECKPOINTED if gradient_checkpointing and kind == "cpu" else HEAP[kind]

    moments = 8 * count - (4 * matrices if optimizer == "muon" else 0)
    activations = int(heap * alive)
    if accumulation:
        # Autocast's bfloat16 copies of the matrices otherwise go, product by product, where the gradients come.
        activations += 2 * (matrices + word_embeddings) if precision == "bf16" else 0
        # On the CPU's heap the gradients so far lie in the holes that the next micro-batch would use.
        activations += 4 * count if kind == "cpu" and not gradient_checkpointing else 0
    weights = gradients = 4 * count
    if processes > 1:
        activations += 8 * max(matrices // max(layers, 1), count - matrices)
        weights, gradients, moments = (-(-part // processes) for part in (weights, gradients, moments))
    total = weights + gradients + moments + activations + int(LIBRARIES)
    return Memory(weights, gradients, moments, activations, total)


def _layer(
    config: BertConfig, length: int, precision: str, dropout: float, attention: str, kind: str
) -> tuple[int, int]:
    """Bytes a token that autograd keeps of one layer, and that the widest operation of its backward pass adds."""
    hidden, inner = config.hidden_size, config.intermediate_size
    pairs = config.num_attention_heads * length
    bf16 = precision == "bf16"
    number = 2 if bf16 else 4
    mask = 1 if kind == "cuda" else number  # the CPU's dropout keeps a factor for each number, not a bit
    wide_mask = 1 if kind == "cuda" else 4

    # Inputs of the products: of query, key and value (autocast casts it for each of them), of the attention output,
    # of the feed-forward part. Then query, key and value themselves, and both LayerNorms' inputs, always float32.
    kept = (5 if bf16 else 3) * number * hidden + 3 * number * hidden + 2 * 4 * hidden
    kept += 2 * number * inner  # before and after GELU
    if dropout:
        kept += 2 * mask * hidden
    fused = attention == "sdpa" and not (dropout and kind == "cpu")
    if fused:
        kept += 4 * config.num_attention_heads + number * length  # logarithms of the sums; a copy of the mask
    else:
        kept += 4 * pairs  # the softmax, float32 under autocast too
        if dropout:
            kept += wide_mask * pairs
        if attention == "sdpa":  # the fallback computes in float32
            kept += 4 * pairs + 3 * (4 - number) * hidden
        elif bf16:
            kept += 2 * pairs  # cast for the product with the values
        elif dropout:
            kept += 4 * pairs
    widest = max(2 * number * inner, 0 if fused else 8 * pairs)
    return kept, widest


def fitting_micro_batch(free_bytes: int, batch_size: int, forecast: Callable[[int], Memory]) -> int | None:
    """The largest of batch_size, its half (rounded up), a quarter ... 1 whose forecast fits; None where none does."""
    size = batch_size
    while forecast(size).total > free_bytes:
        if size <= 1:
            return None
        size = (size + 1) // 2
    return size
