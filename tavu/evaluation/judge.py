"""Stories graded by a large model, as in GPT-Eval (Eldan and Li 2023, arXiv 2305.07759, section 3): an assessment first, and then grades.

The judge is any endpoint with OpenAI's API: Ollama, llama.cpp, vLLM or a cloud service. It also grades three reference endings, without knowing
which is which: the true ending, the true ending with its sentences shuffled, and that of another story. If it does not rank these correctly, its
grades mean nothing. Every answer is saved unchanged in a file, and a second run continues from it.
"""

import hashlib
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tavu.data.derive import sentences_of
from tavu.errors import TavuError
from tavu.evaluation.stories import Measure, Story, measure
from tavu.files import make_folder, unwritable

if TYPE_CHECKING:
    from openai import OpenAI

GRADES = ("grammar", "creativity", "consistency", "plot")
AGES = {"A": 3.0, "B": 4.5, "C": 6.5, "D": 8.5, "E": 11.0, "F": 14.5}
"""The middle of each age group in years."""
BY_MODEL, TRUE, SHUFFLED, OTHER = "the model", "true ending", "shuffled ending", "ending of another story"
NUM_TRIES = 2
MAX_TOKENS = 400
BYTES_PER_TOKEN = 4
TIMEOUT_SECONDS, MAX_RETRIES = 120.0, 3

ASSESS = """\
The following exercise, the student is given a beginning of a story. The student needs to complete it into a full story. The exercise tests the
student's language abilities and creativity. The symbol *** marks the separator between the prescribed beginning and the student's completion:

{beginning}***{ending}

Please provide your general assessment about the part written by the student (the one after the *** symbol). Is it grammatically correct? Is it
consistent with the beginning of the story? Pay special attention to whether the student manages to complete the sentence which is split in the
middle by the separator ***. Answer in a few sentences."""
GRADE = """\
Now, grade the student's completion in terms of grammar, creativity, consistency with the story's beginning and whether the plot makes sense.
Moreover, please provide your best guess of what the age of the student might be, as reflected from the completion. Choose from possible age
groups: A: 3 or under. B: 4-5. C: 6-7. D: 8-9. E: 10-12. F: 13-16. Answer with five lines and nothing else:
Grammar: n/10
Creativity: n/10
Consistency: n/10
Plot: n/10
Age group: X"""


@dataclass(frozen=True)
class Case:
    """One ending to be graded, and its origin."""

    by: str
    number: int
    """The number of its story."""
    beginning: str
    ending: str


@dataclass(frozen=True)
class Verdict:
    """The judge's answer for a case. `grades` is None if they could not be parsed."""

    by: str
    number: int
    assessment: str
    answer: str
    grades: dict[str, float] | None


def cases_of(stories: Sequence[Story], num_anchors: int, seed: int = 0) -> list[Case]:
    """The model's ending of each story, and three reference endings for the first num_anchors stories, shuffled."""
    rng = random.Random(seed)
    plain = [story for story in stories if story.request is None and story.written.strip()]
    cases = [Case(BY_MODEL, i, story.beginning, story.written) for i, story in enumerate(plain)]
    for i, story in enumerate(plain[:num_anchors]):
        sentences = list(sentences_of(story.true_end))
        rng.shuffle(sentences)
        other = plain[(i + 1) % len(plain)].true_end
        endings = {TRUE: story.true_end, SHUFFLED: " ".join(sentences), **({OTHER: other} if len(plain) > 1 else {})}
        cases += [Case(by, i, story.beginning, ending) for by, ending in endings.items()]
    rng.shuffle(cases)
    return cases


def token_estimate(cases: Sequence[Case]) -> str:
    """The cost of judging, as text."""
    read = sum(2 * len((ASSESS + case.beginning + case.ending).encode()) + len(GRADE) + MAX_TOKENS * BYTES_PER_TOKEN for case in cases)
    tokens = read // BYTES_PER_TOKEN
    return f"{len(cases)} endings, {2 * len(cases)} questions, at most about {tokens:,} tokens to read and {2 * len(cases) * MAX_TOKENS:,} to write"


def judge(url: str, name: str, cases: Sequence[Case], kept: Path, progress: Callable[[int], None] = lambda done: None) -> list[Verdict]:
    """Grade all cases. Answers saved in `kept` are reused, and new ones are appended at once. `progress` is called with the number of cases done.

    The API key is OPENAI_API_KEY, if set. Raises TavuError when the endpoint cannot be reached, refuses, or is too slow. Answers received before
    that are kept.
    """
    client = _client(url)
    known = dict(_saved_answers(kept))
    make_folder(kept.parent)
    verdicts = []
    for done, case in enumerate(cases):
        progress(done)
        key = hashlib.blake2b(json.dumps([name, case.beginning, case.ending]).encode(), digest_size=16).hexdigest()
        if key not in known:
            known[key] = _ask(client, url, name, case)
            try:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "judge": name, "case": asdict(case), **known[key]}, ensure_ascii=False) + "\n")
            except OSError as error:
                raise TavuError(unwritable(kept, error)) from None
        said = known[key]
        verdicts.append(Verdict(case.by, case.number, said["assessment"], said["answer"], grades_of(said["answer"])))
    return verdicts


def measures_of(verdicts: Sequence[Verdict]) -> list[Measure]:
    """The mean grades of each kind of ending, and how often the judge ranks the true ending above a worse one."""
    group, result = "Graded by a judge", []
    graded = {(v.by, v.number): v.grades for v in verdicts if v.grades}
    for by in (BY_MODEL, TRUE, SHUFFLED, OTHER):
        own = [grades for (whose, _), grades in graded.items() if whose == by]
        result += [measure(group, f"{name} of {by}", [grades[name] for grades in own], "more") for name in (*GRADES, "age") if own]
    for worse in (SHUFFLED, OTHER):
        pairs = [(grades, graded[worse, number]) for (by, number), grades in graded.items() if by == TRUE and (worse, number) in graded]
        if pairs:
            above = [float(_total(true) > _total(other)) + 0.5 * (_total(true) == _total(other)) for true, other in pairs]
            result.append(measure(group, f"true ending above {worse} (half: it cannot judge)", above, "more"))
    result.append(measure(group, "answers that could be read", [float(v.grades is not None) for v in verdicts], "more"))
    return result


def grades_of(answer: str) -> dict[str, float] | None:
    """The grades in an answer, 1 to 10, and the age in years. None if one is missing.

    >>> grades_of("Grammar: 8/10\\nCreativity: 7/10\\nConsistency: **9**/10\\nPlot: 6.5\\nAge group: C (6-7)")
    {'grammar': 8.0, 'creativity': 7.0, 'consistency': 9.0, 'plot': 6.5, 'age': 6.5}
    """
    found: dict[str, float] = {}
    for name in GRADES:
        said = re.search(rf"{name}\W*?(\d+(?:\.\d+)?)", answer, re.IGNORECASE)
        if not said or not 0 <= float(said[1]) <= 10:
            return None
        found[name] = float(said[1])
    age = re.search(r"age\s*group\W*([A-F])\b", answer, re.IGNORECASE)
    return found | {"age": AGES[age[1].upper()]} if age else None


def _total(grades: dict[str, float]) -> float:
    return sum(grades[name] for name in GRADES)


def _client(url: str) -> "OpenAI":
    try:
        from openai import OpenAI
    except ImportError:
        raise TavuError('The judge needs the openai library, which is not installed. Install it: pip install "tavu[judge]"') from None
    return OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none", timeout=TIMEOUT_SECONDS, max_retries=MAX_RETRIES)


def _ask(client: "OpenAI", url: str, name: str, case: Case) -> dict[str, Any]:
    """The assessment, and the answer with grades, which is requested again if it cannot be parsed."""
    messages: list[Any] = [{"role": "user", "content": ASSESS.format(beginning=case.beginning, ending=case.ending)}]
    assessment = _complete(client, url, name, messages)
    messages += [{"role": "assistant", "content": assessment}, {"role": "user", "content": GRADE}]
    answer = ""
    for _ in range(NUM_TRIES):
        answer = _complete(client, url, name, messages)
        if grades_of(answer):
            break
    return {"assessment": assessment, "answer": answer}


def _complete(client: "OpenAI", url: str, name: str, messages: list[Any]) -> str:
    from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

    kept = "Its answers so far are kept: run the command again to continue."
    try:
        return client.chat.completions.create(model=name, messages=messages, temperature=0, max_tokens=MAX_TOKENS).choices[0].message.content or ""
    except APITimeoutError:
        raise TavuError(f"The judge at {url} did not answer within {TIMEOUT_SECONDS:g} s, {1 + MAX_RETRIES} times. {kept}") from None
    except APIConnectionError:
        raise TavuError(f"The judge at {url} cannot be reached. Is it running, and does the address end in /v1? {kept}") from None
    except APIStatusError as error:
        raise TavuError(f"The judge at {url} refused with status {error.status_code}: {str(error.message)[:200]}. {kept}") from None
    except (OpenAIError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise TavuError(f"The judge at {url} does not answer like OpenAI's API ({str(error)[:100]}). Check its address. {kept}") from None


def _saved_answers(kept: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The saved answers of an earlier run. Damaged lines are skipped, so these cases are asked again."""
    if not kept.is_file():
        return
    for line in kept.read_bytes().split(b"\n"):  # not splitlines: an answer may contain U+2028 and similar
        try:
            row = json.loads(line)
            yield row["key"], {"assessment": str(row["assessment"]), "answer": str(row["answer"])}
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
