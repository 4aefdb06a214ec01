#include "megabyte.h"

#include <stdlib.h>
#include <string.h>

#include "reader.h"

typedef struct {
    Megabyte model;
    Transformer *transformers; /* one a level */
    Scratch scratch;
} Prepared;

/* What one level remembers of a text: the units of its current parent, or of all parents where units attend across them, what each unit of the current
parent hears from it (G, D), and what the newest unit gave. */
typedef struct {
    Cache cache;
    float *heard, *out;
    int32_t num_units;
} LevelState;

typedef struct {
    int num_levels;
    LevelState levels[]; /* coarsest first */
} State;

/* A unit that a level reads: of which text, where in its ids the parent begins, which of the parent's units it is, and what that parent says to it
(NULL: the first level has none). Of several parents whose units are read at once, slot says which. */
typedef struct {
    Row *row;
    int64_t start;
    int32_t index, slot;
    const float *heard;
} Unit;

static void free_megabyte(void *model) {
    Prepared *p = model;
    for (int i = 0; p->transformers && i < p->model.num_levels; i++) free_transformer(&p->transformers[i]);
    free(p->transformers);
    free_scratch(&p->scratch);
    free(p);
}

/* The most units that a level's cache holds of a text that grows, and of one that is scored. */
static int most_units(const Megabyte *model, int i) { return model->levels[i].cross ? model->max_seq_len : model->levels[i].units_per_parent; }
static int most_scored(const Megabyte *model, int i) { return model->levels[i].cross || !i ? most_units(model, i) : AT_ONCE * most_units(model, i); }

void *prepare_megabyte(const Megabyte *model) {
    Prepared *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    size_t width = 0, widest = NUM_IDS, units = 0;
    p->model = *model;
    p->transformers = calloc((size_t)model->num_levels, sizeof *p->transformers);
    int is_whole = p->transformers != NULL;
    for (int i = 0; is_whole && i < model->num_levels; i++) {
        const Level *level = &model->levels[i];
        p->transformers[i] = (Transformer){level->dim, level->num_heads, level->num_layers, most_units(model, i), level->blocks, NULL, most_scored(model, i), NULL, NULL};
        is_whole = make_transformer(&p->transformers[i]);
        width = larger(width, (size_t)level->dim);
        widest = larger(widest, larger(3 * (size_t)level->dim, (size_t)level->blocks[0].up.rows));
        units = larger(units, (size_t)most_units(model, i));
    }
    if (is_whole && make_scratch(&p->scratch, width, widest, units)) return p;
    free_megabyte(p);
    return NULL;
}

static void free_state(void *state) {
    State *s = state;
    for (int i = 0; i < s->num_levels; i++) {
        free_cache(&s->levels[i].cache);
        free(s->levels[i].heard);
    }
    free(s);
}

static void *new_state(const void *model) {
    const Prepared *p = model;
    State *s = calloc(1, sizeof *s + (size_t)p->model.num_levels * sizeof s->levels[0]);
    if (!s) return NULL;
    s->num_levels = p->model.num_levels;
    for (int i = 0; i < s->num_levels; i++) {
        size_t D = (size_t)p->model.levels[i].dim, G = i ? (size_t)p->model.levels[i].units_per_parent : 0;
        s->levels[i].heard = calloc((G + 1) * D, sizeof(float));
        if (!s->levels[i].heard) {
            free_state(s);
            return NULL;
        }
        s->levels[i].out = s->levels[i].heard + G * D;
    }
    return s;
}

static int copy_state(const void *model, const void *from, void *to) {
    const Prepared *p = model;
    for (int i = 0; i < p->model.num_levels; i++) {
        const LevelState *a = &((const State *)from)->levels[i];
        LevelState *b = &((State *)to)->levels[i];
        size_t floats = (size_t)(a->out - a->heard) + (size_t)p->model.levels[i].dim;
        if (!copy_cache(&p->transformers[i], &a->cache, &b->cache, a->num_units)) return 0;
        memcpy(b->heard, a->heard, floats * sizeof(float));
        b->num_units = a->num_units;
    }
    return 1;
}

static LevelState *state_of(const Unit *unit, int level) { return &((State *)unit->row->state)->levels[level]; }

/* What a level's transformer reads at a unit: the unit before it, and what it hears from its parent (equations 1 to 4 of the paper). */
static void embed(const Level *level, const Unit *unit, float *x) {
    size_t D = (size_t)level->dim, E = D / (size_t)level->unit_size;
    if (unit->index == 0) {
        memcpy(x, level->pad, D * sizeof *x);
    } else {
        int64_t first = unit->start + (int64_t)(unit->index - 1) * level->unit_size;
        float scale = sqrtf((float)E);
        memset(x, 0, D * sizeof *x);
        for (int b = 0; b < level->unit_size; b++) {
            float *own = x + (size_t)b * E;
            add_row(&level->byte_embedding, unit->row->ids[first + b], own);
            for (size_t j = 0; j < E; j++) own[j] *= scale;
            if (!unit->heard) add_row(&level->positions, first + b - unit->row->context_start, own);
        }
    }
    if (unit->heard) add(x, unit->heard, D);
}

/* What n parents in level i - 1, (n, D of those) in scratch->x, say to their units of level i: (G, D) to heard[j] from parent j. */
static void pass_down(Prepared *p, int i, float *const *heard, int n) {
    const Level *level = &p->model.levels[i];
    int G = level->units_per_parent;
    size_t D = (size_t)level->dim, slice = (size_t)level->from_parent.cols;
    for (int first = 0; first < n * G; first += AT_ONCE) { /* slices of all parents, one after another */
        int num = n * G - first < AT_ONCE ? n * G - first : AT_ONCE;
        multiply(&level->from_parent, p->scratch.x + (size_t)first * slice, num, p->scratch.wide, &p->scratch.rounded);
        for (int s = 0; s < num; s++)
            memcpy(heard[(first + s) / G] + (size_t)((first + s) % G) * D, p->scratch.wide + (size_t)s * D, D * sizeof(float));
    }
}

static Place place_of(const Level *level, const Unit *unit, const Cache *cache) {
    int32_t start = level->cross ? (int32_t)(unit->start - unit->row->context_start) : unit->slot * level->units_per_parent;
    int32_t first = !level->cross ? start : start > level->cross ? start - level->cross : 0;
    return (Place){cache, start + unit->index, first};
}

/* Run level i over units; those of a text come in order, and its last one is the newest. 0 when memory ran out, here and below. */
static int run_level(Prepared *p, int i, const Unit *units, int n) {
    const Level *level = &p->model.levels[i];
    Place places[AT_ONCE];
    size_t D = (size_t)level->dim;
    for (int u = 0; u < n; u++) {
        LevelState *own = state_of(&units[u], i);
        embed(level, &units[u], p->scratch.x + (size_t)u * D);
        places[u] = place_of(level, &units[u], &own->cache);
        if (!make_room(&p->transformers[i], &own->cache, places[u].position + 1)) return 0;
        own->num_units = places[u].position + 1;
    }
    normalize(p->scratch.x, n, level->dim, p->scratch.x);
    run_transformer(&p->transformers[i], places, n, p->scratch.x, &p->scratch);
    normalize(p->scratch.x, n, level->dim, p->scratch.x);
    if (i + 1 == p->model.num_levels)
        for (int u = 0; u < n; u++) memcpy(state_of(&units[u], i)->out, p->scratch.x + (size_t)u * D, D * sizeof(float));
    return 1;
}

/* A unit of a text that grows, which keeps what the newest parents say. */
static Unit unit_of_text(const Prepared *p, int i, Row *row, int64_t start, int32_t index) {
    const LevelState *own = &((State *)row->state)->levels[i];
    return (Unit){row, start, index, 0, i ? own->heard + (size_t)index * (size_t)p->model.levels[i].dim : NULL};
}

/* The unit of level i that the next id falls in. */
static Unit newest(const Prepared *p, int i, Row *row) {
    const Level *level = &p->model.levels[i];
    int64_t num = row->num_ids - row->context_start, parent_size = (int64_t)level->unit_size * level->units_per_parent;
    int64_t start = num / parent_size * parent_size;
    return unit_of_text(p, i, row, row->context_start + start, (int32_t)((num - start) / level->unit_size));
}

/* How many of the newest ids the last level has to read one by one: those of the current patch, and of as many before it as there are layers, since
each layer brings in what the patch before has heard of. */
static int64_t reach(const Level *last, const Row *row) {
    int64_t num = row->num_ids - row->context_start, size = last->units_per_parent, reach = num % size + last->num_layers * size;
    return reach < num ? reach : num;
}

static int go_on(void *model, Row **rows, int n) {
    Prepared *p = model;
    for (int i = 0; i < p->model.num_levels; i++) {
        const Level *level = &p->model.levels[i];
        Unit units[AT_ONCE];
        float *heard[AT_ONCE];
        int num = 0;
        for (int r = 0; r < n; r++)
            if ((rows[r]->num_ids - rows[r]->context_start) % level->unit_size == 0) units[num++] = newest(p, i, rows[r]);
        if (!num) continue;
        if (!run_level(p, i, units, num)) return 0;
        if (i + 1 == p->model.num_levels) break;
        for (int u = 0; u < num; u++) heard[u] = state_of(&units[u], i + 1)->heard;
        pass_down(p, i + 1, heard, num);
    }
    return 1;
}

/* Run each level over the units of its current parent only, which is all there is to know unless units attend across the borders of their parents. */
static int read_parents(Prepared *p, Row *row) {
    for (int i = 0; i < p->model.num_levels; i++) {
        Unit last = newest(p, i, row), units[AT_ONCE];
        int n = 0;
        for (int32_t index = 0; index <= last.index; index++) {
            units[n++] = unit_of_text(p, i, row, last.start, index);
            if (n < AT_ONCE && index < last.index) continue;
            if (!run_level(p, i, units, n)) return 0;
            if (index < last.index) n = 0;
        }
        if (i + 1 < p->model.num_levels) {
            size_t D = (size_t)p->model.levels[i].dim;
            float *heard = state_of(&last, i + 1)->heard;
            memmove(p->scratch.x, p->scratch.x + (size_t)(n - 1) * D, D * sizeof(float));
            pass_down(p, i + 1, &heard, 1);
        }
    }
    return 1;
}

static int read_context(void *model, Row *row) {
    Prepared *p = model;
    const Level *last = &p->model.levels[p->model.num_levels - 1];
    int64_t num_ids = row->num_ids, by_step = last->cross ? reach(last, row) : 0;
    row->num_ids -= by_step;
    int is_read = read_parents(p, row);
    while (row->num_ids < num_ids) {
        row->num_ids++;
        is_read = is_read && go_on(model, &row, 1);
    }
    return is_read;
}

/* The logits that n units of the last level, which are in scratch->x, give, in scratch->wide. */
static float *logits_of(Prepared *p, int n) {
    multiply(&p->model.levels[p->model.num_levels - 1].byte_embedding, p->scratch.x, n, p->scratch.wide, &p->scratch.rounded);
    soft_cap(p->scratch.wide, n * NUM_IDS);
    return p->scratch.wide;
}

static float *next_logits(void *model, Row **rows, int n) {
    Prepared *p = model;
    int last = p->model.num_levels - 1;
    size_t D = (size_t)p->model.levels[last].dim;
    for (int r = 0; r < n; r++) memcpy(p->scratch.x + (size_t)r * D, ((const State *)rows[r]->state)->levels[last].out, D * sizeof(float));
    return logits_of(p, n);
}

/* Run level i over its units of a text from `begin` on, where a parent begins, to before `past`, and the levels below over all that these hold. heard is what
the parents say to them, of this level and then of those below; 0 when memory ran out. */
static int score_level(Prepared *p, int i, Row *row, int64_t begin, int64_t past, float *heard, const Scores *scores) {
    const Level *level = &p->model.levels[i], *below = i + 1 < p->model.num_levels ? level + 1 : NULL;
    size_t D = (size_t)level->dim, G = (size_t)level->units_per_parent;
    float *heard_below = heard + (i ? AT_ONCE * G * D : 0), *parts[AT_ONCE];
    for (int64_t first = begin; first < past;) {
        Unit units[AT_ONCE];
        int n = 0;
        for (; n < AT_ONCE && first + n < past; n++) {
            int64_t unit = first + n, parent = unit / (int64_t)G;
            units[n] = (Unit){row, parent * (int64_t)G * level->unit_size, (int32_t)(unit % (int64_t)G), i ? (int32_t)((unit - begin) / (int64_t)G) : 0,
                              i ? heard + (size_t)(unit - begin) * D : NULL};
        }
        if (!run_level(p, i, units, n)) return 0;
        if (below) {
            int64_t num = below->units_per_parent, all = (row->num_ids + below->unit_size - 1) / below->unit_size, end = (first + n) * num;
            for (int u = 0; u < n; u++) parts[u] = heard_below + (size_t)(u * num) * (size_t)below->dim;
            pass_down(p, i + 1, parts, n);
            if (!score_level(p, i + 1, row, first * num, end < all ? end : all, heard_below, scores)) return 0;
        } else {
            const float *logits = logits_of(p, n);
            for (int u = 0; u < n; u++) put_score(scores, first + u, row->ids[first + u], units[u].index, logits + (size_t)u * NUM_IDS);
        }
        first += n;
    }
    return 1;
}

static int score(void *model, Row *row, const Scores *scores) {
    Prepared *p = model;
    const Level *levels = p->model.levels;
    size_t size = 1;
    float *heard;
    int is_scored = 1;
    for (int i = 1; i < p->model.num_levels; i++) {
        int64_t num = (row->num_ids + levels[i].unit_size - 1) / levels[i].unit_size;
        int32_t most = most_scored(&p->model, i);
        size += AT_ONCE * (size_t)levels[i].units_per_parent * (size_t)levels[i].dim;
        is_scored = is_scored && make_room(&p->transformers[i], &((State *)row->state)->levels[i].cache, num < most ? (int32_t)num : most);
    }
    heard = malloc(size * sizeof *heard);
    is_scored = is_scored && heard && score_level(p, 0, row, 0, (row->num_ids + levels[0].unit_size - 1) / levels[0].unit_size, heard, scores);
    free(heard);
    return is_scored;
}

const Kind megabyte_kind = {free_megabyte, new_state, free_state, copy_state, read_context, go_on, next_logits, score};
