"""Writing that holds certain words for sure: sentence by sentence, a word that does not come by itself is put where it costs the model least.

Each sentence is drafted as usual. Where it holds none of the words still due, every place between two of its words is tried with each of them; the
cheapest place is taken when it costs little, or when the story would otherwise end, or be long, without it. From there the model goes on by itself.
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
"""A word that costs no more fits well enough to be put in at once; common ones cost about as much where nothing calls for them."""
SENTENCES_PER_WORD = 2
"""A word is put in after so many sentences without one, whatever it costs."""
MAX_PLACES = 12
AFTER_WORD = (" ", ". ", ", ")


def write_with_words(writer: Writer, scorer: Scorer, prompt: bytes, words: Sequence[str], config: SamplingConfig) -> Written:
    """What goes on from a prompt (with its mark, if it has one) and holds all words, inflected perhaps, if config.max_bytes leave room for them."""
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
            bits, word, put_in = _cheapest(scorer, prompt + content, sentence, due)
            if bits <= CHEAP_BITS or idle >= SENTENCES_PER_WORD or ended:
                sentence, ended, idle = put_in, False, 0
                due.remove(word)
        content += sentence
        if ended and not due:
            stopped = draft.stopped
            break
        if not sentence:  # it would end here and nowhere else
            break
    return Written(content[: config.max_bytes], stopped, time.perf_counter() - begun)


def _first_sentence(draft: Written) -> tuple[bytes, bool]:
    """The first sentence of a draft with the space after it, and whether the text ends with it."""
    end = end_of_sentence(draft.text)
    if end is None:
        return draft.content, draft.stopped != "length"
    sentence = draft.text[:end].encode()
    return sentence, draft.stopped != "length" and len(sentence) >= len(draft.content)


def _cheapest(scorer: Scorer, before: bytes, sentence: bytes, words: Sequence[str]) -> tuple[float, str, bytes]:
    """(bits, word, sentence up to and with it): the cheapest of all ways to go on with a word instead of what was drafted."""
    places = [0, *(i + 1 for i, byte in enumerate(sentence) if byte == 0x20)]
    ways = [(sentence[:place], word) for place in places[:: -(-len(places) // MAX_PLACES)] for word in words]
    ways = [(begin if (before + begin)[-1:] in (b"", b" ", b"\n", b'"') else begin + b" ", word) for begin, word in ways]
    costs = ending_bits(scorer, [(before + begin, f"{word} ".encode()) for begin, word in ways])
    bits, (begin, word) = min(zip(costs, ways, strict=True))
    after = ending_bits(scorer, [(before + begin, (word + end).encode()) for end in AFTER_WORD])
    return bits, word, begin + (word + AFTER_WORD[after.index(min(after))]).encode()
