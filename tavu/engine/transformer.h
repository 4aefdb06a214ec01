/* The transformer of tavu/model/transformer.py, one unit of each of some texts at a time, and the room that this needs.

Shapes: D width, H heads, F = D / H, M units of a cache, n <= AT_ONCE vectors. */
#ifndef TAVU_TRANSFORMER_H
#define TAVU_TRANSFORMER_H

#include "matrix.h"

enum { AT_ONCE = 64 }; /* vectors that share each pass over the weights */

typedef struct {
    Matrix query_key_value, attention_out, up, down;
} Block;

/* Room for AT_ONCE vectors on their way through a model: x, normed and attended of its largest width, wide of what its widest matrix gives. */
typedef struct {
    Rounded rounded;
    float *x, *normed, *attended, *wide, *scores;
    void *memory;
} Scratch;

typedef struct {
    int32_t dim, num_heads, num_layers, max_units; /* max_units of one text that grows */
    const Block *blocks;
    Matrix *turned;         /* the second matrices of the MLPs */
    int32_t num_turns;      /* positions whose angles are kept; those of later ones are computed as they come */
    float *cosines, *sines; /* (num_turns + 1, F / 2), the last row for a later one */
} Transformer;

/* Keys and values of one text in whole numbers, (layers, H, M, F) each, LANES keys side by side as meet takes them, and their scales, (layers, H, M). M, a
multiple of LANES, grows with the text. Of 16 bits, since with many texts most of the time of attention goes into fetching them. */
typedef struct {
    int16_t *keys, *values;
    float *key_scales, *value_scales;
    size_t room; /* M */
} Cache;

/* Where a unit stands in its text. It attends to itself and those before it, from `first` on. */
typedef struct {
    const Cache *cache;
    int32_t position, first;
} Place;

int make_scratch(Scratch *scratch, size_t width, size_t widest, size_t max_units); /* 0 when memory ran out, here and below */
void free_scratch(Scratch *scratch);
int make_transformer(Transformer *t); /* from its sizes, num_turns (at most) and blocks; it may be freed even when it was not made whole */
void free_transformer(Transformer *t);
/* Caches begin as zeros, without room. */
int make_room(const Transformer *t, Cache *cache, int32_t num_units); /* for so many units in all, of which there are as many as it had room for */
int copy_cache(const Transformer *t, const Cache *from, Cache *to, int32_t num_units); /* into one without room */
void free_cache(Cache *cache);
size_t larger_room(size_t room, size_t needed, size_t most); /* twice the room, or more where that is needed */
/* What the blocks make of x (n, D), in its place. Units of the same text come in order. */
void run_transformer(const Transformer *t, const Place *places, int n, float *x, Scratch *scratch);

static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }

#endif
