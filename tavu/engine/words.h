/* The word model (tavu/model/words.py): a global transformer over words, a local stack of MLPs over bytes.

Shapes: D global width, L local width, E pointer width, W words of the lexicon. */
#ifndef TAVU_WORDS_H
#define TAVU_WORDS_H

#include "lexicon.h"
#include "pointer.h"
#include "row.h"
#include "transformer.h"

typedef struct {
    Matrix up, down;
} Mlp;

typedef struct {
    int32_t num_layers, num_heads, num_local_layers, max_seq_len, num_known, num_buckets, pair_rows, num_unknown;
    Reading reading;
    Matrix words, pairs, last_ids; /* what the global model reads; pairs has no rows where there are none */
    const int64_t *known;          /* (num_known), ascending */
    const Block *blocks;
    Matrix global_to_local;
    Matrix byte_last_ids, hashed; /* what the local model reads */
    const int32_t *phrase_names;
    int64_t unknown[MAX_ORDERS];
    const Mlp *mlps;
    Matrix head;
    int32_t lexicon_words, spelling_width; /* 0: no lexicon */
    Matrix lexicon;
    const float *lexicon_bias;
    const uint8_t *spellings, *spelling_lengths;
    float lexicon_strength;
    Pointer pointer;
} Words;

extern const Kind words_kind;
void *prepare_words(const Words *model); /* for words_kind; NULL when memory ran out */

#endif
