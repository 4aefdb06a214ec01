/* The transformer of tavu/model/transformer.py over the newest units (bytes or patches) of several texts at a time.

Shapes: D width, H heads, F = D / H, M units of a cache, n <= MAX_BATCH vectors. */
#ifndef TAVU_TRANSFORMER_H
#define TAVU_TRANSFORMER_H

#include "arena.h"
#include "matrix.h"

#ifndef MAX_BATCH
#define MAX_BATCH 64 /* vectors that share each pass over the weights */
#endif

typedef struct {
    Matrix up, down, down_transposed;
} Mlp;

typedef struct {
    Matrix query_key_value, attention_out;
    Mlp mlp;
} Block;

/* Activations of MAX_BATCH vectors: x, normed and attended have the model's largest width, wide has the rows of its widest matrix. */
typedef struct {
    Quantized quantized;
    float *x, *normed, *attended, *wide, *attention_scores;
} Scratch;

typedef struct {
    int32_t dim, num_heads, num_layers, max_units; /* max_units of one text that grows */
    Block *blocks;
    int32_t num_rotations;  /* positions in the table; angles of later ones are computed when they are needed */
    float *frequencies;     /* (F / 2): angles of position 1 */
    float *cosines, *sines; /* (num_rotations + 1, F / 2), the last row for a later position */
} Transformer;

/* Keys and values of one text as integers, (layers, H, M, F) each, LANES keys interleaved as attention_scores takes them, and their scales,
   (layers, H, M). M, a multiple of LANES, grows with the text. Of 16 bits, since with many texts attention mostly waits for memory. */
typedef struct {
    int16_t *keys, *values;
    float *key_scales, *value_scales;
    size_t capacity; /* M */
} KeyValueCache;

/* A unit's position in its text. It attends to itself and those before it, from `first` on. */
typedef struct {
    const KeyValueCache *cache;
    int32_t position, first;
} Position;

int make_scratch(Scratch *scratch, size_t width, size_t widest, size_t max_units, Arena *arena); /* 0 when memory ran out, here and below */
int make_rotations(Transformer *t, int32_t num_positions, Arena *arena);
/* Caches begin as zeros, without capacity. */
int reserve_key_values(const Transformer *t, KeyValueCache *cache, int32_t num_units); /* in all; the cache is full, or has enough */
int copy_key_values(const Transformer *t, const KeyValueCache *from, KeyValueCache *to, int32_t num_units); /* into one without capacity */
void free_key_values(KeyValueCache *cache);
size_t grown_capacity(size_t capacity, size_t needed, size_t most); /* twice the capacity, or more where that is needed */
/* x (n, D) -> x through all blocks. Units of the same text come in order. */
void run_transformer(const Transformer *t, const Position *positions, int n, float *x, Scratch *scratch);
/* x (n, D) += mlp(norm(x)) */
void add_mlp(const Mlp *mlp, int n, float *x, Scratch *scratch);

static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }

#endif
