"""Patches that begin where words begin (model.py)."""

DIFFERS_FROM_PAPER = """\
Two levels, as MEGABYTE (Yu et al. 2023, arXiv 2305.07185): a global model over patches and a local model over the bytes of one patch. Differs:
- a patch is a word, not a fixed number of bytes (SpaceByte, Slagle 2024, arXiv 2404.14408);
- the global model reads a patch as one table row for the word's letters, one for the hash of the last two words, and one for the patch's last byte
  (hashed n-grams: Pagnoni et al. 2024, arXiv 2412.09871, section 3.2.1), instead of the concatenation of its bytes;
- all bytes of a patch get the same global output, through one matrix, added to and multiplied with the local model's own input;
- the local model has no attention: the hash of the word so far identifies everything that it could attend to within its patch; it also reads table
  rows for the last n bytes, and for phrases, the word so far together with the last words;
- common words are also scored against the global output, as a subword model scores its tokens, and each byte gets its share of that;
- so are the words of the context, whichever they are, by a pointer (Vinyals et al. 2015, arXiv 1506.03134), with two hints: which of them followed
  the last word before, and which were requested and are not yet written;
- tables are initialized from counts of the training text, not at random, and rows of phrases belong to those that the text repeats;
- the blocks are today's: layer norms without parameters, rotary positions, normalized queries and keys, squared ReLU, no biases, and dropout only
  for a text that is read repeatedly;
- the head is not tied, and logits are capped smoothly at +-15; END, a 257th id, starts and ends every document;
- trained with Muon, AdamW and row-wise Adam (paper: Adam).
What each is worth is measured in records/LOG.md."""
