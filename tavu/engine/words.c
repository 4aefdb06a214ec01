#include "words.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    Words model;
    Lexicon lexicon;
    Transformer transformer;
    Matrix *turned; /* the second matrices of the local MLPs */
    Scratch scratch;
} Prepared;

/* What the global model predicts of one patch. */
typedef struct {
    float *context, *context_normed; /* (L): for its bytes */
    float *expected;                 /* (W): the probability of each word of the lexicon */
    float *query, *urges;            /* (E), (NUM_HINTS, E): of the pointer */
} Predicted;

/* What the model remembers of a text. A patch is a unit of the global model; num_patches counts the one not finished too. */
typedef struct {
    Reader reader;
    int32_t num_patches, room; /* patches that spelled has room for */
    Cache cache;
    float *memory;
    Predicted predicted; /* of the patch that is open, in memory */
    Spelled spelled;
} State;

/* A patch that the global model reads. */
typedef struct {
    State *state;
    int32_t position;
} Unit;

static size_t predicted_size(const Words *m) {
    return 2 * (size_t)m->hashed.cols + (size_t)m->lexicon_words + (1 + NUM_HINTS) * (size_t)m->pointer.dim;
}

static Predicted predicted_in(const Words *m, float *memory) {
    size_t L = (size_t)m->hashed.cols, W = (size_t)m->lexicon_words, E = (size_t)m->pointer.dim;
    return (Predicted){memory, memory + L, memory + 2 * L, memory + 2 * L + W, memory + 2 * L + W + E};
}

static int max_patches(const Words *m) { return m->max_seq_len + 1; }

static void free_words(void *model) {
    Prepared *p = model;
    free_lexicon(&p->lexicon);
    free_transformer(&p->transformer);
    for (int i = 0; p->turned && i < p->model.num_local_layers; i++) free((void *)p->turned[i].numbers);
    free(p->turned);
    free_scratch(&p->scratch);
    free(p);
}

void *prepare_words(const Words *model) {
    Prepared *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    size_t D = (size_t)model->words.cols, width = larger(larger(D, (size_t)model->hashed.cols), NUM_IDS);
    size_t widest = larger(larger(width, 3 * D), larger((size_t)model->lexicon_words, (size_t)model->pointer.dim * (1 + NUM_HINTS)));
    widest = larger(widest, larger((size_t)model->blocks[0].up.rows, (size_t)model->mlps[0].up.rows));
    p->model = *model;
    prepare_reading(&p->model.reading);
    model = &p->model;
    p->transformer = (Transformer){model->words.cols, model->num_heads, model->num_layers, max_patches(model), model->blocks, NULL, max_patches(model), NULL, NULL};
    p->turned = calloc((size_t)model->num_local_layers, sizeof *p->turned);
    int is_whole = p->turned && make_transformer(&p->transformer) && make_scratch(&p->scratch, width, widest, (size_t)max_patches(model)) &&
                   build_lexicon(&p->lexicon, &model->reading, model->spellings, model->spelling_lengths, model->lexicon_words, model->spelling_width);
    for (int i = 0; is_whole && i < model->num_local_layers; i++) is_whole = turn(&model->mlps[i].down, &p->turned[i]);
    if (is_whole) return p;
    free_words(p);
    return NULL;
}

static void free_state(void *state) {
    State *s = state;
    free_cache(&s->cache);
    free(s->memory);
    free_spelled(&s->spelled);
    free(s);
}

static void *new_state(const void *model) {
    const Prepared *p = model;
    const Words *m = &p->model;
    State *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->memory = calloc(predicted_size(m), sizeof(float));
    if (!s->memory) {
        free_state(s);
        return NULL;
    }
    s->predicted = predicted_in(m, s->memory);
    return s;
}

static int copy_state(const void *model, const void *from, void *to) {
    const Prepared *p = model;
    const Words *m = &p->model;
    const State *a = from;
    State *b = to, own = *b;
    *b = *a;
    b->cache = own.cache, b->memory = own.memory, b->predicted = own.predicted;
    memcpy(b->memory, a->memory, predicted_size(m) * sizeof(float));
    b->room = a->num_patches;
    if (m->pointer.dim && !make_spelled(&b->spelled, b->room, m->pointer.dim, a->num_patches)) {
        b->spelled = own.spelled; /* those of a are not its own */
        return 0;
    }
    return copy_cache(&p->transformer, &a->cache, &b->cache, a->num_patches);
}

/* The row of the table of words: its own, or one shared with others. */
static int64_t word_row(const Words *m, uint64_t word) {
    int64_t hash = (int64_t)word;
    int32_t low = 0, high = m->num_known;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (m->known[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < m->num_known && m->known[low] == hash) return low;
    return m->num_known + (int64_t)(mixed(word) & (uint64_t)(m->num_buckets - 1));
}

/* What the global model reads at the patch that begins now. */
static void embed_patch(const Words *m, const Reader *reader, float *x) {
    int D = m->words.cols;
    memset(x, 0, (size_t)D * sizeof *x);
    add_row(&m->words, word_row(m, reader->word), x);
    if (m->pair_rows) add_row(&m->pairs, (int64_t)(mixed(reader->word * 31 + mixed(reader->word_before)) & (uint64_t)(m->pair_rows - 1)), x);
    add_row(&m->last_ids, reader->last_id, x);
    normalize(x, 1, D, x);
}

/* Keep the keys of patches, which are in scratch->x. */
static void keep_keys(Prepared *p, const Unit *units, int n) {
    size_t E = (size_t)p->model.pointer.dim;
    if (!E) return;
    multiply(&p->model.pointer.key, p->scratch.x, n, p->scratch.wide, &p->scratch.rounded);
    for (int u = 0; u < n; u++) {
        float *key = units[u].state->spelled.keys + (size_t)units[u].position * E;
        memcpy(key, p->scratch.wide + (size_t)u * E, E * sizeof *key);
        unit_length(key, (int)E);
    }
}

/* What the global model predicts of n patches, which are in scratch->x. */
static void predict(Prepared *p, int n, const Predicted *predicted) {
    const Words *m = &p->model;
    Scratch *scratch = &p->scratch;
    size_t L = (size_t)m->hashed.cols, E = (size_t)m->pointer.dim, W = (size_t)m->lexicon_words;
    multiply(&m->global_to_local, scratch->x, n, scratch->wide, &scratch->rounded);
    for (int i = 0; i < n; i++) {
        memcpy(predicted[i].context, scratch->wide + (size_t)i * L, L * sizeof(float));
        normalize(predicted[i].context, 1, (int)L, predicted[i].context_normed);
    }
    if (E) {
        multiply(&m->pointer.query, scratch->x, n, scratch->wide, &scratch->rounded);
        for (int i = 0; i < n; i++) memcpy(predicted[i].query, scratch->wide + (size_t)i * E, E * sizeof(float));
        multiply(&m->pointer.urge, scratch->x, n, scratch->wide, &scratch->rounded);
        for (int i = 0; i < n; i++) memcpy(predicted[i].urges, scratch->wide + (size_t)i * NUM_HINTS * E, NUM_HINTS * E * sizeof(float));
    }
    if (W) {
        multiply(&m->lexicon, scratch->x, n, scratch->wide, &scratch->rounded);
        for (int i = 0; i < n; i++) {
            memcpy(predicted[i].expected, scratch->wide + (size_t)i * W, W * sizeof(float));
            add(predicted[i].expected, m->lexicon_bias, W);
            softmax(predicted[i].expected, (int)W);
        }
    }
}

/* Take one more id into the context: where a patch begins, its input goes to x, and the caller runs the global model for it. */
static int take_id(const Words *m, const Row *row, int64_t place, float *x) {
    State *s = row->state;
    if (m->pointer.dim) spell(&s->spelled, row->ids, place, s->reader.num_letters);
    read_id(&m->reading, &s->reader, row->ids[place]);
    if (!s->reader.begins) return 0;
    if (m->pointer.dim) end_patch(&s->spelled, s->reader.word, row->ids[place]);
    embed_patch(m, &s->reader, x);
    return 1;
}

/* Make room for the patch that begins now, which is a unit; 0 when memory ran out. */
static int add_patch(const Prepared *p, State *s, Unit *unit) {
    int32_t E = p->model.pointer.dim, num = s->num_patches + 1;
    if (!make_room(&p->transformer, &s->cache, num)) return 0;
    if (E && num > s->room) {
        Spelled old = s->spelled;
        int32_t room = (int32_t)larger_room((size_t)s->room, (size_t)num, (size_t)max_patches(&p->model));
        if (!make_spelled(&s->spelled, room, E, s->num_patches)) return 0;
        free_spelled(&old);
        s->room = room;
    }
    *unit = (Unit){s, s->num_patches++};
    return 1;
}

static int open_patch(const Prepared *p, State *s, Unit *unit) {
    if (!add_patch(p, s, unit)) return 0;
    if (p->model.pointer.dim) begin_patch(&s->spelled);
    return 1;
}

/* The global model over patches whose inputs lie in scratch->x, in its place; a text's come in order. */
static void run(Prepared *p, const Unit *units, int n) {
    Place places[AT_ONCE] = {0};
    for (int u = 0; u < n; u++) places[u] = (Place){&units[u].state->cache, units[u].position, 0};
    run_transformer(&p->transformer, places, n, p->scratch.x, &p->scratch);
    normalize(p->scratch.x, n, p->transformer.dim, p->scratch.x);
    keep_keys(p, units, n);
}

/* The same, for texts that grow from there: what matters then is what their newest patches are predicted to be. */
static void run_newest(Prepared *p, const Unit *units, int n) {
    size_t D = (size_t)p->model.words.cols;
    State *newest[AT_ONCE];
    Predicted predicted[AT_ONCE] = {0};
    int num = 0;
    if (!n) return;
    run(p, units, n);
    for (int u = 0; u < n; u++)
        if (units[u].position + 1 == units[u].state->num_patches) {
            memmove(p->scratch.x + (size_t)num * D, p->scratch.x + (size_t)u * D, D * sizeof(float));
            predicted[num] = units[u].state->predicted, newest[num++] = units[u].state;
        }
    predict(p, num, predicted);
    for (int i = 0; p->model.pointer.dim && i < num; i++) expect_again(&p->model.pointer, &newest[i]->spelled, predicted[i].query, predicted[i].urges);
}

static int read_context(void *model, Row *row) {
    Prepared *p = model;
    const Words *m = &p->model;
    State *s = row->state;
    Unit units[AT_ONCE];
    int n = 0;
    s->num_patches = 0;
    s->spelled.insist = row->insist;
    begin_reading(&s->reader);
    begin_spelled(&s->spelled);
    embed_patch(m, &s->reader, p->scratch.x);
    if (!open_patch(p, s, &units[n++])) return 0;
    for (int64_t i = row->context_start; i < row->num_ids; i++) {
        if (n == AT_ONCE) run_newest(p, units, n), n = 0;
        if (take_id(m, row, i, p->scratch.x + (size_t)n * (size_t)m->words.cols) && !open_patch(p, s, &units[n++])) return 0;
    }
    run_newest(p, units, n);
    return 1;
}

static int go_on(void *model, Row **rows, int n) {
    Prepared *p = model;
    Unit units[AT_ONCE];
    int num_units = 0;
    for (int i = 0; i < n; i++)
        if (take_id(&p->model, rows[i], rows[i]->num_ids - 1, p->scratch.x + (size_t)num_units * (size_t)p->model.words.cols) &&
            !open_patch(p, rows[i]->state, &units[num_units++]))
            return 0;
    run_newest(p, units, num_units);
    return 1;
}

/* What the local model reads to predict the next byte of a patch, to x (L), and what lexicon and pointer add to its logits (NUM_IDS). */
static void begin_byte(Prepared *p, const State *s, const Predicted *predicted, const int32_t *ids, float *x, float *added) {
    const Words *m = &p->model;
    size_t L = (size_t)m->hashed.cols;
    float *own = p->scratch.normed;
    int64_t rows[MAX_ORDERS];
    int32_t names[MAX_ORDERS];
    int num = name_runs(&m->reading, &s->reader, rows, names), first_phrase = num - m->num_unknown;
    memset(x, 0, L * sizeof *x);
    for (int j = 0; j < num; j++) {
        int64_t at = rows[j];
        if (j >= first_phrase && m->phrase_names[at - m->unknown[0]] != names[j]) at = m->unknown[j - first_phrase];
        add_row(&m->hashed, at, x);
    }
    add_row(&m->byte_last_ids, s->reader.last_id, x);
    normalize(x, 1, (int)L, own);
    for (size_t j = 0; j < L; j++) x[j] += predicted->context[j] + own[j] * predicted->context_normed[j];
    memset(added, 0, NUM_IDS * sizeof *added);
    if (m->lexicon_words) add_lexicon_scores(&p->lexicon, predicted->expected, rows[0], names[0], m->lexicon_strength, added);
    if (m->pointer.dim) add_pointer_scores(&m->pointer, &s->spelled, ids, s->reader.num_letters, added);
}

/* The logits of n bytes that have begun, from scratch->x (n, L) and scratch->attended (n, NUM_IDS), in scratch->wide. */
static float *run_local(Prepared *p, int n) {
    const Words *m = &p->model;
    Scratch *scratch = &p->scratch;
    int L = m->hashed.cols;
    normalize(scratch->x, n, L, scratch->x);
    for (int i = 0; i < m->num_local_layers; i++) {
        normalize(scratch->x, n, L, scratch->normed);
        multiply(&m->mlps[i].up, scratch->normed, n, scratch->wide, &scratch->rounded);
        square_relu(scratch->wide, (size_t)n * (size_t)m->mlps[i].up.rows);
        multiply_sparse(&m->mlps[i].down, &p->turned[i], scratch->wide, n, scratch->normed, &scratch->rounded);
        add(scratch->x, scratch->normed, (size_t)n * (size_t)L);
    }
    normalize(scratch->x, n, L, scratch->normed);
    multiply(&m->head, scratch->normed, n, scratch->wide, &scratch->rounded);
    add(scratch->wide, scratch->attended, (size_t)n * NUM_IDS);
    soft_cap(scratch->wide, n * NUM_IDS);
    return scratch->wide;
}

static float *next_logits(void *model, Row **rows, int n) {
    Prepared *p = model;
    size_t L = (size_t)p->model.hashed.cols;
    for (int i = 0; i < n; i++) {
        const State *s = rows[i]->state;
        begin_byte(p, s, &s->predicted, rows[i]->ids, p->scratch.x + (size_t)i * L, p->scratch.attended + (size_t)i * NUM_IDS);
    }
    return run_local(p, n);
}

/* Bytes that have begun, to be predicted at once. */
typedef struct {
    int64_t index[AT_ONCE];
    int32_t place_in_patch[AT_ONCE];
    int num;
} Begun;

static void score_bytes(Prepared *p, Begun *begun, const int32_t *ids, const Scores *scores) {
    const float *logits = run_local(p, begun->num);
    for (int i = 0; i < begun->num; i++, logits += NUM_IDS)
        put_score(scores, begun->index[i], ids[begun->index[i]], begun->place_in_patch[i], logits);
    begun->num = 0;
}

/* Since all ids are known, the global model runs over up to AT_ONCE patches at a time, and then the local model over their bytes. */
static int score(void *model, Row *row, const Scores *scores) {
    Prepared *p = model;
    const Words *m = &p->model;
    State *s = row->state;
    size_t D = (size_t)m->words.cols, L = (size_t)m->hashed.cols;
    int has_pointer = m->pointer.dim != 0;
    float *memory = malloc(AT_ONCE * predicted_size(m) * sizeof(float));
    Predicted predicted[AT_ONCE];
    if (!memory) return 0;
    for (int u = 0; u < AT_ONCE; u++) predicted[u] = predicted_in(m, memory + (size_t)u * predicted_size(m));
    begin_reading(&s->reader);
    begin_spelled(&s->spelled);
    s->spelled.insist = row->insist;
    Reader ahead = s->reader; /* at the first id that the global model has not read */
    int64_t num_ahead = 0, index = 0;
    Begun begun = {.num = 0};
    while (num_ahead < row->num_ids) {
        Unit units[AT_ONCE];
        int64_t ends[AT_ONCE];
        int n = 0;
        for (; n < AT_ONCE && num_ahead < row->num_ids; ends[n++] = num_ahead) {
            embed_patch(m, &ahead, p->scratch.x + (size_t)n * D);
            if (!add_patch(p, s, &units[n])) {
                free(memory);
                return 0;
            }
            do read_id(&m->reading, &ahead, row->ids[num_ahead++]);
            while (num_ahead < row->num_ids && !ahead.begins);
        }
        run(p, units, n);
        predict(p, n, predicted);
        for (int u = 0; u < n; u++) {
            int64_t begin = index;
            if (has_pointer) {
                begin_patch(&s->spelled);
                expect_again(&m->pointer, &s->spelled, predicted[u].query, predicted[u].urges);
            }
            for (; index < ends[u]; index++) {
                if (index >= scores->first) {
                    size_t i = (size_t)begun.num++;
                    begun.index[i] = index, begun.place_in_patch[i] = (int32_t)(index - begin);
                    begin_byte(p, s, &predicted[u], row->ids, p->scratch.x + i * L, p->scratch.attended + i * NUM_IDS);
                    if (begun.num == AT_ONCE) score_bytes(p, &begun, row->ids, scores);
                }
                if (has_pointer) spell(&s->spelled, row->ids, index, s->reader.num_letters);
                read_id(&m->reading, &s->reader, row->ids[index]);
            }
            if (has_pointer && s->reader.begins) end_patch(&s->spelled, s->reader.word, row->ids[index - 1]);
        }
        score_bytes(p, &begun, row->ids, scores);
    }
    free(memory);
    return 1;
}

const Kind words_kind = {free_words, new_state, free_state, copy_state, read_context, go_on, next_logits, score};
