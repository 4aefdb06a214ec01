"""The built-in corpus: the same on every machine, varied, and in correct English as far as rules can check."""

import hashlib
import re
from collections import Counter
from itertools import islice

import pytest

from tavu.data.tales import PLOTS, Tale, first_plots, tell, tell_many
from tavu.data.tales.grammar import with_articles, with_single_spaces
from tavu.data.tales.lexicon import CHILD, People
from tavu.data.tales.plot import FEATURES, plot
from tavu.data.tales.template import Choice, Slot, Template
from tavu.data.tales.words import ADJECTIVES, NOUNS, VERBS

TITLES = re.compile(r"\b(Mr|Mrs)\.")
SHE_WORDS = {"she", "her", "hers", "herself"}
HE_WORDS = {"he", "him", "his", "himself"}
WOMEN = {"mom", "grandma", "aunt", "mother", "girl", "sister", "woman", "queen", "miss", "mrs", "witch"}
MEN = {"dad", "grandpa", "uncle", "father", "boy", "brother", "man", "king", "mr", "farmer", "clown", "knight"}


@pytest.fixture(scope="module")
def tales() -> list[Tale]:
    return list(tell_many(1, 20_000))


@pytest.fixture(scope="module")
def sample(tales) -> list[Tale]:
    return tales[:4_000]


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:['-][a-z]+)*", text.lower())


def telling(condition: str, sample: list[Tale], is_wrong) -> None:
    """Fail with the full text of the first wrong tales."""
    wrong = [tale.text for tale in sample if is_wrong(tale)]
    assert not wrong, f"{len(wrong)} tales {condition}, such as:\n" + "\n---\n".join(wrong[:3])


# The same tale every time


def test_a_tale_is_fixed_by_its_seed_and_index():
    assert tell(5, 17) == tell(5, 17)
    assert len({tell(seed, index).text for seed in range(3) for index in range(3)}) == 9


def test_tell_many_is_tell_in_order_without_end():
    assert list(tell_many(7, 20)) == [tell(7, index) for index in range(20)]
    assert list(islice(tell_many(7), 30))[:20] == list(tell_many(7, 20))
    assert list(tell_many(7, 0)) == []


def test_any_index_works():
    assert tell(0, 10**12).text != tell(0, 10**12 + 1).text


def test_tales_equal_those_of_earlier_versions():
    """A run checks its text by digest, so runs of earlier versions can resume only if the tales stay the same."""
    texts = "\0".join(tale.text for tale in tell_many(0, 1_000))
    assert hashlib.blake2b(texts.encode(), digest_size=8).hexdigest() == "2a6ec3597f5b1010"


# Fewer plots, for short trainings


def people_of(plots) -> dict[str, set[str]]:
    """The possible names of each role of each plot."""
    return {
        f"{p.name}.{role}": {str(person[""]) for person in pool.she + pool.he} for p in plots for role, pool in p.cast if isinstance(pool, People)
    }


def test_fewer_plots_and_names_are_a_subset_of_more():
    assert first_plots(len(PLOTS)) is PLOTS and first_plots(1_000) is PLOTS
    for fewer in range(1, len(PLOTS)):
        few, more = first_plots(fewer), first_plots(fewer + 1)
        assert len(few) == fewer and {p.name for p in few} < {p.name for p in more}
        assert all(names <= people_of(more)[role] for role, names in people_of(few).items())


def test_few_plots_have_few_names():
    for role, names in people_of(first_plots(4)).items():
        assert len(names) == 8, role


@pytest.mark.parametrize("count", [1, 4, 20])
def test_tales_of_few_plots_are_fixed_different_and_of_these_plots(count):
    plots = first_plots(count)
    tales = list(tell_many(0, 300 * count, plots))
    assert tales[7] == tell(0, 7, plots)
    assert {plot_of(tale) for tale in tales} == {p.name for p in plots}
    assert len({tale.text for tale in tales}) >= 0.97 * len(tales)
    telling("mix up he and she", tales, is_mixed_up)


def test_tales_can_use_any_number_of_plots():
    assert all(tell(0, index, first_plots(count)).text for count in range(1, len(PLOTS) + 1) for index in range(5))


# Variety


# The longer pieces of each plot that are in every rendering.
FIXED_PIECES = {
    p.name: [" ".join(part.split()) for part in p.story if isinstance(part, str) and len(part.split()) > 4 and not re.search(r"\ba$", part.strip())]
    for p in PLOTS
}


def test_there_are_many_plots_and_all_are_used(tales):
    names = [p.name for p in PLOTS]
    assert len(names) >= 40 and len(set(names)) == len(names)
    told = Counter(plot_of(tale) for tale in tales[:2_500])
    assert len(told) == len(PLOTS) and min(told.values()) >= 5


def plot_of(tale: Tale) -> str:
    """The name of the plot of a tale: the one whose fixed pieces of text are all in it."""
    text = " ".join(tale.text.split())
    found = [name for name, pieces in FIXED_PIECES.items() if all(piece in text for piece in pieces)]
    assert len(found) == 1, f"{found} could have told: {tale.text}"
    return found[0]


def test_the_vocabulary_is_rich_but_a_childs(tales):
    types = {word for tale in tales for word in words_of(tale.text)}
    assert 1_500 <= len(types) <= 5_000


def test_tales_hardly_ever_repeat(tales):
    texts = {tale.text for tale in tales}
    assert len(texts) >= 0.999 * len(tales)
    assert len(texts & {tale.text for tale in tell_many(2, 2_000)}) <= 2


def test_openings_and_closings_differ(tales):
    assert len({tale.text[:40] for tale in tales}) > 4_000
    assert len({tale.text[-40:] for tale in tales}) > 1_500


# Words, features and summary


def test_words_are_a_verb_a_noun_and_an_adjective_of_the_text(sample):
    for tale in sample:
        verb, noun, adjective = tale.words
        assert verb in VERBS and noun in NOUNS and adjective in ADJECTIVES
    telling("lack one of their words", sample, lambda tale: not all(re.search(rf"\b{word}\b", tale.text) for word in tale.words))
    assert not VERBS & NOUNS and not NOUNS & ADJECTIVES and not VERBS & ADJECTIVES


def test_every_rendering_of_every_plot_has_a_verb_a_noun_and_an_adjective():
    """So three_words never fails, even in a million tales."""
    kinds = {"verb": VERBS, "noun": NOUNS, "adjective": ADJECTIVES}

    def surely_in(template: str | Template, cast: dict) -> set[str]:
        if isinstance(template, str):
            return {kind for kind, known in kinds.items() if known & set(re.findall(r"[A-Za-z'-]+", template))}
        found = set()
        for part in template:
            if isinstance(part, str):
                found |= surely_in(part, cast)
            elif isinstance(part, Choice):
                found |= set.intersection(*(surely_in(option, cast) for option in part.options))
            elif isinstance(part, Slot) and not part.capital:
                pool = cast[part.role]
                if not isinstance(pool, People):  # names are no verbs
                    found |= set.intersection(*(surely_in(word[part.form], cast) for word in pool))
        return found

    for p in PLOTS:
        assert surely_in(p.story, dict(p.cast)) == set(kinds), p.name


def test_features_are_known_and_in_order_and_all_occur(sample):
    for tale in sample:
        assert list(tale.features) == [feature for feature in FEATURES if feature in tale.features]
    assert {feature for tale in sample for feature in tale.features} == set(FEATURES)
    telling("are wrong about dialogue", sample, lambda tale: ("Dialogue" in tale.features) != ('"' in tale.text))


def test_a_summary_is_one_sentence_about_the_same_people(sample):
    for tale in sample:
        summary = TITLES.sub(r"\1", tale.summary)
        assert re.fullmatch(r"[A-Z][^.!?{}\[\]\n]*\.", summary), summary
        assert 20 <= len(summary) <= 200, summary
    names = {person[""] for person in CHILD.she + CHILD.he}
    telling("lack a child of their summary", sample, lambda tale: not names & set(tale.summary.split()) <= set(re.findall(r"\w+", tale.text)))


# Correct English, as far as rules can check


def test_lengths_fit_a_small_model(sample):
    lengths = [len(tale.text) for tale in sample]
    assert min(lengths) >= 400 and max(lengths) <= 1_100
    assert 600 <= sum(lengths) / len(lengths) <= 900


def test_no_template_syntax_is_left(sample):
    telling("show a slot or a bracket", sample, lambda tale: re.search(r"[{}\[\]<>|_+=]", tale.text + tale.summary))
    assert all(re.fullmatch(r"[A-Za-z0-9 \n.,!?:'\"-]+", tale.text) for tale in sample)


def test_spaces_and_punctuation_are_in_place(sample):
    telling("have odd spaces", sample, lambda tale: re.search(r"  | \n|\n |\n\n\n|(?<!\n)\n(?!\n)|^\s|\s$", tale.text + tale.summary))
    telling("have odd punctuation", sample, lambda tale: re.search(r" [.,!?;:]|[,;:][.,!?]|[!?][.,]|(?<!\.)\.\.(?!\.)|[a-z][.!?][A-Z]", tale.text))
    telling("repeat a word", sample, lambda tale: re.search(r"\b(\w+) \1\b", re.sub(r"\b(had had|that that)\b", "", tale.text)))


def test_a_and_an_follow_the_sound(sample):
    telling("have a before a vowel", sample, lambda tale: re.search(r"\b[Aa] (?!one\b|uni|use)[aeiou]", tale.text + " " + tale.summary))
    telling("have an before a consonant", sample, lambda tale: re.search(r"\b[Aa]n (?!hour|honest)[^aeiouAEIOU]", tale.text + " " + tale.summary))


def test_quotes_are_balanced_and_punctuated_inside(sample):
    for tale in sample:
        for paragraph in tale.text.split("\n\n"):
            assert paragraph.count('"') % 2 == 0, paragraph
    telling("leave a quote without punctuation", sample, lambda tale: any(not re.search(r"[.,!?]$", said) for said in quotes(tale.text)))
    telling("start a quote in lower case", sample, lambda tale: any(not starts_well(said, before) for before, said in quotes_in_place(tale.text)))
    telling("let two people speak in one breath", sample, lambda tale: re.search(r'" "', tale.text))


def quotes(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


def quotes_in_place(text: str) -> list[tuple[str, str]]:
    return re.findall(r'([^"]*)"([^"]*)"', text.replace("\n\n", " "))


def starts_well(said: str, before: str) -> bool:
    """A quote starts with a capital, unless it continues after "..., she said," or mentions a word."""
    return said[:1].isupper() or before.endswith((", ", "before anybody could say "))


def test_sentences_start_with_a_capital(sample):
    def starts_small(tale: Tale) -> bool:
        text = TITLES.sub(r"\1", tale.text.replace("\n\n", " ").replace("...", ","))
        return text[0] not in '"ABCDEFGHIJKLMNOPQRSTUVWXYZ' or bool(re.search(r'[.!?] "?[a-z]', text))

    telling("start a sentence small", sample, starts_small)
    telling("end without a full stop", sample, lambda tale: not re.search(r'[.!?]"?$', tale.text))


def test_dialogue_tags_are_in_lower_case(sample):
    # "Hello!" She said. -> the tag after a quote belongs to its sentence; after a comma the sentence continues.
    telling("start anew after a comma", sample, lambda tale: re.search(r',"\s+(She|He|They|The|His|Her|It|Then|And|But)\b', tale.text))
    telling(
        "write She said. after a quote", sample, lambda tale: re.search(r'[!?]" (She|He) (said|asked|cried|called|shouted|whispered)\b', tale.text)
    )


def test_nobody_is_mentioned_before_being_named(sample):
    telling("open with a pronoun", sample, lambda tale: tale.text.split()[0] in ("She", "He", "His", "Her", "They", "It's"))


def is_mixed_up(tale: Tale) -> bool:
    """Whether it has pronouns of a gender that none of its people has."""
    girls, boys = ({person[""] for person in people} for people in (CHILD.she, CHILD.he))
    names, words = set(re.findall(r"[A-Z][a-z]+", tale.text)), set(words_of(tale.text))
    if not names & (girls | boys) or re.search(r"\b(puppy|kitten)\b", tale.text):
        return False  # the names of animals tell nothing
    she, he = names & girls or words & WOMEN, names & boys or words & MEN
    return bool(words & SHE_WORDS and not she) or bool(words & HE_WORDS and not he)


def test_pronouns_fit_the_people(sample):
    """A tale without people of one gender has no pronouns of that gender."""
    telling("mix up he and she", sample, is_mixed_up)
    seen = Counter(bool(set(words_of(tale.text)) & SHE_WORDS) for tale in sample)
    assert min(seen.values()) > 500


def test_no_two_characters_share_a_name(sample):
    # "Tom and his sister Tom", "said Tom to Tom": a name on both sides of a joining word.
    telling(
        "give a name twice",
        sample,
        lambda tale: re.search(r"\b([A-Z][a-z]+) (?:and|or|to|saw|told|looked at)(?: (?:his|her) (?:sister|brother))? \1\b", tale.text),
    )


# Grammar and the template language


def test_with_articles_goes_by_sound():
    assert with_articles("A apple, a hour, a unicorn, a one-eyed owl, a old cat") == "An apple, an hour, a unicorn, a one-eyed owl, an old cat"


def test_with_single_spaces_keeps_or_joins_paragraphs():
    assert with_single_spaces(" a  b \n\n c ") == "a b\n\nc"
    assert with_single_spaces(" a  b \n\n c ", between_paragraphs=" ") == "a b c"


@pytest.mark.parametrize("story", ["{hero} and {hero.sound}", "[{hero}", "{hero}]", "{hero.flies}"])
def test_invalid_templates_fail_at_once(story):
    with pytest.raises(AssertionError):
        plot("broken", cast={"hero": CHILD}, summary="{Hero}.", story=story)
