/* The word model (tavu/model/words.py) as one loop that writes: what tavu/engine/native.py calls.

Shapes: D global width, L local width, E pointer width, H heads, F = D / H, W words of the lexicon, K patches.
Every pointer of a Model is checked by its caller: sizes fit, and what indexes is in range (tavu/engine/weights.py). */
#ifndef TAVU_ENGINE_H
#define TAVU_ENGINE_H

#include "lexicon.h"
#include "pointer.h"
#include "sampling.h"

typedef struct {
    Matrix query_key_value, attention_out, up, down;
} Block;

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
} Model;

typedef struct Engine Engine;
typedef struct Row Row;

enum { OUT_OF_MEMORY = -2 };

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

PUBLIC Engine *tavu_engine(const Model *model); /* what model points to must outlive it; NULL when memory ran out */
PUBLIC void tavu_free_engine(Engine *engine);
PUBLIC Row *tavu_row(const Engine *engine);
PUBLIC Row *tavu_copy_row(const Engine *engine, const Row *row);
PUBLIC void tavu_free_row(Row *row);
/* Read ids, each in 0..256, into a fresh row; then utf8_state is the state of Sampling's automaton. What the text was asked for counts insist times
   as much as was learned. 0, or OUT_OF_MEMORY. */
PUBLIC int32_t tavu_read(Engine *engine, Row *row, const int32_t *ids, int64_t num_ids, int32_t utf8_state, float insist);
/* Write num_steps ids in each of num_rows rows, each sampled its own way: uniforms, out (num_rows, num_steps). A row that has ended gets END until
   the last step. Where asked for (not NULL), logits (num_rows, num_steps, NUM_IDS) before any penalty or temperature. 0, NOT_A_NUMBER, or
   OUT_OF_MEMORY. */
PUBLIC int32_t tavu_write(Engine *engine, Row **rows, int32_t num_rows, int32_t num_steps, const Sampling **samplings, const double *uniforms,
                          int32_t *out, float *logits);
PUBLIC int32_t tavu_sizes(int32_t which); /* of Model, Sampling, Block, Mlp, Pointer in bytes: what a caller of another layout notices */
PUBLIC int32_t tavu_use_kernels(int32_t which); /* for tests: ANY_CPU, WITH_AVX2 or WITH_AVX512 from now on; 0 where this processor lacks them */

#endif
