"""The training step of BERT in few large operations: same keys, same results up to rounding, several times less time.

What the stock step loses time with, and what stands in its place (figures in benchmarks/notes.md):

- weights are cast at every use: `working` holds one copy of each for all micro-batches of an update;
- query, key and value are three products, and a bias is copied to each row first: `operations.Linear`;
- the fused attention kernel is slow backwards on the CPU, and dropout everywhere: `operations.Attention`, `dropout`;
- logits are copied for the softmax, for its gradient and for casts, and the shared embeddings get two dense gradients:
  `vocabulary`.

`parts.fast` puts all of it into a stock model for as long as it trains.
"""
