"""Evaluate a story model offline, without a judge: whether it stops, its diversity, repetition, copying, obedience and forced choices.

The model continues the first part of unseen stories, and writes stories for the requests of records. Figures have standard errors over stories.
Follows section 4 of TinyStories (Eldan and Li 2023, arXiv 2305.07759). The scores in that paper need GPT-4: see judge.py for these.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from tavu.config import INSIST, SamplingConfig
from tavu.data.records import MARK, Request, request_of, split_document
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import Scorer
from tavu.evaluation.choices import ScoredChoice, choose, english_choices, make_choices
from tavu.evaluation.obedience import Obedience, obedience
from tavu.evaluation.text_measures import CorpusNgrams, distinct, longest_copied, precision, repetition, words_in_order
from tavu.generation import reads
from tavu.generation.writing import Writer, Written, write

CUT_SHARE = 0.4
"""The fraction of each story that is used as the prompt, as in section 4.3 of the paper."""
NOVEL_N = (3, 5, 8)
MIN_BYTES = 40
PAIRS_PER_KIND = 100


@dataclass(frozen=True)
class Measure:
    """One figure: its group and name, and its mean and standard error over n values."""

    group: str
    name: str
    value: float
    standard_error: float
    n: int
    better: str = ""
    """Whether `more` or `less` is better; empty if neither."""


@dataclass(frozen=True)
class Story:
    """A continuation of a beginning, or a story for a request, with its own scores."""

    beginning: str
    written: str
    stopped: str
    true_end: str
    scores: dict[str, float]
    request: Request | None = None
    obeyed: Obedience | None = None


@dataclass(frozen=True)
class StoryEvaluation:
    measures: tuple[Measure, ...]
    stories: tuple[Story, ...]
    choices: tuple[ScoredChoice, ...]
    seconds: float


def evaluate_stories(
    scorer: Scorer,
    writer: Writer,
    documents: Sequence[bytes],
    train_documents: Iterable[bytes],
    config: SamplingConfig,
    *,
    follows_requests: bool = False,
    is_english: bool = True,
    num_stories: int = 64,
    num_requests: int = 64,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> StoryEvaluation:
    """Evaluate a model on unseen documents: plain stories or records. `progress` is called with the current stage and the fraction of it done.

    Scorer and writer belong to the same model. Raises TavuError when no story has a suitable length.
    """
    begun = time.perf_counter()
    parts = [split_document(document) for document in documents]
    texts = [completion.decode(errors="replace") for _, completion in parts]
    context = scorer.config.max_seq_len
    fit = [text for text in texts if MIN_BYTES <= len(text.encode()) < context]
    if not fit:
        raise TavuError(
            f"There is no story of {MIN_BYTES} to {context:,} bytes to continue among {len(documents):,} documents. Name a source of stories."
        )
    stories = _continue_stories(writer, fit[:num_stories], config, progress)
    measures = [*_writing_measures(stories), *_copying_measures(stories, train_documents, progress)]
    if follows_requests:
        asked = [(request_of(prompt.removesuffix(MARK).decode(errors="replace")), text) for (prompt, _), text in zip(parts, texts, strict=True)]
        if requests := [(request, text) for request, text in asked if request][:num_requests]:
            requested = _write_requested(writer, requests, config, progress)
            measures += _obedience_measures(requested)
            stories = [*stories, *requested]
    progress("choosing between endings", 0)
    chosen = choose(scorer, [*(english_choices() if is_english else []), *make_choices(texts, PAIRS_PER_KIND)])
    measures += _choice_measures(chosen)
    return StoryEvaluation(tuple(measures), tuple(stories), tuple(chosen), time.perf_counter() - begun)


def measure(group: str, name: str, values: Sequence[float], better: str = "") -> Measure:
    """The mean of values and its standard error."""
    n = len(values)
    return Measure(group, name, fmean(values) if n else math.nan, stdev(values) / math.sqrt(n) if n > 1 else math.nan, n, better)


def _continue_stories(writer: Writer, texts: Sequence[str], config: SamplingConfig, progress: Callable[[str, float], None]) -> list[Story]:
    stories = []
    for i, text in enumerate(texts):
        progress("continuing stories", i / len(texts))
        beginning = text[: round(CUT_SHARE * len(text))]
        (written,) = write(writer, beginning.encode(), replace(config, seed=config.seed + i))
        stories.append(_story(beginning, written, text[len(beginning) :]))
    return stories


def _write_requested(
    writer: Writer, asked: Sequence[tuple[Request, str]], config: SamplingConfig, progress: Callable[[str, float], None]
) -> list[Story]:
    stories = []
    for i, (request, true_story) in enumerate(asked):
        progress("writing stories for requests", i / len(asked))
        (written,) = write(writer, reads.of_request(request), replace(config, seed=config.seed + i, insist=INSIST))
        story = _story("", written, true_story)
        stories.append(replace(story, request=request, obeyed=obedience(request, written.text)))
    return stories


def _story(beginning: str, written: Written, true_end: str) -> Story:
    words = words_in_order(written.text)
    scores = {
        "words": float(len(words)),
        "repeated 4-grams": repetition(words),
        "2-grams of the true ending": precision(words, words_in_order(true_end)),
    }
    return Story(beginning, written.text, written.stopped, true_end, scores)


def _writing_measures(stories: Sequence[Story]) -> list[Measure]:
    texts = [words_in_order(story.written) for story in stories]
    group = "Going on with stories"
    return [
        measure(group, "stops by itself", [float(story.stopped == "end") for story in stories], "more"),
        measure(group, "words", [story.scores["words"] for story in stories]),
        measure(group, "repeated 4-grams", [story.scores["repeated 4-grams"] for story in stories], "less"),
        *(Measure(group, f"different {n}-grams, of all stories", distinct(texts, n), math.nan, len(texts), "more") for n in (1, 2, 3)),
        measure(group, "2-grams of the true ending", [story.scores["2-grams of the true ending"] for story in stories]),
    ]


def _copying_measures(stories: Sequence[Story], train_documents: Iterable[bytes], progress: Callable[[str, float], None]) -> list[Measure]:
    progress("looking for copies", 0)
    train = [words_in_order(split_document(document)[1].decode(errors="replace")) for document in train_documents]
    if not train:
        return []
    group, result = "Copying from the training text", []
    for n in NOVEL_N:
        seen = CorpusNgrams(train, n)
        result.append(measure(group, f"{n}-grams that stand there", [seen.share(words_in_order(story.written)) for story in stories], "less"))
        if n == max(NOVEL_N):
            longest = [float(longest_copied(words_in_order(story.written), seen)) for story in stories]
            truth = [float(longest_copied(words_in_order(story.true_end), seen)) for story in stories]
            result.append(measure(group, f"longest run of words that stands there (0: under {n})", longest, "less"))
            result.append(measure(group, "the same of the true endings", truth))
    return result


def _obedience_measures(stories: Sequence[Story]) -> list[Measure]:
    group = "Following requests"
    obeyed = [story.obeyed for story in stories if story.obeyed]
    words = [fmean(one.words.values()) for one in obeyed if one.words]
    return [
        measure(group, "words asked for that are there", words, "more"),
        *(
            measure(group, f"feature: {feature}", [float(one.features[feature]) for one in obeyed if feature in one.features], "more")
            for feature in sorted({feature for one in obeyed for feature in one.features})
        ),
        *(
            [measure(group, "sentence there as it is", [float(one.sentence) for one in obeyed if one.sentence is not None], "more")]
            if any(one.sentence is not None for one in obeyed)
            else []
        ),
        measure(group, "stops by itself", [float(story.stopped == "end") for story in stories], "more"),
    ]


def _choice_measures(chosen: Sequence[ScoredChoice]) -> list[Measure]:
    kinds = list(dict.fromkeys(one.choice.kind for one in chosen))
    return [
        measure("Choosing between endings (half by chance)", kind, [float(one.is_right) for one in chosen if one.choice.kind == kind], "more")
        for kind in kinds
    ]
