"""MEGABYTE with n levels of fixed patches (model.py)."""

DIFFERS_FROM_PAPER = """\
Follows equations 1-6 of MEGABYTE (Yu et al. 2023, arXiv 2305.07185): patches of a fixed number of bytes, trainable pads, one projection shared by
the slices of the global output, the head tied to the local byte embedding. Differs:
- the blocks are today's: layer norms without parameters, rotary positions, normalized queries and keys, squared ReLU, no biases, and dropout
  only for a text that is read repeatedly
  (paper: norms with parameters, no rotary positions within a patch, ReLU, biases, dropout 0.1);
- embeddings are multiplied by the square root of their width on the way in (Vaswani et al. 2017, arXiv 1706.03762, section 3.4), so that the head
  tied to them learns as fast as a head of its own, and logits are capped smoothly at +-15;
- END, a 257th id, starts and ends every document;
- any number of levels (paper: two);
- trained with Muon and AdamW (paper: Adam)."""
