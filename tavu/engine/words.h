/* The word model (tavu/model/words/model.py): a global transformer over words, a local stack of MLPs over bytes.

Shapes: D global width, L local width, E pointer width, W words of the lexicon. */
#ifndef TAVU_WORDS_H
#define TAVU_WORDS_H

#include "architecture.h"
#include "lexicon.h"
#include "pointer.h"
#include "transformer.h"

typedef struct {
    WordPatchConfig config;
    HashConfig hashes;
    Matrix words, pairs, last_ids; /* read by the global model; pairs has no rows where there are none */
    int32_t num_known;             /* rows of words that belong to one word each */
    const int64_t *known;          /* (num_known): their hashes, ascending */
    Transformer global_model;
    Matrix global_to_local;
    Matrix byte_last_ids, hashed;       /* read by the local model */
    const int32_t *phrase_fingerprints; /* whose each row of phrases is */
    Mlp *local_mlps;
    Matrix head;
    Lexicon lexicon;
    Pointer pointer;
    Scratch scratch;
} WordModel;

extern const Architecture word_architecture;

#endif
