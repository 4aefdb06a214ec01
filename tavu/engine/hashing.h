/* Where patches begin, and the hashes that index the word model's tables, computed id by id (tavu/model/words/read.py). */
#ifndef TAVU_HASHING_H
#define TAVU_HASHING_H

#include <stdint.h>

#include "constants.h"
#include "model_config.h"

/* A hash of a run of ids: of the patch so far, of each order of n-grams, of each order of phrases. */
enum { MAX_HASHES = 1 + MAX_NGRAM_ORDERS + MAX_PHRASE_ORDERS, MAX_PATCHES = MAX_PHRASE_ORDERS + 1 };

typedef struct {
    int32_t max_patch_size, num_ngram_orders, num_phrase_orders;
    int32_t ngram_orders[MAX_NGRAM_ORDERS], phrase_orders[MAX_PHRASE_ORDERS];
    uint64_t salts[MAX_HASHES], masks[MAX_HASHES], starts[MAX_HASHES]; /* row = (mixed hash & mask) + start */
    int64_t num_rows;
    uint64_t powers[MAX_PATCHES * MAX_PATCH_SIZE + 1]; /* of HASH_MULTIPLIER */
} HashConfig;

typedef struct {
    uint64_t runs[MAX_PATCHES];          /* hashes from the start of this patch, of the one before, and so on */
    uint64_t letters, word, word_before; /* hashes of this patch's letters, and of the last two words */
    int32_t sizes[MAX_PATCHES], num_letters, last_id;
    uint64_t recent[MAX_NGRAM]; /* the last ids + 1, the newest first */
    uint8_t begins_patch, after_letter;
} HashState;

HashConfig make_hash_config(const WordPatchConfig *config);
void reset_hashes(HashState *state);
void hash_id(const HashConfig *config, HashState *state, int32_t id);
int is_letter(int32_t id);
uint64_t mix_hash(uint64_t hash);
/* The table row of each hash, and its fingerprint, which tells most runs apart that share a row; how many. */
int find_rows(const HashConfig *config, const HashState *state, int64_t *rows, int32_t *fingerprints);
void find_row(const HashConfig *config, uint64_t hash, int which, int64_t *row, int32_t *fingerprint);

#endif
