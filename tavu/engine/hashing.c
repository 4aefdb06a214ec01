#include "hashing.h"

#include <string.h>

uint64_t mix_hash(uint64_t hash) {
    hash = (hash ^ hash >> 29) * HASH_MIX;
    return hash ^ hash >> 32;
}

int is_letter(int32_t id) { return (id >= 128 && id < 256) || (id >= '0' && id <= '9') || (id >= 'A' && id <= 'Z') || (id >= 'a' && id <= 'z'); }

static void add_rows(HashConfig *hashes, int which, int32_t salt, int32_t num_rows) {
    hashes->salts[which] = (uint64_t)salt;
    hashes->masks[which] = (uint64_t)num_rows - 1;
    hashes->starts[which] = (uint64_t)hashes->num_rows;
    hashes->num_rows += num_rows;
}

HashConfig make_hash_config(const WordPatchConfig *config) {
    HashConfig hashes = {config->max_patch_size, config->num_ngram_orders, config->num_phrase_orders, .powers = {1}};
    memcpy(hashes.ngram_orders, config->ngram_orders, sizeof hashes.ngram_orders);
    memcpy(hashes.phrase_orders, config->phrase_orders, sizeof hashes.phrase_orders);
    int count = 0;
    add_rows(&hashes, count++, 0, config->prefix_rows);
    for (int i = 0; i < config->num_ngram_orders; i++) add_rows(&hashes, count++, config->ngram_orders[i], config->ngram_rows);
    for (int i = 0; i < config->num_phrase_orders; i++) add_rows(&hashes, count++, PHRASE_SALT + config->phrase_orders[i], config->phrase_rows);
    for (int i = 1; i < MAX_PATCHES * MAX_PATCH_SIZE + 1; i++) hashes.powers[i] = hashes.powers[i - 1] * HASH_MULTIPLIER;
    return hashes;
}

void reset_hashes(HashState *state) {
    memset(state, 0, sizeof *state);
    state->begins_patch = 1;
    state->last_id = BEGIN;
}

void hash_id(const HashConfig *config, HashState *state, int32_t id) {
    int letter = is_letter(id);
    uint64_t value = (uint64_t)id + 1;
    for (int i = 0; i < MAX_PATCHES; i++) state->runs[i] += value * config->powers[state->sizes[i]++];
    if (letter) state->letters += value * config->powers[state->num_letters++];
    memmove(state->recent + 1, state->recent, (MAX_NGRAM - 1) * sizeof state->recent[0]);
    state->recent[0] = value;
    state->begins_patch = id == END || (!letter && state->after_letter) || state->sizes[0] == config->max_patch_size;
    if (state->begins_patch) {
        state->word_before = state->word;
        state->word = state->num_letters > 0 ? state->letters : state->runs[0];
        state->letters = 0, state->num_letters = 0;
        memmove(state->runs + 1, state->runs, (MAX_PATCHES - 1) * sizeof state->runs[0]);
        memmove(state->sizes + 1, state->sizes, (MAX_PATCHES - 1) * sizeof state->sizes[0]);
        state->runs[0] = 0, state->sizes[0] = 0;
    }
    state->after_letter = (uint8_t)letter;
    state->last_id = id;
}

void find_row(const HashConfig *config, uint64_t hash, int which, int64_t *row, int32_t *fingerprint) {
    hash = mix_hash(hash + config->salts[which]);
    *row = (int64_t)((hash & config->masks[which]) + config->starts[which]);
    *fingerprint = (int32_t)(hash >> FINGERPRINT_SHIFT & (NUM_FINGERPRINTS - 1));
}

int find_rows(const HashConfig *config, const HashState *state, int64_t *rows, int32_t *fingerprints) {
    int count = 0;
    find_row(config, state->runs[0], count, rows, fingerprints), count++;
    for (int i = 0; i < config->num_ngram_orders; i++, count++) {
        uint64_t hash = 0;
        for (int j = 0, n = config->ngram_orders[i]; j < n; j++) hash += state->recent[n - 1 - j] * config->powers[j];
        find_row(config, hash, count, rows + count, fingerprints + count);
    }
    for (int i = 0; i < config->num_phrase_orders; i++, count++)
        find_row(config, state->runs[config->phrase_orders[i]], count, rows + count, fingerprints + count);
    return count;
}
