"""Generate text that contains given words. A word that the model does not write itself is inserted where it costs the fewest bits.

Each sentence is drafted as usual. If it contains none of the words still due, each of them is tried at every gap between its words. The cheapest
insertion is used if it costs few bits, or if the story would otherwise end, or get long, without the word. The model continues after the insertion.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from tavu.config import SamplingConfig
from tavu.data.derive import end_of_sentence
from tavu.evaluation.bits_per_byte import Scorer, ending_bits
from tavu.evaluation.obedience import has_word, words_of
from tavu.generation.writing import FinishReason, Writer, Written, write

DRAFT_BYTES = 200
CHEAP_BITS = 10.0
"""A word that costs at most this many bits is inserted at once. Common words cost about as much in a neutral context."""
SENTENCES_PER_WORD = 2
"""After this many sentences without a word, one is inserted at any cost."""
MAX_PLACES = 12
AFTER_WORD = (" ", ". ", ", ")


def write_with_words(writer: Writer, scorer: Scorer, prompt: bytes, words: Sequence[str], config: SamplingConfig) -> Written:
    """A continuation of the prompt (including its mark, if any) with all words, possibly inflected, as far as config.max_bytes allows."""
    begun = time.perf_counter()
    content, due, idle, number = b"", list(words), 0, 0
    stopped: FinishReason = "length"
    while len(content) < config.max_bytes:
        room = config.max_bytes - len(content)
        draft_config = replace(config, max_bytes=min(DRAFT_BYTES, room) if due else room, seed=config.seed + number)
        draft = write(writer, prompt + content, draft_config)[0]
        number += 1
        if not due:
            content, stopped = content + draft.content, draft.stopped
            break
        sentence, ended = _first_sentence(draft)
        met = [word for word in due if has_word(words_of((content + sentence).decode(errors="replace")), word)]
        idle = 0 if met else idle + 1
        due = [word for word in due if word not in met]
        if due and not met:
            bits, word, with_word = _cheapest(scorer, prompt + content, sentence, due)
            if bits <= CHEAP_BITS or idle >= SENTENCES_PER_WORD or ended:
                sentence, ended, idle = with_word, False, 0
                due.remove(word)
        content += sentence
        if ended and not due:
            stopped = draft.stopped
            break
        if not sentence:  # the model ends here, and nothing could be inserted
            break
    return Written(content[: config.max_bytes], stopped, time.perf_counter() - begun)


def _first_sentence(draft: Written) -> tuple[bytes, bool]:
    """The first sentence of a draft, with the space after it, and whether the draft ends with it."""
    end = end_of_sentence(draft.text)
    if end is None:
        return draft.content, draft.stopped != "length"
    sentence = draft.text[:end].encode()
    return sentence, draft.stopped != "length" and len(sentence) >= len(draft.content)


def _cheapest(scorer: Scorer, before: bytes, sentence: bytes, words: Sequence[str]) -> tuple[float, str, bytes]:
    """The cheapest insertion of one of the words into the sentence: (bits, word, the sentence up to and including the word)."""
    places = [0, *(i + 1 for i, byte in enumerate(sentence) if byte == 0x20)]
    candidates = [(sentence[:place], word) for place in places[:: -(-len(places) // MAX_PLACES)] for word in words]
    candidates = [(begin if (before + begin)[-1:] in (b"", b" ", b"\n", b'"') else begin + b" ", word) for begin, word in candidates]
    costs = ending_bits(scorer, [(before + begin, f"{word} ".encode()) for begin, word in candidates])
    bits, (begin, word) = min(zip(costs, candidates, strict=True))
    after = ending_bits(scorer, [(before + begin, (word + end).encode()) for end in AFTER_WORD])
    return bits, word, begin + (word + AFTER_WORD[after.index(min(after))]).encode()
