#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 }; /* vectors that share each pass over the weights */

struct Engine {
    Model model;
    Lexicon lexicon;
    float *cosines, *sines; /* (positions, F / 2) */
    Matrix *turned; /* the second matrices of all MLPs, global then local */
    Rounded rounded;
    float *x, *normed, *wide, *attended, *scores; /* AT_ONCE vectors each; scores of one */
    float *memory;
};

/* One text as it grows. Its context are the ids from context_start on; a patch is a unit of the global model. */
struct Row {
    Reader reader;
    int32_t *ids;
    int64_t num_ids, capacity, context_start;
    int32_t num_patches, utf8_state, pending; /* with the one not finished; an id drawn and not yet read, or -1 */
    float *keys, *values;                     /* (layers, max_patches, D) */
    float *context, *context_normed, *expected;
    Spelled spelled;
    float *memory;
    void *spelled_memory;
};

typedef struct {
    Row *row;
    int32_t position;
} Unit;

static int max_patches(const Model *m) { return m->max_seq_len + 1; }

static int turn_all(Engine *e) {
    const Model *m = &e->model;
    for (int i = 0; i < m->num_layers; i++)
        if (!turn(&m->blocks[i].down, &e->turned[i])) return 0;
    for (int i = 0; i < m->num_local_layers; i++)
        if (!turn(&m->mlps[i].down, &e->turned[m->num_layers + i])) return 0;
    return 1;
}

Engine *tavu_engine(const Model *m) {
    Engine *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    size_t D = (size_t)m->words.cols, L = (size_t)m->hashed.cols, half = D / (size_t)m->num_heads / 2, positions = (size_t)max_patches(m);
    size_t width = D > L ? D : L, widest = 3 * D > (size_t)m->lexicon_words ? 3 * D : (size_t)m->lexicon_words;
    for (int i = 0; i < m->num_layers; i++) widest = (size_t)m->blocks[i].up.rows > widest ? (size_t)m->blocks[i].up.rows : widest;
    for (int i = 0; i < m->num_local_layers; i++) widest = (size_t)m->mlps[i].up.rows > widest ? (size_t)m->mlps[i].up.rows : widest;
    if (widest < NUM_IDS) widest = NUM_IDS;
    if (widest < width) widest = width;
    if (widest < (size_t)m->pointer.dim * (1 + NUM_HINTS)) widest = (size_t)m->pointer.dim * (1 + NUM_HINTS);
    if (width < NUM_IDS) width = NUM_IDS;
    use_best_kernels();
    e->model = *m;
    prepare_reading(&e->model.reading);
    m = &e->model;
    e->memory = calloc(2 * positions * half + AT_ONCE * (3 * width + widest + widest / GROUP + 2) + positions, sizeof(float));
    e->rounded.numbers = calloc(AT_ONCE * widest, sizeof(int16_t));
    e->rounded.used = calloc(widest + 1, sizeof(int32_t));
    e->rounded.parts = calloc(AT_ONCE * widest, 4);
    e->turned = calloc((size_t)(m->num_layers + m->num_local_layers), sizeof *e->turned);
    if (!e->memory || !e->rounded.numbers || !e->rounded.used || !e->rounded.parts || !e->turned || !turn_all(e) ||
        !build_lexicon(&e->lexicon, &m->reading, m->spellings, m->spelling_lengths, m->lexicon_words, m->spelling_width)) {
        tavu_free_engine(e);
        return NULL;
    }
    float *free_memory = e->memory;
    e->cosines = free_memory, free_memory += positions * half;
    e->sines = free_memory, free_memory += positions * half;
    e->x = free_memory, free_memory += AT_ONCE * width;
    e->normed = free_memory, free_memory += AT_ONCE * width;
    e->wide = free_memory, free_memory += AT_ONCE * widest;
    e->attended = free_memory, free_memory += AT_ONCE * width;
    e->rounded.sums = free_memory, free_memory += AT_ONCE * (widest / GROUP + 1);
    e->rounded.scales = free_memory, free_memory += AT_ONCE;
    e->scores = free_memory;
    for (size_t i = 0; i < half; i++) {
        float frequency = powf(10000.0f, -(float)(2 * i) / (float)(2 * half));
        for (size_t p = 0; p < positions; p++) {
            float angle = (float)p * frequency;
            e->cosines[p * half + i] = cosf(angle), e->sines[p * half + i] = sinf(angle);
        }
    }
    return e;
}

void tavu_free_engine(Engine *e) {
    if (!e) return;
    free_lexicon(&e->lexicon);
    for (int i = 0; e->turned && i < e->model.num_layers + e->model.num_local_layers; i++) free((void *)e->turned[i].numbers);
    free(e->turned);
    free(e->rounded.numbers);
    free(e->rounded.used);
    free(e->rounded.parts);
    free(e->memory);
    free(e);
}

static int32_t reserve(Row *row, int64_t num_ids) {
    if (num_ids <= row->capacity) return 0;
    int64_t capacity = row->capacity * 2 > num_ids ? row->capacity * 2 : num_ids;
    int32_t *ids = realloc(row->ids, (size_t)capacity * sizeof *ids);
    if (!ids) return OUT_OF_MEMORY;
    row->ids = ids, row->capacity = capacity;
    return 0;
}

Row *tavu_row(const Engine *e) {
    const Model *m = &e->model;
    size_t D = (size_t)m->words.cols, L = (size_t)m->hashed.cols, M = (size_t)max_patches(m), cache = (size_t)m->num_layers * M * D;
    Row *row = calloc(1, sizeof *row);
    if (!row) return NULL;
    row->memory = calloc(2 * cache + 2 * L + (size_t)m->lexicon_words, sizeof(float));
    row->spelled_memory = calloc(1, spelled_bytes(max_patches(m), m->pointer.dim));
    if (!row->memory || !row->spelled_memory || reserve(row, 256)) {
        tavu_free_row(row);
        return NULL;
    }
    float *free_memory = row->memory;
    row->keys = free_memory, free_memory += cache;
    row->values = free_memory, free_memory += cache;
    row->context = free_memory, free_memory += L;
    row->context_normed = free_memory, free_memory += L;
    row->expected = free_memory;
    lay_out_spelled(&row->spelled, row->spelled_memory, max_patches(m), m->pointer.dim);
    row->pending = -1;
    return row;
}

void tavu_free_row(Row *row) {
    if (!row) return;
    free(row->ids);
    free(row->memory);
    free(row->spelled_memory);
    free(row);
}

Row *tavu_copy_row(const Engine *e, const Row *from) {
    const Model *m = &e->model;
    size_t D = (size_t)m->words.cols, M = (size_t)max_patches(m), used = (size_t)from->num_patches;
    Row *row = tavu_row(e);
    if (!row || reserve(row, from->num_ids)) {
        tavu_free_row(row);
        return NULL;
    }
    Row own = *row;
    *row = *from;
    row->ids = own.ids, row->capacity = own.capacity, row->keys = own.keys, row->values = own.values;
    row->context = own.context, row->context_normed = own.context_normed, row->expected = own.expected, row->memory = own.memory;
    row->spelled_memory = own.spelled_memory;
    lay_out_spelled(&row->spelled, row->spelled_memory, max_patches(m), m->pointer.dim);
    memcpy(row->ids, from->ids, (size_t)from->num_ids * sizeof *row->ids);
    for (size_t i = 0; i < (size_t)m->num_layers; i++) {
        memcpy(row->keys + i * M * D, from->keys + i * M * D, used * D * sizeof(float));
        memcpy(row->values + i * M * D, from->values + i * M * D, used * D * sizeof(float));
    }
    memcpy(row->context, from->context, (size_t)(2 * m->hashed.cols + m->lexicon_words) * sizeof(float));
    memcpy(row->spelled_memory, from->spelled_memory, spelled_bytes(max_patches(m), m->pointer.dim));
    return row;
}

/* The row of the table of words: its own, or one shared with others. */
static int64_t word_row(const Model *m, uint64_t word) {
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
static void embed_patch(const Model *m, const Reader *reader, float *x) {
    int D = m->words.cols;
    memset(x, 0, (size_t)D * sizeof *x);
    add_row(&m->words, word_row(m, reader->word), x);
    if (m->pair_rows) add_row(&m->pairs, (int64_t)(mixed(reader->word * 31 + mixed(reader->word_before)) & (uint64_t)(m->pair_rows - 1)), x);
    add_row(&m->last_ids, reader->last_id, x);
    normalize(x, 1, D, x);
}

/* A head's query or key normalized and turned by the angles of its position. */
static void place_head(float *head, int width, const float *cosines, const float *sines) {
    normalize(head, 1, width, head);
    for (int i = 0, half = width / 2; i < half; i++) {
        float a = head[i], b = head[half + i];
        head[i] = a * cosines[i] - b * sines[i];
        head[half + i] = b * cosines[i] + a * sines[i];
    }
}

static void attend(Engine *e, const Unit *unit, int layer, const float *queries, float *out) {
    const Model *m = &e->model;
    int D = m->words.cols, F = D / m->num_heads, num = unit->position + 1;
    size_t offset = (size_t)layer * (size_t)max_patches(m) * (size_t)D;
    float scale = 1.0f / sqrtf((float)F);
    for (int h = 0; h < m->num_heads; h++) {
        meet(queries + h * F, unit->row->keys + offset + h * F, num, D, F, scale, e->scores);
        softmax(e->scores, num);
        weigh(e->scores, unit->row->values + offset + h * F, num, D, F, out + h * F);
    }
}

/* The global model's step for up to AT_ONCE patches, embedded in e->x; a row's come in order. What it gives stays in e->x, normalized. */
static void run_global(Engine *e, const Unit *units, int n) {
    const Model *m = &e->model;
    int D = m->words.cols, F = D / m->num_heads, half = F / 2;
    for (int layer = 0; layer < m->num_layers; layer++) {
        const Block *block = &m->blocks[layer];
        size_t offset = (size_t)layer * (size_t)max_patches(m) * (size_t)D;
        normalize(e->x, n, D, e->normed);
        multiply(&block->query_key_value, e->normed, n, e->wide, &e->rounded);
        for (int u = 0; u < n; u++) {
            float *heads = e->wide + (size_t)u * 3 * (size_t)D;
            size_t place = offset + (size_t)units[u].position * (size_t)D, angle = (size_t)units[u].position * (size_t)half;
            for (int h = 0; h < 2 * m->num_heads; h++) place_head(heads + h * F, F, e->cosines + angle, e->sines + angle);
            memcpy(units[u].row->keys + place, heads + D, (size_t)D * sizeof *heads);
            memcpy(units[u].row->values + place, heads + 2 * D, (size_t)D * sizeof *heads);
        }
        for (int u = 0; u < n; u++) attend(e, &units[u], layer, e->wide + (size_t)u * 3 * (size_t)D, e->attended + (size_t)u * (size_t)D);
        multiply(&block->attention_out, e->attended, n, e->normed, &e->rounded);
        add(e->x, e->normed, (size_t)n * (size_t)D);
        normalize(e->x, n, D, e->normed);
        multiply(&block->up, e->normed, n, e->wide, &e->rounded);
        square_relu(e->wide, (size_t)n * (size_t)block->up.rows);
        multiply_sparse(&block->down, &e->turned[layer], e->wide, n, e->normed, &e->rounded);
        add(e->x, e->normed, (size_t)n * (size_t)D);
    }
    normalize(e->x, n, D, e->x);
}

/* What words and bytes hear of the patches that begin now, from e->x. */
static void hear(Engine *e, const Unit *units, int n) {
    const Model *m = &e->model;
    int D = m->words.cols, L = m->hashed.cols, E = m->pointer.dim;
    if (E) {
        multiply(&m->pointer.key, e->x, n, e->wide, &e->rounded);
        for (int u = 0; u < n; u++) {
            float *key = units[u].row->spelled.keys + (size_t)units[u].position * (size_t)E;
            memcpy(key, e->wide + (size_t)u * (size_t)E, (size_t)E * sizeof *key);
            unit_length(key, E);
        }
    }
    int num_last = 0;
    Row *rows[AT_ONCE];
    for (int u = 0; u < n; u++) /* only the patch that is still open is heard by anyone */
        if (units[u].position + 1 == units[u].row->num_patches) {
            memmove(e->x + (size_t)num_last * (size_t)D, e->x + (size_t)u * (size_t)D, (size_t)D * sizeof *e->x);
            rows[num_last++] = units[u].row;
        }
    multiply(&m->global_to_local, e->x, num_last, e->wide, &e->rounded);
    for (int i = 0; i < num_last; i++) {
        memcpy(rows[i]->context, e->wide + (size_t)i * (size_t)L, (size_t)L * sizeof(float));
        normalize(rows[i]->context, 1, L, rows[i]->context_normed);
    }
    if (E) {
        float *urges = e->wide + (size_t)num_last * (size_t)E;
        multiply(&m->pointer.query, e->x, num_last, e->wide, &e->rounded);
        multiply(&m->pointer.urge, e->x, num_last, urges, &e->rounded);
        for (int i = 0; i < num_last; i++) expect_again(&m->pointer, &rows[i]->spelled, e->wide + i * E, urges + i * NUM_HINTS * E);
    }
    if (m->lexicon_words) {
        size_t W = (size_t)m->lexicon_words;
        multiply(&m->lexicon, e->x, num_last, e->wide, &e->rounded);
        for (int i = 0; i < num_last; i++) {
            memcpy(rows[i]->expected, e->wide + (size_t)i * W, W * sizeof(float));
            add(rows[i]->expected, m->lexicon_bias, W);
            softmax(rows[i]->expected, (int)W);
        }
    }
}

/* Take one more id into the context: where a patch begins, its input goes to x, and the caller runs the global model for it. */
static int take_id(const Model *m, Row *row, int64_t place, float *x) {
    if (m->pointer.dim) spell(&row->spelled, row->ids, place, row->reader.num_letters);
    read_id(&m->reading, &row->reader, row->ids[place]);
    if (!row->reader.begins) return 0;
    if (m->pointer.dim) end_patch(&row->spelled, row->reader.word, row->ids[place]);
    embed_patch(m, &row->reader, x);
    return 1;
}

/* Open the patch that begins now; returns its unit. */
static Unit open_patch(const Model *m, Row *row) {
    if (m->pointer.dim) begin_patch(&row->spelled);
    return (Unit){row, row->num_patches++};
}

static void run(Engine *e, const Unit *units, int n) {
    if (!n) return;
    run_global(e, units, n);
    hear(e, units, n);
}

/* Read the row's ids from `from` on into an empty context. */
static void read_context(Engine *e, Row *row, int64_t from) {
    const Model *m = &e->model;
    Unit units[AT_ONCE];
    int n = 0;
    row->context_start = from, row->num_patches = 0;
    begin_reading(&row->reader);
    begin_spelled(&row->spelled);
    embed_patch(m, &row->reader, e->x);
    units[n++] = open_patch(m, row);
    for (int64_t i = from; i < row->num_ids; i++) {
        if (n == AT_ONCE) run(e, units, n), n = 0;
        if (take_id(m, row, i, e->x + (size_t)n * (size_t)m->words.cols)) units[n++] = open_patch(m, row);
    }
    run(e, units, n);
}

int32_t tavu_read(Engine *e, Row *row, const int32_t *ids, int64_t num_ids, int32_t utf8_state, float insist) {
    if (reserve(row, row->num_ids + num_ids)) return OUT_OF_MEMORY;
    memcpy(row->ids + row->num_ids, ids, (size_t)num_ids * sizeof *ids);
    row->num_ids += num_ids;
    row->utf8_state = utf8_state;
    row->spelled.insist = insist;
    int64_t most = e->model.max_seq_len - 1;
    read_context(e, row, row->num_ids > most ? row->num_ids - most : 0);
    return 0;
}

/* Read the ids that were drawn last, each row its own. 0, or OUT_OF_MEMORY. */
static int32_t read_pending(Engine *e, Row **rows, int n) {
    const Model *m = &e->model;
    Unit units[AT_ONCE];
    int num_units = 0;
    for (int i = 0; i < n; i++) {
        Row *row = rows[i];
        if (row->pending < 0) continue;
        if (reserve(row, row->num_ids + 1)) return OUT_OF_MEMORY;
        row->ids[row->num_ids++] = row->pending;
        row->pending = -1;
        if (row->num_ids - row->context_start >= m->max_seq_len) continue; /* full: below */
        if (take_id(m, row, row->num_ids - 1, e->x + (size_t)num_units * (size_t)m->words.cols)) units[num_units++] = open_patch(m, row);
    }
    run(e, units, num_units);
    for (int i = 0; i < n; i++) /* the later half is read again, and the text goes on from there */
        if (rows[i]->num_ids - rows[i]->context_start >= m->max_seq_len) read_context(e, rows[i], rows[i]->num_ids - m->max_seq_len / 2);
    return 0;
}

/* The logits of the next id of up to AT_ONCE rows, (n, NUM_IDS) in e->wide. */
static void next_logits(Engine *e, Row **rows, int n) {
    const Model *m = &e->model;
    size_t L = (size_t)m->hashed.cols;
    int64_t beginning[AT_ONCE]; /* row and name of the word so far */
    int32_t beginning_name[AT_ONCE];
    for (int i = 0; i < n; i++) {
        Row *row = rows[i];
        float *x = e->x + (size_t)i * L, *own = e->attended;
        int64_t byte_rows[MAX_ORDERS];
        int32_t byte_names[MAX_ORDERS];
        int num = name_runs(&m->reading, &row->reader, byte_rows, byte_names), first_phrase = num - m->num_unknown;
        beginning[i] = byte_rows[0], beginning_name[i] = byte_names[0];
        memset(x, 0, L * sizeof *x);
        for (int j = 0; j < num; j++) {
            int64_t at = byte_rows[j];
            if (j >= first_phrase && m->phrase_names[at - m->unknown[0]] != byte_names[j]) at = m->unknown[j - first_phrase];
            add_row(&m->hashed, at, x);
        }
        add_row(&m->byte_last_ids, row->reader.last_id, x);
        normalize(x, 1, (int)L, own);
        for (size_t j = 0; j < L; j++) x[j] += row->context[j] + own[j] * row->context_normed[j];
    }
    normalize(e->x, n, (int)L, e->x);
    for (int i = 0; i < m->num_local_layers; i++) {
        normalize(e->x, n, (int)L, e->normed);
        multiply(&m->mlps[i].up, e->normed, n, e->wide, &e->rounded);
        square_relu(e->wide, (size_t)n * (size_t)m->mlps[i].up.rows);
        multiply_sparse(&m->mlps[i].down, &e->turned[m->num_layers + i], e->wide, n, e->normed, &e->rounded);
        add(e->x, e->normed, (size_t)n * L);
    }
    normalize(e->x, n, (int)L, e->normed);
    multiply(&m->head, e->normed, n, e->wide, &e->rounded);
    for (int i = 0; i < n; i++) {
        float *logits = e->wide + (size_t)i * NUM_IDS;
        if (m->lexicon_words) add_lexicon_scores(&e->lexicon, rows[i]->expected, beginning[i], beginning_name[i], m->lexicon_strength, logits);
        if (m->pointer.dim) add_pointer_scores(&m->pointer, &rows[i]->spelled, rows[i]->ids, rows[i]->reader.num_letters, logits);
        soft_cap(logits, NUM_IDS);
    }
}

/* One step of up to AT_ONCE rows; arguments as in tavu_write. */
static int32_t write_step(Engine *e, Row **rows, int n, int32_t step, int32_t num_steps, const Sampling **samplings, const double *uniforms,
                          int32_t *out, float *logits) {
    Row *open[AT_ONCE];
    int which[AT_ONCE], num_open = 0;
    for (int i = 0; i < n; i++) {
        int32_t *own = out + (size_t)i * (size_t)num_steps + step;
        if (step && own[-1] == END)
            own[0] = END;
        else
            which[num_open] = i, open[num_open++] = rows[i];
    }
    if (!num_open) return 0;
    if (read_pending(e, open, num_open)) return OUT_OF_MEMORY;
    next_logits(e, open, num_open);
    for (int i = 0; i < num_open; i++) {
        Row *row = open[i];
        const Sampling *sampling = samplings[which[i]];
        float *own = e->wide + (size_t)i * NUM_IDS;
        size_t place = (size_t)which[i] * (size_t)num_steps + (size_t)step;
        if (logits) memcpy(logits + place * NUM_IDS, own, NUM_IDS * sizeof *own);
        if (sampling->log_penalty != 0) penalize(own, row->ids, row->num_ids, sampling->log_penalty);
        const uint8_t *allowed = sampling->num_states ? sampling->allowed + row->utf8_state * NUM_IDS : NULL;
        int32_t id = sample(own, sampling, uniforms[place], allowed);
        if (id == NOT_A_NUMBER) return NOT_A_NUMBER;
        if (sampling->num_states) row->utf8_state = (int32_t)sampling->next_state[row->utf8_state * NUM_IDS + id];
        row->pending = out[place] = id;
    }
    return 0;
}

int32_t tavu_write(Engine *e, Row **rows, int32_t num_rows, int32_t num_steps, const Sampling **samplings, const double *uniforms, int32_t *out,
                   float *logits) {
    for (int32_t first = 0; first < num_rows; first += AT_ONCE) {
        int n = num_rows - first < AT_ONCE ? num_rows - first : AT_ONCE;
        size_t place = (size_t)first * (size_t)num_steps;
        float *own_logits = logits ? logits + place * NUM_IDS : NULL;
        for (int32_t step = 0; step < num_steps; step++) {
            int32_t failed = write_step(e, rows + first, n, step, num_steps, samplings + first, uniforms + place, out + place, own_logits);
            if (failed) return failed;
        }
    }
    return 0;
}

int32_t tavu_sizes(int32_t which) {
    const size_t sizes[] = {sizeof(Model), sizeof(Sampling), sizeof(Block), sizeof(Mlp), sizeof(Pointer)};
    return which >= 0 && which < 5 ? (int32_t)sizes[which] : 0;
}

int32_t tavu_use_kernels(int32_t which) { return use_kernels(which); }
