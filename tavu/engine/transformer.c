#include "transformer.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TURNS = 1 << 14, FEWEST_UNITS = 64 };

static size_t in_lanes(size_t num) { return (num + LANES - 1) / LANES * LANES; }

int make_scratch(Scratch *scratch, size_t width, size_t widest, size_t max_units) {
    size_t each = 3 * width + widest + widest / GROUP + 2;
    *scratch = (Scratch){0};
    float *free_memory = scratch->memory = calloc(AT_ONCE * each + in_lanes(max_units) + LANES, sizeof(float));
    scratch->rounded.numbers = calloc(AT_ONCE * widest, sizeof(int16_t));
    scratch->rounded.used = calloc(widest + 1, sizeof(int32_t));
    scratch->rounded.parts = calloc(AT_ONCE * widest, 4);
    if (!free_memory || !scratch->rounded.numbers || !scratch->rounded.used || !scratch->rounded.parts) return 0;
    scratch->x = free_memory, free_memory += AT_ONCE * width;
    scratch->normed = free_memory, free_memory += AT_ONCE * width;
    scratch->attended = free_memory, free_memory += AT_ONCE * width;
    scratch->wide = free_memory, free_memory += AT_ONCE * widest;
    scratch->rounded.sums = free_memory, free_memory += AT_ONCE * (widest / GROUP + 1);
    scratch->rounded.scales = free_memory, free_memory += AT_ONCE;
    scratch->scores = free_memory;
    return 1;
}

void free_scratch(Scratch *scratch) {
    free(scratch->rounded.numbers);
    free(scratch->rounded.used);
    free(scratch->rounded.parts);
    free(scratch->memory);
}

/* The angles of a position, kept in a row of their table. */
static void keep_angles(const Transformer *t, size_t position, size_t row) {
    size_t half = (size_t)(t->dim / t->num_heads / 2);
    for (size_t i = 0; i < half; i++) {
        float angle = (float)position * powf(10000.0f, -(float)(2 * i) / (float)(2 * half));
        t->cosines[row * half + i] = cosf(angle), t->sines[row * half + i] = sinf(angle);
    }
}

int make_transformer(Transformer *t) {
    size_t half = (size_t)(t->dim / t->num_heads / 2), positions;
    if (t->num_turns > MOST_TURNS) t->num_turns = MOST_TURNS;
    positions = (size_t)t->num_turns;
    t->turned = calloc((size_t)t->num_layers, sizeof *t->turned);
    t->cosines = calloc(2 * (positions + 1) * half, sizeof *t->cosines);
    if (!t->turned || !t->cosines) return 0;
    t->sines = t->cosines + (positions + 1) * half;
    for (int i = 0; i < t->num_layers; i++)
        if (!turn(&t->blocks[i].down, &t->turned[i])) return 0;
    for (size_t p = 0; p < positions; p++) keep_angles(t, p, p);
    return 1;
}

void free_transformer(Transformer *t) {
    for (int i = 0; t->turned && i < t->num_layers; i++) free((void *)t->turned[i].numbers);
    free(t->turned);
    free(t->cosines);
}

size_t larger_room(size_t room, size_t needed, size_t most) {
    room = larger(2 * room, FEWEST_UNITS);
    return larger(needed, room < most ? room : most);
}

static int set_room(const Transformer *t, Cache *cache, size_t room) {
    size_t each = (size_t)t->num_layers * (size_t)t->num_heads * room, numbers = each * (size_t)(t->dim / t->num_heads);
    *cache = (Cache){.key_scales = calloc(1, 2 * each * sizeof(float) + 2 * numbers * sizeof(int16_t)), .room = room};
    if (!cache->key_scales) return 0;
    cache->value_scales = cache->key_scales + each;
    cache->keys = (int16_t *)(cache->value_scales + each);
    cache->values = cache->keys + numbers;
    return 1;
}

static void move_cache(const Transformer *t, const Cache *from, Cache *to, size_t num_units) {
    size_t F = (size_t)(t->dim / t->num_heads), num = 2 * (size_t)t->num_layers * (size_t)t->num_heads; /* values follow keys */
    for (size_t i = 0; num_units && i < num; i++) {
        memcpy(to->key_scales + i * to->room, from->key_scales + i * from->room, num_units * sizeof(float));
        memcpy(to->keys + i * to->room * F, from->keys + i * from->room * F, num_units * F * sizeof(int16_t));
    }
}

int make_room(const Transformer *t, Cache *cache, int32_t num_units) {
    Cache small = *cache, large;
    if ((size_t)num_units <= small.room) return 1;
    if (!set_room(t, &large, in_lanes(larger_room(small.room, (size_t)num_units, (size_t)t->max_units)))) return 0;
    move_cache(t, &small, &large, small.room);
    free_cache(&small);
    *cache = large;
    return 1;
}

int copy_cache(const Transformer *t, const Cache *from, Cache *to, int32_t num_units) {
    size_t used = in_lanes((size_t)num_units);
    if (!used) return 1;
    if (!set_room(t, to, used)) return 0;
    move_cache(t, from, to, used);
    return 1;
}

void free_cache(Cache *cache) { free(cache->key_scales); }

/* A head's query or key normalized and turned by the angles of its position. */
static void place_head(float *head, int width, const float *cosines, const float *sines) {
    normalize(head, 1, width, head);
    for (int i = 0, half = width / 2; i < half; i++) {
        float a = head[i], b = head[half + i];
        head[i] = a * cosines[i] - b * sines[i];
        head[half + i] = b * cosines[i] + a * sines[i];
    }
}

/* Queries, keys and values of one unit in, what its heads read out. */
static void attend(const Transformer *t, const Place *place, int layer, float *heads, float *out, Scratch *scratch) {
    int H = t->num_heads, F = t->dim / H, met = place->first / LANES * LANES, num = place->position + 1 - place->first;
    size_t position = (size_t)place->position, M = place->cache->room, turns = (size_t)t->num_turns;
    size_t angle = (position < turns ? position : turns) * (size_t)(F / 2);
    const Cache *cache = place->cache;
    if (position >= turns) keep_angles(t, position, turns);
    for (int h = 0; h < 2 * H; h++) place_head(heads + h * F, F, t->cosines + angle, t->sines + angle);
    for (int f = 0; f < t->dim; f++) heads[f] /= sqrtf((float)F);
    for (int h = 0; h < H; h++) {
        size_t first = ((size_t)layer * (size_t)H + (size_t)h) * M;
        const float *query = heads + h * F, *key = query + t->dim, *value = key + t->dim;
        int16_t *keys = cache->keys + first * (size_t)F, *values = cache->values + first * (size_t)F, *own = scratch->rounded.numbers;
        float *key_scales = cache->key_scales + first, *value_scales = cache->value_scales + first;
        key_scales[position] = round_vector(key, F, INT16_MAX, own);
        for (int f = 0; f < F; f++) keys[position / LANES * LANES * (size_t)F + (size_t)f * LANES + position % LANES] = own[f];
        value_scales[position] = round_vector(value, F, INT16_MAX, values + position * (size_t)F);
        meet(query, keys + (size_t)met * (size_t)F, key_scales + met, place->position + 1 - met, F, scratch->scores);
        float *scores = scratch->scores + place->first - met;
        softmax(scores, num);
        weigh(scores, values + (size_t)place->first * (size_t)F, value_scales + place->first, num, F, out + h * F);
    }
}

void run_transformer(const Transformer *t, const Place *places, int n, float *x, Scratch *scratch) {
    size_t D = (size_t)t->dim;
    for (int layer = 0; layer < t->num_layers; layer++) {
        const Block *block = &t->blocks[layer];
        normalize(x, n, t->dim, scratch->normed);
        multiply(&block->query_key_value, scratch->normed, n, scratch->wide, &scratch->rounded);
        for (int u = 0; u < n; u++) attend(t, &places[u], layer, scratch->wide + (size_t)u * 3 * D, scratch->attended + (size_t)u * D, scratch);
        multiply(&block->attention_out, scratch->attended, n, scratch->normed, &scratch->rounded);
        add(x, scratch->normed, (size_t)n * D);
        normalize(x, n, t->dim, scratch->normed);
        multiply(&block->up, scratch->normed, n, scratch->wide, &scratch->rounded);
        square_relu(scratch->wide, (size_t)n * (size_t)block->up.rows);
        multiply_sparse(&block->down, &t->turned[layer], scratch->wide, n, scratch->normed, &scratch->rounded);
        add(x, scratch->normed, (size_t)n * D);
    }
}
