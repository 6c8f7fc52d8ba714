"""The training step of BERT in few large operations: same keys, same results up to rounding, several times faster.

Where the stock step loses time, and what is done instead (figures in benchmarks/notes.md):

- Weights are cast at every use. `compute_weights` keeps one copy of each for all micro-batches of an update.
- Query, key and value are three products, and biases are copied to each row first. `operations.Linear` makes one
  product.
- On the CPU the fused attention kernel is slow in the backward pass, and dropout is slow everywhere.
  `operations.Attention` and `dropout` are faster.
- Logits are copied for the softmax, for its gradient and for casts, and the shared embeddings get two dense gradients.
  `vocabulary` makes no copy and one gradient.

`fast_bert.fast` switches a stock model to these operations for the time of a training.
"""
