"""The laws that every model keeps, fixed patches and words alike: causal, and the same by forward, by prefill and by steps.

Float64 is used where equality is the law: what remains of a difference is then the rounding of the logits to float32.
"""

import pytest
import torch

from tavu.config import FixedPatchConfig, LevelConfig
from tavu.vocabulary import END, NUM_IDS

CLOSE = 1e-5
LONGEST_PATCH = 12  # of the configs in conftest.py


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a - b).abs().max().item()


def reads_as_forward(model, ids, num_prompt, num_steps, dtype=torch.float64) -> float:
    """The largest difference between forward and a prefill of num_prompt ids followed by steps."""
    logits = model(ids, dtype)
    cache = model.empty_cache(len(ids), dtype)
    worst = largest_difference(model.prefill(ids[:, :num_prompt], cache), logits[:, num_prompt])
    for t in range(num_prompt, min(num_prompt + num_steps, ids.size(1) - 1)):
        worst = max(worst, largest_difference(model.step(ids[:, t], cache), logits[:, t + 1]))
    return worst


def another_of_its_kind(ids: torch.Tensor) -> torch.Tensor:
    """Ids changed so that words begin where they began: the shapes within a word model stay, and so does the order of every sum."""
    letter = torch.tensor([chr(i).isalnum() if i < 128 else i < 256 for i in range(NUM_IDS)])[ids]
    other = torch.where(letter, torch.where(ids == ord("e"), ord("o"), ord("e")), torch.where(ids == ord(","), ord(";"), ord(",")))
    return torch.where(ids == END, END, other)


@torch.inference_mode()
def test_logits_up_to_a_changed_id_stay_bit_equal(model, make_ids):
    ids = make_ids(2, model.config.max_seq_len)
    logits = model(ids)
    for t in range(ids.size(1)):
        changed = ids.clone()
        changed[:, t] = another_of_its_kind(ids[:, t])
        assert torch.equal(model(changed)[:, : t + 1], logits[:, : t + 1]), f"the id at {t} was seen too early"


@torch.inference_mode()
@pytest.mark.parametrize("seen", [END, 0, ord(" "), ord("x"), 255])
def test_an_id_that_moves_the_words_is_not_seen_up_to_its_own_position(model, make_ids, seen):
    ids = make_ids(2, model.config.max_seq_len)
    logits = model(ids, torch.float64)
    for t in range(ids.size(1)):
        changed = ids.clone()
        changed[:, t] = seen
        assert largest_difference(model(changed, torch.float64)[:, : t + 1], logits[:, : t + 1]) < CLOSE


@torch.inference_mode()
def test_every_id_of_the_patch_and_the_patches_before_is_seen(model, make_ids):
    ids = make_ids(1, model.config.max_seq_len)
    logits = model(ids, torch.float64)
    for t in range(ids.size(1) - LONGEST_PATCH - 1):
        changed = ids.clone()
        changed[:, t] = ord("q") if ids[0, t] != ord("q") else ord("z")
        assert largest_difference(model(changed, torch.float64)[:, t + 1 :], logits[:, t + 1 :]) > 1e-4, f"nobody reads the id at {t}"


@torch.inference_mode()
def test_prefill_and_steps_equal_forward_for_prompts_of_every_length(model, make_ids):
    T = model.config.max_seq_len
    for num_prompt in range(1, T):
        num_steps = T if num_prompt <= 2 * LONGEST_PATCH + 1 and num_prompt % 4 == 1 else LONGEST_PATCH // 2
        assert reads_as_forward(model, make_ids(3, T), num_prompt, num_steps) < CLOSE, f"a prompt of {num_prompt}"


@torch.inference_mode()
def test_one_row_decodes_as_forward(model, make_ids):
    for num_prompt in (1, 4, 11):
        assert reads_as_forward(model, make_ids(1, model.config.max_seq_len), num_prompt, 60) < CLOSE


@torch.inference_mode()
def test_decoding_in_float32_and_bfloat16_is_close_to_forward(model, make_ids):
    ids = make_ids(3, model.config.max_seq_len)
    exact = model(ids)
    for dtype, close in ((torch.float32, 1e-4), (torch.bfloat16, 0.5)):
        cache = model.empty_cache(3, dtype)
        logits = [model.prefill(ids[:, :5], cache)] + [model.step(ids[:, t], cache) for t in range(5, ids.size(1) - 1)]
        assert largest_difference(torch.stack(logits, dim=1), exact[:, 5:]) < close
        assert (torch.stack(logits, dim=1) - exact[:, 5:]).abs().mean() < close / 10
        assert logits[-1].dtype == torch.float32


@torch.inference_mode()
def test_any_length_gives_the_beginning_of_a_longer_one(model, make_ids):
    ids = make_ids(2, model.config.max_seq_len)
    logits = model(ids, torch.float64)
    for T in range(1, ids.size(1)):
        part = model(ids[:, :T], torch.float64)
        assert part.shape == (2, T, NUM_IDS)
        assert largest_difference(part, logits[:, :T]) < CLOSE, f"{T} ids"


@torch.inference_mode()
def test_a_row_of_a_batch_equals_that_row_alone(model, make_ids):
    ids = make_ids(4, 37)
    logits = model(ids, torch.float64)
    for row in range(4):
        assert largest_difference(model(ids[row : row + 1], torch.float64), logits[row : row + 1]) < CLOSE


@torch.inference_mode()
def test_a_row_of_a_batch_decodes_as_that_row_alone(model, make_ids):
    ids = make_ids(4, 40)  # words begin at different places in each row
    together, alone = model.empty_cache(4, torch.float64), [model.empty_cache(1, torch.float64) for _ in range(4)]
    logits = model.prefill(ids[:, :6], together)
    rows = [model.prefill(ids[row : row + 1, :6], alone[row]) for row in range(4)]
    assert largest_difference(torch.cat(rows), logits) < CLOSE
    for t in range(6, 40):
        logits = model.step(ids[:, t], together)
        rows = [model.step(ids[row : row + 1, t], alone[row]) for row in range(4)]
        assert largest_difference(torch.cat(rows), logits) < CLOSE


@torch.inference_mode()
@pytest.mark.parametrize("id", [END, 0, 255, ord("a"), ord(" ")])
def test_rows_of_one_id_decode_as_forward(model, id):
    ids = torch.full((2, model.config.max_seq_len), id)
    assert reads_as_forward(model, ids, 3, 60) < CLOSE


@torch.inference_mode()
def test_two_caches_of_one_model_do_not_meet(model, make_ids):
    ids = make_ids(2, 30)
    first, second = model.empty_cache(1), model.empty_cache(1)
    model.prefill(ids[:1, :9], first)
    model.prefill(ids[1:, :4], second)
    alone = model.empty_cache(1)
    model.prefill(ids[:1, :9], alone)
    for t in range(9, 20):
        model.step(ids[1, t : t + 1], second)
        assert torch.equal(model.step(ids[0, t : t + 1], first), model.step(ids[0, t : t + 1], alone))


def test_every_parameter_learns_and_only_from_the_past(model, make_ids):
    ids = make_ids(3, model.config.max_seq_len)
    model.zero_grad()
    model(ids)[:, 1:].logsumexp(-1).sum().backward()
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.to_dense() if parameter.grad is not None else torch.zeros(1)
        assert gradient.abs().sum() > 0, f"{name} has no gradient"
    model.zero_grad(set_to_none=True)


def test_a_fresh_model_starts_near_the_uniform_guess(configs, make_ids):
    from tavu.model.designs import build_model

    for config in configs.values():
        torch.manual_seed(0)
        with torch.inference_mode():
            log_probabilities = build_model(config)(make_ids(2, 48)).log_softmax(-1)
        assert abs(log_probabilities.mean().item() + torch.tensor(257.0).log().item()) < 1.0


@torch.inference_mode()
def test_places_in_patch_count_up_from_each_patch(configs, make_model, make_ids):
    two = make_model(configs["two levels"]).places_in_patch(make_ids(2, 11))
    assert two.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]] * 2
    ids = torch.tensor([[END, *b"ab cd"]])
    assert make_model(configs["words"]).places_in_patch(ids).tolist() == [[0, 0, 1, 2, 0, 1]]


@torch.inference_mode()
def test_cross_patch_attention_of_any_reach_decodes_as_forward(make_model, make_ids):
    """From a single byte to the whole patch before."""
    levels = (LevelConfig(16, 1, 2, 32, 4), LevelConfig(8, 1, 1, 16))
    for cross in (0, 1, 4):
        model = make_model(FixedPatchConfig(levels, 24, cross_patch_bytes=cross))
        assert reads_as_forward(model, make_ids(2, 24), 1, 24) < CLOSE
