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

/* What the model remembers of a text. A patch is a unit of the global model; num_patches counts the one not finished too. */
typedef struct {
    Reader reader;
    int32_t num_patches, room; /* patches that spelled has room for */
    Cache cache;
    float *context, *context_normed, *expected; /* (L), (L), (W): what was heard of the patch that is open */
    Spelled spelled;
} State;

/* A patch that the global model reads. */
typedef struct {
    State *state;
    int32_t position;
} Unit;

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
    p->transformer = (Transformer){model->words.cols, model->num_heads, model->num_layers, max_patches(model), model->blocks, NULL, 0, NULL, NULL};
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
    free(s->context);
    free_spelled(&s->spelled);
    free(s);
}

static void *new_state(const void *model) {
    const Prepared *p = model;
    const Words *m = &p->model;
    size_t L = (size_t)m->hashed.cols;
    State *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->context = calloc(2 * L + (size_t)m->lexicon_words, sizeof(float));
    if (!s->context) {
        free_state(s);
        return NULL;
    }
    s->context_normed = s->context + L;
    s->expected = s->context_normed + L;
    return s;
}

static int copy_state(const void *model, const void *from, void *to) {
    const Prepared *p = model;
    const Words *m = &p->model;
    const State *a = from;
    State *b = to, own = *b;
    *b = *a;
    b->cache = own.cache, b->context = own.context, b->context_normed = own.context_normed, b->expected = own.expected;
    memcpy(b->context, a->context, (size_t)(2 * m->hashed.cols + m->lexicon_words) * sizeof(float));
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

/* What words and bytes hear of the patches that begin now, from scratch->x. */
static void hear(Prepared *p, const Unit *units, int n) {
    const Words *m = &p->model;
    Scratch *scratch = &p->scratch;
    int D = m->words.cols, L = m->hashed.cols, E = m->pointer.dim;
    if (E) {
        multiply(&m->pointer.key, scratch->x, n, scratch->wide, &scratch->rounded);
        for (int u = 0; u < n; u++) {
            float *key = units[u].state->spelled.keys + (size_t)units[u].position * (size_t)E;
            memcpy(key, scratch->wide + (size_t)u * (size_t)E, (size_t)E * sizeof *key);
            unit_length(key, E);
        }
    }
    int num_last = 0;
    State *last[AT_ONCE];
    for (int u = 0; u < n; u++) /* only the patch that is still open is heard by anyone */
        if (units[u].position + 1 == units[u].state->num_patches) {
            memmove(scratch->x + (size_t)num_last * (size_t)D, scratch->x + (size_t)u * (size_t)D, (size_t)D * sizeof *scratch->x);
            last[num_last++] = units[u].state;
        }
    multiply(&m->global_to_local, scratch->x, num_last, scratch->wide, &scratch->rounded);
    for (int i = 0; i < num_last; i++) {
        memcpy(last[i]->context, scratch->wide + (size_t)i * (size_t)L, (size_t)L * sizeof(float));
        normalize(last[i]->context, 1, L, last[i]->context_normed);
    }
    if (E) {
        float *urges = scratch->wide + (size_t)num_last * (size_t)E;
        multiply(&m->pointer.query, scratch->x, num_last, scratch->wide, &scratch->rounded);
        multiply(&m->pointer.urge, scratch->x, num_last, urges, &scratch->rounded);
        for (int i = 0; i < num_last; i++) expect_again(&m->pointer, &last[i]->spelled, scratch->wide + i * E, urges + i * NUM_HINTS * E);
    }
    if (m->lexicon_words) {
        size_t W = (size_t)m->lexicon_words;
        multiply(&m->lexicon, scratch->x, num_last, scratch->wide, &scratch->rounded);
        for (int i = 0; i < num_last; i++) {
            memcpy(last[i]->expected, scratch->wide + (size_t)i * W, W * sizeof(float));
            add(last[i]->expected, m->lexicon_bias, W);
            softmax(last[i]->expected, (int)W);
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

/* Open the patch that begins now, which is a unit; 0 when memory ran out. */
static int open_patch(const Prepared *p, State *s, Unit *unit) {
    int32_t E = p->model.pointer.dim, num = s->num_patches + 1;
    if (!make_room(&p->transformer, &s->cache, num)) return 0;
    if (E && num > s->room) {
        Spelled old = s->spelled;
        int32_t room = (int32_t)larger_room((size_t)s->room, (size_t)num, (size_t)max_patches(&p->model));
        if (!make_spelled(&s->spelled, room, E, s->num_patches)) return 0;
        free_spelled(&old);
        s->room = room;
    }
    if (E) begin_patch(&s->spelled);
    *unit = (Unit){s, s->num_patches++};
    return 1;
}

/* The global model over patches whose inputs lie in scratch->x; a text's come in order. */
static void run(Prepared *p, const Unit *units, int n) {
    Place places[AT_ONCE] = {0};
    if (!n) return;
    for (int u = 0; u < n; u++) places[u] = (Place){&units[u].state->cache, units[u].position, 0};
    run_transformer(&p->transformer, places, n, p->scratch.x, &p->scratch);
    normalize(p->scratch.x, n, p->transformer.dim, p->scratch.x);
    hear(p, units, n);
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
        if (n == AT_ONCE) run(p, units, n), n = 0;
        if (take_id(m, row, i, p->scratch.x + (size_t)n * (size_t)m->words.cols) && !open_patch(p, s, &units[n++])) return 0;
    }
    run(p, units, n);
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
    run(p, units, num_units);
    return 1;
}

static float *next_logits(void *model, Row **rows, int n) {
    Prepared *p = model;
    const Words *m = &p->model;
    Scratch *scratch = &p->scratch;
    size_t L = (size_t)m->hashed.cols;
    int64_t beginning[AT_ONCE]; /* row and name of the word so far */
    int32_t beginning_name[AT_ONCE];
    for (int i = 0; i < n; i++) {
        const State *s = rows[i]->state;
        float *x = scratch->x + (size_t)i * L, *own = scratch->attended;
        int64_t byte_rows[MAX_ORDERS];
        int32_t byte_names[MAX_ORDERS];
        int num = name_runs(&m->reading, &s->reader, byte_rows, byte_names), first_phrase = num - m->num_unknown;
        beginning[i] = byte_rows[0], beginning_name[i] = byte_names[0];
        memset(x, 0, L * sizeof *x);
        for (int j = 0; j < num; j++) {
            int64_t at = byte_rows[j];
            if (j >= first_phrase && m->phrase_names[at - m->unknown[0]] != byte_names[j]) at = m->unknown[j - first_phrase];
            add_row(&m->hashed, at, x);
        }
        add_row(&m->byte_last_ids, s->reader.last_id, x);
        normalize(x, 1, (int)L, own);
        for (size_t j = 0; j < L; j++) x[j] += s->context[j] + own[j] * s->context_normed[j];
    }
    normalize(scratch->x, n, (int)L, scratch->x);
    for (int i = 0; i < m->num_local_layers; i++) {
        normalize(scratch->x, n, (int)L, scratch->normed);
        multiply(&m->mlps[i].up, scratch->normed, n, scratch->wide, &scratch->rounded);
        square_relu(scratch->wide, (size_t)n * (size_t)m->mlps[i].up.rows);
        multiply_sparse(&m->mlps[i].down, &p->turned[i], scratch->wide, n, scratch->normed, &scratch->rounded);
        add(scratch->x, scratch->normed, (size_t)n * L);
    }
    normalize(scratch->x, n, (int)L, scratch->normed);
    multiply(&m->head, scratch->normed, n, scratch->wide, &scratch->rounded);
    for (int i = 0; i < n; i++) {
        const State *s = rows[i]->state;
        float *logits = scratch->wide + (size_t)i * NUM_IDS;
        if (m->lexicon_words) add_lexicon_scores(&p->lexicon, s->expected, beginning[i], beginning_name[i], m->lexicon_strength, logits);
        if (m->pointer.dim) add_pointer_scores(&m->pointer, &s->spelled, rows[i]->ids, s->reader.num_letters, logits);
        soft_cap(logits, NUM_IDS);
    }
    return scratch->wide;
}

const Kind words_kind = {free_words, new_state, free_state, copy_state, read_context, go_on, next_logits};
