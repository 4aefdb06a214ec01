#include "pointer.h"

#include <stdlib.h>
#include <string.h>

int make_pointer_state(PointerState *state, int32_t max_patches, int32_t dim, int32_t num_kept) {
    size_t M = (size_t)max_patches, E = (size_t)dim, kept = (size_t)num_kept;
    PointerState old = *state;
    int64_t *memory = calloc(M, 3 * sizeof(int64_t) + sizeof(int32_t) + (E + 1) * sizeof(float) + 2);
    if (!memory) return 0;
    state->letters_begin = memory, state->letters_end = state->letters_begin + M;
    state->words = (uint64_t *)(state->letters_end + M);
    state->keys = (float *)(state->words + M), state->copy_probs = state->keys + M * E;
    state->candidates = (int32_t *)(state->copy_probs + M);
    state->is_requested = (uint8_t *)(state->candidates + M), state->is_written = state->is_requested + M;
    if (!kept) return 1;
    memcpy(state->letters_begin, old.letters_begin, kept * sizeof *old.letters_begin);
    memcpy(state->letters_end, old.letters_end, kept * sizeof *old.letters_end);
    memcpy(state->words, old.words, kept * sizeof *old.words);
    memcpy(state->keys, old.keys, kept * E * sizeof *old.keys);
    memcpy(state->copy_probs, old.copy_probs, kept * sizeof *old.copy_probs);
    memcpy(state->candidates, old.candidates, kept * sizeof *old.candidates);
    memcpy(state->is_requested, old.is_requested, kept);
    memcpy(state->is_written, old.is_written, kept);
    return 1;
}

void free_pointer_state(PointerState *state) { free(state->letters_begin); }

void reset_pointer(PointerState *state) {
    state->num_patches = state->document_begin = state->num_candidates = 0;
    state->has_mark = state->is_after_mark = 0;
}

void pointer_read_id(PointerState *state, const int32_t *ids, int64_t index, int32_t num_letters) {
    int32_t id = ids[index], patch = state->num_patches - 1, kept = 0;
    int letter = is_letter(id);
    if (letter) {
        for (int32_t i = 0; i < state->num_candidates; i++) {
            int64_t next = state->letters_begin[state->candidates[i]] + num_letters;
            if (next < state->letters_end[state->candidates[i]] && ids[next] == id) state->candidates[kept++] = state->candidates[i];
        }
        state->num_candidates = kept;
    }
    if (letter && num_letters == 0) state->letters_begin[patch] = index;
    if (letter || num_letters) state->letters_end[patch] = index + 1;
    if (id == MARK) state->has_mark = 1;
}

void pointer_end_patch(PointerState *state, uint64_t word, int32_t last_id) {
    int32_t patch = state->num_patches - 1;
    state->words[patch] = word;
    if (state->has_mark) {
        for (int32_t i = state->document_begin; i <= patch; i++) state->is_requested[i] = 1;
        state->is_after_mark = 1, state->has_mark = 0;
    } else if (state->is_after_mark) {
        for (int32_t i = state->document_begin; i < patch; i++) state->is_written[i] |= state->words[i] == word;
    }
    if (last_id == END) state->document_begin = state->num_patches, state->is_after_mark = 0;
}

void pointer_begin_patch(PointerState *state) {
    int32_t patch = state->num_patches++;
    state->letters_begin[patch] = state->letters_end[patch] = 0;
    state->is_requested[patch] = state->is_written[patch] = 0;
    state->num_candidates = 0;
    for (int32_t i = state->document_begin; i < patch; i++)
        if (state->letters_end[i] > state->letters_begin[i]) state->candidates[state->num_candidates++] = i;
}

void to_unit_length(float *x, int width) {
    float size = sqrtf(dot(x, x, width));
    float scale = 1.0f / (size > 1e-12f ? size : 1e-12f);
    for (int i = 0; i < width; i++) x[i] *= scale;
}

void compute_copy_probs(const Pointer *pointer, PointerState *state, float *query, const float *hint_gates) {
    int32_t now = state->num_patches - 1, begin = state->document_begin, E = pointer->dim;
    float *copy_probs = state->copy_probs;
    to_unit_length(query, E);
    for (int32_t i = 0; i <= now; i++) copy_probs[i] = dot(query, state->keys + (size_t)i * (size_t)E, E) * pointer->sharpness;
    for (int32_t i = begin; i < now; i++) {
        const float *key = state->keys + (size_t)(i + 1) * (size_t)E;
        if (i > begin && state->words[i - 1] == state->words[now - 1]) copy_probs[i + 1] += dot(hint_gates, key, E) + pointer->hint_bias[0];
        if (state->is_requested[i] && !state->is_written[i])
            copy_probs[i + 1] += (dot(hint_gates + E, key, E) + pointer->hint_bias[1]) * state->insist;
    }
    for (int32_t i = 0; i <= now; i++) copy_probs[i] *= (float)POINTER_SHARPNESS;
    softmax(copy_probs, state->num_patches);
}

void add_copy_logits(const Pointer *pointer, const PointerState *state, const int32_t *ids, int32_t num_letters, float *logits) {
    float mass[NUM_IDS] = {0}, total = 0;
    for (int32_t i = 0; i < state->num_candidates; i++) {
        int32_t patch = state->candidates[i];
        int64_t next = state->letters_begin[patch] + num_letters;
        if (next < state->letters_end[patch]) mass[ids[next]] += state->copy_probs[patch + 1], total += state->copy_probs[patch + 1];
    }
    for (int i = 0; i < NUM_IDS; i++)
        if (mass[i] > 0)
            logits[i] += pointer->strength[0] * log1pf(mass[i] / (float)PROB_FLOOR) +
                         pointer->strength[1] * log1pf(mass[i] / (total + (float)PROB_UNLIKELY) / (float)PROB_FLOOR);
}
