#include "pointer.h"

#include <stdlib.h>
#include <string.h>

static const float FLOOR = 1e-3f, UNLIKELY = 1e-5f, SHARPNESS = 12.0f;

int make_spelled(Spelled *spelled, int32_t max_patches, int32_t dim, int32_t num_kept) {
    size_t M = (size_t)max_patches, E = (size_t)dim, kept = (size_t)num_kept;
    Spelled old = *spelled;
    int64_t *memory = calloc(M, 3 * sizeof(int64_t) + sizeof(int32_t) + (E + 1) * sizeof(float) + 2);
    if (!memory) return 0;
    spelled->letters_begin = memory, spelled->letters_end = spelled->letters_begin + M;
    spelled->words = (uint64_t *)(spelled->letters_end + M);
    spelled->keys = (float *)(spelled->words + M), spelled->again = spelled->keys + M * E;
    spelled->candidates = (int32_t *)(spelled->again + M);
    spelled->asked = (uint8_t *)(spelled->candidates + M), spelled->written = spelled->asked + M;
    if (!kept) return 1;
    memcpy(spelled->letters_begin, old.letters_begin, kept * sizeof *old.letters_begin);
    memcpy(spelled->letters_end, old.letters_end, kept * sizeof *old.letters_end);
    memcpy(spelled->words, old.words, kept * sizeof *old.words);
    memcpy(spelled->keys, old.keys, kept * E * sizeof *old.keys);
    memcpy(spelled->again, old.again, kept * sizeof *old.again);
    memcpy(spelled->candidates, old.candidates, kept * sizeof *old.candidates);
    memcpy(spelled->asked, old.asked, kept);
    memcpy(spelled->written, old.written, kept);
    return 1;
}

void free_spelled(Spelled *spelled) { free(spelled->letters_begin); }

void begin_spelled(Spelled *spelled) {
    spelled->num_patches = spelled->begin_document = spelled->num_candidates = 0;
    spelled->has_mark = spelled->is_answer = 0;
}

void spell(Spelled *spelled, const int32_t *ids, int64_t place, int32_t num_letters) {
    int32_t id = ids[place], patch = spelled->num_patches - 1, kept = 0;
    int letter = is_letter(id);
    if (letter) {
        for (int32_t i = 0; i < spelled->num_candidates; i++) {
            int64_t next = spelled->letters_begin[spelled->candidates[i]] + num_letters;
            if (next < spelled->letters_end[spelled->candidates[i]] && ids[next] == id) spelled->candidates[kept++] = spelled->candidates[i];
        }
        spelled->num_candidates = kept;
    }
    if (letter && num_letters == 0) spelled->letters_begin[patch] = place;
    if (letter || num_letters) spelled->letters_end[patch] = place + 1;
    if (id == MARK) spelled->has_mark = 1;
}

void end_patch(Spelled *spelled, uint64_t word, int32_t last_id) {
    int32_t patch = spelled->num_patches - 1;
    spelled->words[patch] = word;
    if (spelled->has_mark) {
        for (int32_t i = spelled->begin_document; i <= patch; i++) spelled->asked[i] = 1;
        spelled->is_answer = 1, spelled->has_mark = 0;
    } else if (spelled->is_answer) {
        for (int32_t i = spelled->begin_document; i < patch; i++) spelled->written[i] |= spelled->words[i] == word;
    }
    if (last_id == END) spelled->begin_document = spelled->num_patches, spelled->is_answer = 0;
}

void begin_patch(Spelled *spelled) {
    int32_t patch = spelled->num_patches++;
    spelled->letters_begin[patch] = spelled->letters_end[patch] = 0;
    spelled->asked[patch] = spelled->written[patch] = 0;
    spelled->num_candidates = 0;
    for (int32_t i = spelled->begin_document; i < patch; i++)
        if (spelled->letters_end[i] > spelled->letters_begin[i]) spelled->candidates[spelled->num_candidates++] = i;
}

void unit_length(float *x, int width) {
    float size = sqrtf(dot(x, x, width));
    float scale = 1.0f / (size > 1e-12f ? size : 1e-12f);
    for (int i = 0; i < width; i++) x[i] *= scale;
}

void expect_again(const Pointer *pointer, Spelled *spelled, float *query, const float *urges) {
    int32_t now = spelled->num_patches - 1, begin = spelled->begin_document, E = pointer->dim;
    float *again = spelled->again;
    unit_length(query, E);
    for (int32_t i = 0; i <= now; i++) again[i] = dot(query, spelled->keys + (size_t)i * (size_t)E, E) * pointer->sharpness;
    for (int32_t i = begin; i < now; i++) {
        const float *key = spelled->keys + (size_t)(i + 1) * (size_t)E;
        if (i > begin && spelled->words[i - 1] == spelled->words[now - 1]) again[i + 1] += dot(urges, key, E) + pointer->urge_bias[0];
        if (spelled->asked[i] && !spelled->written[i]) again[i + 1] += (dot(urges + E, key, E) + pointer->urge_bias[1]) * spelled->insist;
    }
    for (int32_t i = 0; i <= now; i++) again[i] *= SHARPNESS;
    softmax(again, spelled->num_patches);
}

void add_pointer_scores(const Pointer *pointer, const Spelled *spelled, const int32_t *ids, int32_t num_letters, float *scores) {
    float mass[NUM_IDS] = {0}, total = 0;
    for (int32_t i = 0; i < spelled->num_candidates; i++) {
        int32_t patch = spelled->candidates[i];
        int64_t next = spelled->letters_begin[patch] + num_letters;
        if (next < spelled->letters_end[patch]) mass[ids[next]] += spelled->again[patch + 1], total += spelled->again[patch + 1];
    }
    for (int i = 0; i < NUM_IDS; i++)
        if (mass[i] > 0)
            scores[i] += pointer->strength[0] * log1pf(mass[i] / FLOOR) + pointer->strength[1] * log1pf(mass[i] / (total + UNLIKELY) / FLOOR);
}
