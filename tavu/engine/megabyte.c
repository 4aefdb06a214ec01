#include "megabyte.h"

#include <stdlib.h>
#include <string.h>

/* What one level keeps of a text: its units of the current parent, or of all parents where units attend across them; the context that the current
parent gives to each of its units (G, D); and the output of the newest unit (D). */
typedef struct {
    KeyValueCache key_values;
    float *context, *out;
    int32_t num_units;
} LevelCache;

typedef struct {
    int num_levels;
    LevelCache levels[];
} MegabyteCache;

/* A unit that a level reads: its text, where in the ids its parent begins, its index within the parent, the parent's place among those read together,
and the context that the parent gives to it (NULL in the first level). */
typedef struct {
    Row *row;
    int64_t parent_begin;
    int32_t index, parent_slot;
    const float *context;
} Unit;

static void free_cache(void *cache) {
    MegabyteCache *c = cache;
    for (int i = 0; i < c->num_levels; i++) {
        free_key_values(&c->levels[i].key_values);
        free(c->levels[i].context);
    }
    free(c);
}

static void *new_cache(const void *model) {
    const Megabyte *m = model;
    MegabyteCache *c = calloc(1, sizeof *c + (size_t)m->num_levels * sizeof c->levels[0]);
    if (!c) return NULL;
    c->num_levels = m->num_levels;
    for (int i = 0; i < c->num_levels; i++) {
        size_t D = (size_t)m->levels[i].dim, G = i ? (size_t)m->levels[i].units_per_parent : 0;
        c->levels[i].context = calloc((G + 1) * D, sizeof(float));
        if (!c->levels[i].context) {
            free_cache(c);
            return NULL;
        }
        c->levels[i].out = c->levels[i].context + G * D;
    }
    return c;
}

static int copy_cache(const void *model, const void *from, void *to) {
    const Megabyte *m = model;
    for (int i = 0; i < m->num_levels; i++) {
        const LevelCache *a = &((const MegabyteCache *)from)->levels[i];
        LevelCache *b = &((MegabyteCache *)to)->levels[i];
        size_t floats = (size_t)(a->out - a->context) + (size_t)m->levels[i].dim;
        if (!copy_key_values(&m->levels[i].transformer, &a->key_values, &b->key_values, a->num_units)) return 0;
        memcpy(b->context, a->context, floats * sizeof(float));
        b->num_units = a->num_units;
    }
    return 1;
}

static LevelCache *cache_of(const Unit *unit, int level) { return &((MegabyteCache *)unit->row->cache)->levels[level]; }

/* The input (D) of a level's transformer at a unit: the unit before it, and the context from its parent (equations 1 to 4 of the paper). */
static void embed(const Level *level, const Unit *unit, float *x) {
    size_t D = (size_t)level->dim, E = D / (size_t)level->unit_size;
    if (unit->index == 0) {
        memcpy(x, level->pad, D * sizeof *x);
    } else {
        int64_t first = unit->parent_begin + (int64_t)(unit->index - 1) * level->unit_size;
        float scale = sqrtf((float)E);
        memset(x, 0, D * sizeof *x);
        for (int b = 0; b < level->unit_size; b++) {
            float *own = x + (size_t)b * E;
            add_row(&level->byte_embedding, unit->row->ids[first + b], own);
            for (size_t j = 0; j < E; j++) own[j] *= scale;
            if (!unit->context) add_row(&level->positions, first + b - unit->row->context_start, own);
        }
    }
    if (unit->context) add(x, unit->context, D);
}

/* The context (G, D) that each of n parents gives to its units of level i, to contexts[j] from parent j, whose output is in scratch->x. */
static void make_contexts(Megabyte *m, int i, float *const *contexts, int n) {
    const Level *level = &m->levels[i];
    int G = level->units_per_parent;
    size_t D = (size_t)level->dim, slice = (size_t)level->from_parent.cols;
    for (int first = 0; first < n * G; first += MAX_BATCH) { /* slices of all parents, one after another */
        int num = n * G - first < MAX_BATCH ? n * G - first : MAX_BATCH;
        multiply(&level->from_parent, m->scratch.x + (size_t)first * slice, num, m->scratch.wide, &m->scratch.quantized);
        for (int s = 0; s < num; s++)
            memcpy(contexts[(first + s) / G] + (size_t)((first + s) % G) * D, m->scratch.wide + (size_t)s * D, D * sizeof(float));
    }
}

static Position position_of(const Level *level, const Unit *unit, const KeyValueCache *cache) {
    int32_t start = level->cross ? (int32_t)(unit->parent_begin - unit->row->context_start) : unit->parent_slot * level->units_per_parent;
    int32_t first = !level->cross ? start : start > level->cross ? start - level->cross : 0;
    return (Position){cache, start + unit->index, first};
}

/* Run level i over units; those of a text come in order, and its last one is the newest. 0 when memory ran out, here and below. */
static int run_level(Megabyte *m, int i, const Unit *units, int n) {
    const Level *level = &m->levels[i];
    Position positions[MAX_BATCH] = {0};
    size_t D = (size_t)level->dim;
    for (int u = 0; u < n; u++) {
        LevelCache *own = cache_of(&units[u], i);
        embed(level, &units[u], m->scratch.x + (size_t)u * D);
        positions[u] = position_of(level, &units[u], &own->key_values);
        if (!reserve_key_values(&m->levels[i].transformer, &own->key_values, positions[u].position + 1)) return 0;
        own->num_units = positions[u].position + 1;
    }
    normalize(m->scratch.x, n, level->dim, m->scratch.x);
    run_transformer(&m->levels[i].transformer, positions, n, m->scratch.x, &m->scratch);
    normalize(m->scratch.x, n, level->dim, m->scratch.x);
    if (i + 1 == m->num_levels)
        for (int u = 0; u < n; u++) memcpy(cache_of(&units[u], i)->out, m->scratch.x + (size_t)u * D, D * sizeof(float));
    return 1;
}

/* A unit of a text that grows; its cache keeps the context from the newest parents. */
static Unit unit_of_text(const Megabyte *m, int i, Row *row, int64_t start, int32_t index) {
    const LevelCache *own = &((MegabyteCache *)row->cache)->levels[i];
    return (Unit){row, start, index, 0, i ? own->context + (size_t)index * (size_t)m->levels[i].dim : NULL};
}

/* The unit of level i that the next id falls in. */
static Unit newest(const Megabyte *m, int i, Row *row) {
    const Level *level = &m->levels[i];
    int64_t num = row->num_ids - row->context_start, parent_size = (int64_t)level->unit_size * level->units_per_parent;
    int64_t start = num / parent_size * parent_size;
    return unit_of_text(m, i, row, row->context_start + start, (int32_t)((num - start) / level->unit_size));
}

/* How many of the newest ids the last level has to read one by one, where it attends across patches: those of the current patch, and of one more
   patch before it with each layer. */
static int64_t receptive_field(const Level *last, const Row *row) {
    int64_t num = row->num_ids - row->context_start, size = last->units_per_parent, field = num % size + last->transformer.num_layers * size;
    return field < num ? field : num;
}

static int step(void *model, Row **rows, int n) {
    Megabyte *m = model;
    for (int i = 0; i < m->num_levels; i++) {
        const Level *level = &m->levels[i];
        Unit units[MAX_BATCH];
        float *contexts[MAX_BATCH];
        int num = 0;
        for (int r = 0; r < n; r++)
            if ((rows[r]->num_ids - rows[r]->context_start) % level->unit_size == 0) units[num++] = newest(m, i, rows[r]);
        if (!num) continue;
        if (!run_level(m, i, units, num)) return 0;
        if (i + 1 == m->num_levels) break;
        for (int u = 0; u < num; u++) contexts[u] = cache_of(&units[u], i + 1)->context;
        make_contexts(m, i + 1, contexts, num);
    }
    return 1;
}

/* Run each level over the units of its current parent only: all that matters, unless units attend across parents. */
static int prefill_parents(Megabyte *m, Row *row) {
    for (int i = 0; i < m->num_levels; i++) {
        Unit last = newest(m, i, row), units[MAX_BATCH];
        int n = 0;
        for (int32_t index = 0; index <= last.index; index++) {
            units[n++] = unit_of_text(m, i, row, last.parent_begin, index);
            if (n < MAX_BATCH && index < last.index) continue;
            if (!run_level(m, i, units, n)) return 0;
            if (index < last.index) n = 0;
        }
        if (i + 1 < m->num_levels) {
            size_t D = (size_t)m->levels[i].dim;
            float *context = cache_of(&last, i + 1)->context;
            memmove(m->scratch.x, m->scratch.x + (size_t)(n - 1) * D, D * sizeof(float));
            make_contexts(m, i + 1, &context, 1);
        }
    }
    return 1;
}

static int prefill(void *model, Row *row) {
    Megabyte *m = model;
    const Level *last = &m->levels[m->num_levels - 1];
    int64_t num_ids = row->num_ids, by_step = last->cross ? receptive_field(last, row) : 0;
    row->num_ids -= by_step;
    int is_read = prefill_parents(m, row);
    while (row->num_ids < num_ids) {
        row->num_ids++;
        is_read = is_read && step(model, &row, 1);
    }
    return is_read;
}

/* The logits of n units, in scratch->wide, from the last level's output in scratch->x. */
static float *logits_of(Megabyte *m, int n) {
    multiply(&m->levels[m->num_levels - 1].byte_embedding, m->scratch.x, n, m->scratch.wide, &m->scratch.quantized);
    soft_cap(m->scratch.wide, n * NUM_IDS);
    return m->scratch.wide;
}

static float *next_logits(void *model, Row **rows, int n) {
    Megabyte *m = model;
    int last = m->num_levels - 1;
    size_t D = (size_t)m->levels[last].dim;
    for (int r = 0; r < n; r++) memcpy(m->scratch.x + (size_t)r * D, ((const MegabyteCache *)rows[r]->cache)->levels[last].out, D * sizeof(float));
    return logits_of(m, n);
}

/* Run level i over its units of a text from `begin` on, where a parent begins, to before `end`, and the levels below over the same bytes. context is
   given by the parents, for this level and then those below; 0 when memory ran out. */
static int score_level(Megabyte *m, int i, Row *row, int64_t begin, int64_t end, float *context, const Scores *scores) {
    const Level *level = &m->levels[i], *below = i + 1 < m->num_levels ? level + 1 : NULL;
    size_t D = (size_t)level->dim, G = (size_t)level->units_per_parent;
    float *context_below = context + (i ? MAX_BATCH * G * D : 0), *contexts[MAX_BATCH];
    for (int64_t first = begin; first < end;) {
        Unit units[MAX_BATCH];
        int n = 0;
        for (; n < MAX_BATCH && first + n < end; n++) {
            int64_t unit = first + n, parent = unit / (int64_t)G;
            units[n] = (Unit){row, parent * (int64_t)G * level->unit_size, (int32_t)(unit % (int64_t)G),
                              i ? (int32_t)((unit - begin) / (int64_t)G) : 0, i ? context + (size_t)(unit - begin) * D : NULL};
        }
        if (!run_level(m, i, units, n)) return 0;
        if (below) {
            int64_t num = below->units_per_parent, all = (row->num_ids + below->unit_size - 1) / below->unit_size, end_below = (first + n) * num;
            for (int u = 0; u < n; u++) contexts[u] = context_below + (size_t)(u * num) * (size_t)below->dim;
            make_contexts(m, i + 1, contexts, n);
            if (!score_level(m, i + 1, row, first * num, end_below < all ? end_below : all, context_below, scores)) return 0;
        } else {
            const float *logits = logits_of(m, n);
            for (int u = 0; u < n; u++) put_score(scores, first + u, row->ids[first + u], units[u].index, logits + (size_t)u * NUM_IDS);
        }
        first += n;
    }
    return 1;
}

static int score(void *model, Row *row, const Scores *scores) {
    Megabyte *m = model;
    const Level *levels = m->levels;
    uint64_t size = 1;
    float *context = NULL;
    int is_scored = 1;
    for (int i = 1; i < m->num_levels; i++) {
        int64_t num = (row->num_ids + levels[i].unit_size - 1) / levels[i].unit_size;
        int32_t most = levels[i].max_scored_units;
        size += (uint64_t)MAX_BATCH * (uint64_t)levels[i].units_per_parent * (uint64_t)levels[i].dim;
        is_scored = is_scored && reserve_key_values(&m->levels[i].transformer, &((MegabyteCache *)row->cache)->levels[i].key_values,
                                                    num < most ? (int32_t)num : most);
    }
    if (size <= SIZE_MAX / sizeof *context) context = malloc((size_t)size * sizeof *context);
    is_scored = is_scored && context && score_level(m, 0, row, 0, (row->num_ids + levels[0].unit_size - 1) / levels[0].unit_size, context, scores);
    free(context);
    return is_scored;
}

const Architecture megabyte_architecture = {new_cache, free_cache, copy_cache, prefill, step, next_logits, score};
