"""Laws of sampling: weights are distributions, rows are independent, and each filter keeps exactly the ids it should."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tavu.config import SamplingConfig
from tavu.errors import TavuError
from tavu.generation.sampling import (
    GREEDY_BELOW,
    REPEAT_BYTES,
    RepetitionTracker,
    _weights,
    _within,
    penalize,
    sample,
)
from tavu.vocabulary import END, NUM_IDS

LAST_UNIFORM = math.nextafter(1, 0)


def filter_probabilities(logits, config, allowed=None):
    """The distribution that `sample` draws from, (N, V), each row summing to 1."""
    logits, peak = _within(logits, allowed)
    if config.temperature < GREEDY_BELOW:
        return np.eye(logits.shape[1])[logits.argmax(axis=1)]
    weights = _weights(logits, peak, config)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def logits_of(num_ids: int = 12):
    # Few distinct values, so that ties are common; -inf is a probability of 0.
    values = st.floats(-30, 30, width=32) | st.sampled_from([-math.inf, -1.0, 0.0, 1.0, 2.0])
    return st_numpy.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(num_ids)), elements=values)


configs = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.0, 1e-300, 0.1, 0.8, 1.0, 5.0, 1e300]),
    top_k=st.none() | st.integers(1, 15),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    min_p=st.none() | st.floats(0, 1, exclude_max=True),
)
masks = st_numpy.arrays(bool, 12).filter(np.any)
uniforms = st.floats(0, 1, exclude_max=True) | st.just(LAST_UNIFORM)


@given(logits_of(), configs, masks)
def test_filtered_rows_are_distributions_over_allowed_ids(logits, config, mask):
    allowed = np.broadcast_to(mask, logits.shape)
    probabilities = filter_probabilities(logits, config, allowed)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all() and (probabilities[~allowed] == 0).all()


@given(logits_of(), configs, masks, uniforms)
def test_an_id_of_probability_zero_is_never_drawn(logits, config, mask, uniform):
    allowed = np.broadcast_to(mask, logits.shape)
    ids = sample(logits, config, np.full(len(logits), uniform), allowed)
    assert ids.dtype == np.int64 and ids.shape == (len(logits),)
    assert (filter_probabilities(logits, config, allowed)[np.arange(len(ids)), ids] > 0).all()


def test_the_edges_of_the_uniforms_draw_the_first_and_the_last_possible_id():
    logits = np.array([[-math.inf, 0, 1, -800, -math.inf]], dtype=np.float32)
    config = SamplingConfig(temperature=1)
    assert sample(logits, config, np.array([0.0])) == 1
    assert sample(logits, config, np.array([LAST_UNIFORM])) == 2


@given(st.lists(uniforms, min_size=5, max_size=5), configs, st.integers(0, 99))
def test_a_row_is_sampled_as_if_it_were_alone(row_uniforms, config, seed):
    logits = np.random.default_rng(seed).normal(size=(5, NUM_IDS)).astype(np.float32) * 4
    together = sample(logits, config, np.array(row_uniforms))
    probabilities = filter_probabilities(logits, config)
    for row in range(5):
        alone = logits[row : row + 1].copy()
        assert sample(alone, config, np.array(row_uniforms[row : row + 1])) == together[row]
        assert (filter_probabilities(alone, config) == probabilities[row]).all()


@given(logits_of(), uniforms)
@example(np.array([[0, 1e-38]], dtype=np.float32), LAST_UNIFORM)  # equal probabilities in floating point, but distinct logits
def test_top_1_is_greedy(logits, uniform):
    row_uniforms = np.full(len(logits), uniform)
    greedy = sample(logits, SamplingConfig(temperature=0), row_uniforms)
    assert (sample(logits, SamplingConfig(top_k=1), row_uniforms) == greedy).all()
    assert (greedy == logits.argmax(axis=1)).all()


@given(logits_of(), st.integers(1, 14))
def test_top_k_keeps_k_ids_nested(logits, k):
    fewer = filter_probabilities(logits, SamplingConfig(top_k=k)) > 0
    more = filter_probabilities(logits, SamplingConfig(top_k=k + 1)) > 0
    assert (fewer <= more).all()
    possible = filter_probabilities(logits, SamplingConfig()) > 0
    assert (fewer.sum(axis=1) == np.minimum(k, possible.sum(axis=1))).all()


@given(logits_of(), st.floats(0, 1, exclude_min=True), st.none() | st.integers(1, 12))
def test_top_p_keeps_the_smallest_set_of_mass_p(logits, p, k):
    kept = filter_probabilities(logits, SamplingConfig(top_k=k, top_p=p))
    for row, probabilities in enumerate(filter_probabilities(logits, SamplingConfig(top_k=k))):
        likeliest_first = sorted(np.flatnonzero(probabilities), key=lambda id: (-logits[row, id], id))
        expected = likeliest_first
        for size in range(1, len(likeliest_first)):
            held = math.fsum(probabilities[likeliest_first[:size]])
            if abs(held - p) < 1e-9:
                return  # decided by rounding: both sets are right
            if held > p:
                expected = likeliest_first[:size]
                break
        assert set(np.flatnonzero(kept[row])) == set(expected)


def test_top_p_stops_where_p_is_just_reached():
    kept = filter_probabilities(np.zeros((1, 4)), SamplingConfig(top_p=0.5))
    assert kept.tolist() == [[0.5, 0.5, 0, 0]]


@given(st.integers(0, 200), st.floats(0.05, 0.99))
def test_top_p_equals_hugging_face(seed, p):
    # TopPLogitsWarper: starting from the least likely id, remove while the sum is at most 1 - p; keep at least one.
    logits = np.random.default_rng(seed).normal(size=NUM_IDS) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum()
    least_first = np.argsort(probabilities)
    removed = np.cumsum(probabilities[least_first]) <= 1 - p
    removed[-1] = False
    ours = filter_probabilities(logits[None], SamplingConfig(temperature=1, top_p=p))[0]
    assert set(np.flatnonzero(ours)) == set(least_first[~removed])


def test_min_p_is_relative_to_the_likeliest():
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]]))
    kept = filter_probabilities(logits, SamplingConfig(temperature=1, min_p=0.31))
    assert np.allclose(kept, [[0.625, 0.375, 0, 0]])
    assert np.allclose(filter_probabilities(logits, SamplingConfig(temperature=1, min_p=0)), np.exp(logits))


def test_temperature_comes_before_the_filters():
    logits = np.log(np.array([[0.6, 0.3, 0.1]]))
    cold = SamplingConfig(temperature=0.5, top_p=0.78)  # squared: 0.78, 0.20, 0.02
    assert (filter_probabilities(logits, cold) > 0).tolist() == [[True, False, False]]
    assert (filter_probabilities(logits, SamplingConfig(temperature=1, top_p=0.78)) > 0).tolist() == [[True, True, False]]


@pytest.mark.parametrize("config", [SamplingConfig(temperature=1), SamplingConfig(temperature=1.5, top_k=6, top_p=0.9, min_p=0.02)])
def test_draws_follow_the_distribution(config):
    num_draws = 40_000
    logits = np.random.default_rng(1).normal(size=(1, 8)).astype(np.float32)
    expected = filter_probabilities(logits, config)[0] * num_draws
    ids = sample(np.repeat(logits, num_draws, axis=0), config, np.random.default_rng(2).random(num_draws))
    counts = np.bincount(ids, minlength=8)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 24.3  # the 99.9th percentile at 7 degrees of freedom


@pytest.mark.parametrize("temperature", [0, 1])
def test_allowed_ids_of_probability_zero_are_equally_likely(temperature):
    logits = np.array([[0, -math.inf, -math.inf, 1], [0, 1, 2, 3]], dtype=np.float32)
    allowed = np.array([[False, True, True, False], [True, True, False, False]])
    probabilities = filter_probabilities(logits, SamplingConfig(temperature=1), allowed)
    assert probabilities[0].tolist() == [0, 0.5, 0.5, 0]
    assert np.allclose(probabilities[1], [1 / (1 + math.e), math.e / (1 + math.e), 0, 0])
    ids = sample(logits, SamplingConfig(temperature=temperature), np.array([0.9, 0.9]), allowed)
    assert ids.tolist() == [1 if temperature == 0 else 2, 1]


def test_infinite_logits_are_equally_likely():
    logits = np.array([[0, math.inf, 3, math.inf]], dtype=np.float32)
    assert filter_probabilities(logits, SamplingConfig()).tolist() == [[0, 0.5, 0, 0.5]]


def test_nan_logits_are_an_error():
    with pytest.raises(TavuError, match="outputs NaN instead of probabilities.*Use an earlier save"):
        sample(np.array([[0, math.nan]]), SamplingConfig(temperature=0), np.array([0.5]))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("temperature", -1.0, "temperature is -1.0, expected 0 (always the likeliest byte) or more. Try 0.8."),
        ("temperature", math.nan, "temperature is nan, expected 0 (always the likeliest byte) or more. Try 0.8."),
        ("temperature", math.inf, "temperature is inf, expected 0 (always the likeliest byte) or more. Try 0.8."),
        ("top_k", 0, "top_k is 0, expected 1 or more. Leave it out to keep every byte."),
        ("top_p", 0.0, "top_p is 0.0, expected above 0 and up to 1. Try 0.95, or leave it out."),
        ("top_p", 1.1, "top_p is 1.1, expected above 0 and up to 1. Try 0.95, or leave it out."),
        ("top_p", math.nan, "top_p is nan, expected above 0 and up to 1. Try 0.95, or leave it out."),
        ("min_p", -0.1, "min_p is -0.1, expected from 0 to below 1. Try 0.05, or leave it out."),
        ("min_p", 1.0, "min_p is 1.0, expected from 0 to below 1. Try 0.05, or leave it out."),
        ("repetition_penalty", 0.9, "repetition_penalty is 0.9, expected 1 (off) or more. Try 1.2."),
        ("repetition_penalty", math.nan, "repetition_penalty is nan, expected 1 (off) or more. Try 1.2."),
        ("max_bytes", 0, "max_bytes is 0, expected 1 or more. Try 2048."),
        ("seed", -1, "seed is -1, expected 0 or more."),
        ("stop", "END", "stop is the string 'END', expected a tuple of strings. Try ('END',)."),
        ("stop", ("a", ""), "stop has an empty string, expected at least one character in each. Leave it out."),
        ("stop", ("\ud800",), "stop has '\\ud800', which UTF-8 cannot encode, expected text without lone surrogates."),
    ],
)
def test_values_out_of_range_are_errors(field, value, sentence):
    with pytest.raises(TavuError) as caught:
        SamplingConfig(**{field: value})
    assert str(caught.value) == sentence


def track(data: bytes) -> RepetitionTracker:
    tracker = RepetitionTracker()
    for byte in data:
        tracker.feed(byte)
    return tracker


def test_repeats_are_counted_from_the_second_time_on():
    sequence = bytes(range(REPEAT_BYTES))
    begun, last = sequence[:-1], sequence[-1]
    assert track(begun).penalized() == {}
    assert track(sequence + begun).penalized() == {last: 1}
    assert track(sequence + begun + b"x" + sequence + begun).penalized() == {last: 2, ord("x"): 1}
    assert track(sequence + b"-" + begun[1:]).penalized() == {}  # one byte short


def test_no_repeat_runs_across_documents():
    sequence = bytes(range(REPEAT_BYTES))
    tracker = track(sequence + sequence[:4])
    tracker.feed(END)
    for byte in sequence[4:-1]:
        tracker.feed(byte)
    assert tracker.penalized() == {}


@given(st.lists(st.sampled_from(list(b"ab")), max_size=60))
def test_the_tracker_equals_a_search(written):
    data = bytes(written)
    context = data[len(data) - (REPEAT_BYTES - 1) :] if len(data) >= REPEAT_BYTES - 1 else None
    counts = {}
    for start in range(len(data) - REPEAT_BYTES + 1):
        if data[start : start + REPEAT_BYTES - 1] == context:
            id = data[start + REPEAT_BYTES - 1]
            counts[id] = counts.get(id, 0) + 1
    assert track(data).penalized() == counts


def test_a_penalty_divides_the_probability_per_time_seen():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]))
    before = logits.copy()
    penalized = penalize(logits, [{}, {0: 2}], 2.0)
    assert (logits == before).all()
    assert np.allclose(np.exp(penalized), [[0.5, 0.25, 0.25], [0.125, 0.25, 0.25]])
    assert penalize(logits, [{}, {0: 2}], 1.0) is logits and penalize(logits, [{}, {}], 2.0) is logits


def write_greedily(penalty: float, num_bytes: int) -> bytes:
    """Greedy text of a toy model that loops: after each byte the next byte of the loop is e^2 times as likely as "."."""
    loop = b"the cat sat on the mat and "
    config = SamplingConfig(temperature=0, repetition_penalty=penalty)
    tracker, written = RepetitionTracker(), b""
    for step in range(num_bytes):
        logits = np.full((1, NUM_IDS), -10, dtype=np.float32)
        logits[0, loop[step % len(loop)]] = 3
        logits[0, ord(".")] = 1
        id = int(sample(penalize(logits, [tracker.penalized()], config.repetition_penalty), config, np.array([0.5]))[0])
        tracker.feed(id)
        written += bytes([id])
    return written


def test_a_penalty_ends_a_loop():
    assert b"." not in write_greedily(1.0, 400)
    assert b"." not in write_greedily(1.5, 27 + REPEAT_BYTES)  # the first iterations are not penalized
    assert b"." in write_greedily(1.5, 400)
