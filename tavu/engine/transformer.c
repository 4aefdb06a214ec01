#include "transformer.h"

#include <stdlib.h>
#include <string.h>

#include "constants.h"

enum { MAX_ROTATIONS = 1 << 14, MIN_CAPACITY = 64 };

static size_t in_lanes(size_t num) { return (num + LANES - 1) / LANES * LANES; }

int make_scratch(Scratch *scratch, size_t width, size_t widest, size_t max_units, Arena *arena) {
    Quantized *quantized = &scratch->quantized;
    scratch->x = allocate(arena, MAX_BATCH * width, sizeof(float));
    scratch->normed = allocate(arena, MAX_BATCH * width, sizeof(float));
    scratch->attended = allocate(arena, MAX_BATCH * width, sizeof(float));
    scratch->wide = allocate(arena, MAX_BATCH * widest, sizeof(float));
    scratch->attention_scores = allocate(arena, in_lanes(max_units) + LANES, sizeof(float));
    quantized->numbers = allocate(arena, MAX_BATCH * widest, sizeof(int16_t));
    quantized->scales = allocate(arena, MAX_BATCH, sizeof(float));
    quantized->sums = allocate(arena, MAX_BATCH * (widest / GROUP + 1), sizeof(float));
    quantized->nonzero = allocate(arena, widest + 1, sizeof(int32_t));
    quantized->parts = allocate(arena, MAX_BATCH * widest, 4);
    return scratch->x && scratch->normed && scratch->attended && scratch->wide && scratch->attention_scores && quantized->numbers &&
           quantized->scales && quantized->sums && quantized->nonzero && quantized->parts;
}

/* The angles of a position, kept in a row of their table. */
static void keep_angles(const Transformer *t, size_t position, size_t row) {
    size_t half = (size_t)(t->dim / t->num_heads / 2);
    for (size_t i = 0; i < half; i++) {
        float angle = (float)position * t->frequencies[i];
        t->cosines[row * half + i] = cosf(angle), t->sines[row * half + i] = sinf(angle);
    }
}

int make_rotations(Transformer *t, int32_t num_positions, Arena *arena) {
    size_t half = (size_t)(t->dim / t->num_heads / 2);
    t->num_rotations = num_positions < MAX_ROTATIONS ? num_positions : MAX_ROTATIONS;
    size_t rows = (size_t)t->num_rotations + 1;
    t->frequencies = allocate(arena, half, sizeof *t->frequencies);
    t->cosines = allocate(arena, rows * half, sizeof *t->cosines);
    t->sines = allocate(arena, rows * half, sizeof *t->sines);
    if (!t->frequencies || !t->cosines || !t->sines) return 0;
    for (size_t i = 0; i < half; i++) t->frequencies[i] = powf((float)ROTARY_BASE, -(float)(2 * i) / (float)(2 * half));
    for (size_t p = 0; p + 1 < rows; p++) keep_angles(t, p, p);
    return 1;
}

size_t grown_capacity(size_t capacity, size_t needed, size_t most) {
    capacity = larger(2 * capacity, MIN_CAPACITY);
    return larger(needed, capacity < most ? capacity : most);
}

static int allocate_cache(const Transformer *t, KeyValueCache *cache, size_t capacity) {
    size_t num_heads = (size_t)t->num_layers * (size_t)t->num_heads, F = (size_t)(t->dim / t->num_heads);
    *cache = (KeyValueCache){.key_scales = calloc(capacity, 2 * num_heads * (sizeof(float) + F * sizeof(int16_t))), .capacity = capacity};
    if (!cache->key_scales) return 0;
    cache->value_scales = cache->key_scales + num_heads * capacity;
    cache->keys = (int16_t *)(cache->value_scales + num_heads * capacity);
    cache->values = cache->keys + num_heads * capacity * F;
    return 1;
}

static void copy_units(const Transformer *t, const KeyValueCache *from, KeyValueCache *to, size_t num_units) {
    size_t F = (size_t)(t->dim / t->num_heads), num = 2 * (size_t)t->num_layers * (size_t)t->num_heads; /* values follow keys */
    for (size_t i = 0; num_units && i < num; i++) {
        memcpy(to->key_scales + i * to->capacity, from->key_scales + i * from->capacity, num_units * sizeof(float));
        memcpy(to->keys + i * to->capacity * F, from->keys + i * from->capacity * F, num_units * F * sizeof(int16_t));
    }
}

int reserve_key_values(const Transformer *t, KeyValueCache *cache, int32_t num_units) {
    KeyValueCache small = *cache, large;
    if ((size_t)num_units <= small.capacity) return 1;
    if (!allocate_cache(t, &large, in_lanes(grown_capacity(small.capacity, (size_t)num_units, (size_t)t->max_units)))) return 0;
    copy_units(t, &small, &large, small.capacity);
    free_key_values(&small);
    *cache = large;
    return 1;
}

int copy_key_values(const Transformer *t, const KeyValueCache *from, KeyValueCache *to, int32_t num_units) {
    size_t used = in_lanes((size_t)num_units);
    if (!used) return 1;
    if (!allocate_cache(t, to, used)) return 0;
    copy_units(t, from, to, used);
    return 1;
}

void free_key_values(KeyValueCache *cache) { free(cache->key_scales); }

/* A head's query or key (F), normalized and rotated by the angles of its position. */
static void normalize_and_rotate(float *head, int F, const float *cosines, const float *sines) {
    normalize(head, 1, F, head);
    for (int i = 0, half = F / 2; i < half; i++) {
        float a = head[i], b = head[half + i];
        head[i] = a * cosines[i] - b * sines[i];
        head[half + i] = b * cosines[i] + a * sines[i];
    }
}

/* Attention of one unit: queries, keys and values (3, H, F) -> out (H, F). Its key and value go to the cache. */
static void attend(const Transformer *t, const Position *unit, int layer, float *query_key_value, float *out, Scratch *scratch) {
    int H = t->num_heads, F = t->dim / H, num = unit->position + 1 - unit->first;
    int aligned = unit->first / LANES * LANES; /* scores begin at whole lanes */
    size_t position = (size_t)unit->position, M = unit->cache->capacity, num_rotations = (size_t)t->num_rotations;
    size_t angle = (position < num_rotations ? position : num_rotations) * (size_t)(F / 2);
    const KeyValueCache *cache = unit->cache;
    if (position >= num_rotations) keep_angles(t, position, num_rotations);
    for (int h = 0; h < 2 * H; h++) normalize_and_rotate(query_key_value + h * F, F, t->cosines + angle, t->sines + angle);
    for (int f = 0; f < t->dim; f++) query_key_value[f] /= sqrtf((float)F);
    for (int h = 0; h < H; h++) {
        size_t first = ((size_t)layer * (size_t)H + (size_t)h) * M;
        const float *query = query_key_value + h * F, *key = query + t->dim, *value = key + t->dim;
        int16_t *keys = cache->keys + first * (size_t)F, *values = cache->values + first * (size_t)F, *own = scratch->quantized.numbers;
        float *key_scales = cache->key_scales + first, *value_scales = cache->value_scales + first;
        key_scales[position] = quantize_vector(key, F, INT16_MAX, own);
        for (int f = 0; f < F; f++) keys[position / LANES * LANES * (size_t)F + (size_t)f * LANES + position % LANES] = own[f];
        value_scales[position] = quantize_vector(value, F, INT16_MAX, values + position * (size_t)F);
        attention_scores(query, keys + (size_t)aligned * (size_t)F, key_scales + aligned, unit->position + 1 - aligned, F, scratch->attention_scores);
        float *weights = scratch->attention_scores + unit->first - aligned;
        softmax(weights, num);
        weighted_sum(weights, values + (size_t)unit->first * (size_t)F, value_scales + unit->first, num, F, out + h * F);
    }
}

void add_mlp(const Mlp *mlp, int n, float *x, Scratch *scratch) {
    int D = mlp->up.cols;
    normalize(x, n, D, scratch->normed);
    multiply(&mlp->up, scratch->normed, n, scratch->wide, &scratch->quantized);
    square_relu(scratch->wide, (size_t)n * (size_t)mlp->up.rows);
    multiply_sparse(&mlp->down, &mlp->down_transposed, scratch->wide, n, scratch->normed, &scratch->quantized);
    add(x, scratch->normed, (size_t)n * (size_t)D);
}

void run_transformer(const Transformer *t, const Position *positions, int n, float *x, Scratch *scratch) {
    size_t D = (size_t)t->dim;
    for (int layer = 0; layer < t->num_layers; layer++) {
        const Block *block = &t->blocks[layer];
        normalize(x, n, t->dim, scratch->normed);
        multiply(&block->query_key_value, scratch->normed, n, scratch->wide, &scratch->quantized);
        for (int u = 0; u < n; u++) attend(t, &positions[u], layer, scratch->wide + (size_t)u * 3 * D, scratch->attended + (size_t)u * D, scratch);
        multiply(&block->attention_out, scratch->attended, n, scratch->normed, &scratch->quantized);
        add(x, scratch->normed, (size_t)n * D);
        add_mlp(&block->mlp, n, x, scratch);
    }
}
