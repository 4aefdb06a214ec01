/* The config of a model, read from its JSON and checked (tavu/config/model.py): sizes that the rest of the engine may rely on. */
#ifndef TAVU_MODEL_CONFIG_H
#define TAVU_MODEL_CONFIG_H

#include "arena.h"
#include "json.h"

enum { MAX_LEVELS = 17, MAX_NGRAM_ORDERS = 15, MAX_PHRASE_ORDERS = 4, MAX_NGRAM = 16, MAX_PATCH_SIZE = 255 };

typedef struct {
    int32_t dim, num_layers, num_heads, mlp_dim, patch_size;
} LevelConfig;

typedef struct {
    int32_t num_levels, max_seq_len, cross_patch_bytes;
    LevelConfig levels[MAX_LEVELS]; /* coarsest first */
} FixedPatchConfig;

typedef struct {
    LevelConfig global, local;
    int32_t max_seq_len, max_patch_size, word_rows, pair_rows, prefix_rows, ngram_rows, phrase_rows, lexicon_words, pointer_dim;
    int32_t num_ngram_orders, num_phrase_orders, ngram_orders[MAX_NGRAM_ORDERS], phrase_orders[MAX_PHRASE_ORDERS];
} WordPatchConfig;

int is_word_patch_config(Json config);
/* What is wrong with a config is in failure. */
FixedPatchConfig read_fixed_patch_config(Json config, Failure *failure);
WordPatchConfig read_word_patch_config(Json config, Failure *failure);

#endif
