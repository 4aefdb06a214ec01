#include "words.h"

#include <stdlib.h>
#include <string.h>

/* What the global model gives to the bytes of one patch. */
typedef struct {
    float *local_context, *local_context_normed; /* (L) */
    float *word_probs;                           /* (W) */
    float *query, *hint_gates;                   /* (E), (NUM_HINTS, E): of the pointer */
} PatchContext;

/* What the model keeps of a text. num_patches counts the unfinished one too. */
typedef struct {
    HashState hashes;
    int32_t num_patches, pointer_capacity;
    KeyValueCache key_values;
    float *memory;
    PatchContext context; /* of the unfinished patch, in memory */
    PointerState pointer;
} WordCache;

/* A patch that the global model reads. */
typedef struct {
    WordCache *cache;
    int32_t position;
} Patch;

static size_t context_size(const WordModel *m) {
    return 2 * (size_t)m->config.local.dim + (size_t)m->lexicon.num_words + (1 + NUM_HINTS) * (size_t)m->pointer.dim;
}

static PatchContext context_in(const WordModel *m, float *memory) {
    size_t L = (size_t)m->config.local.dim, W = (size_t)m->lexicon.num_words, E = (size_t)m->pointer.dim;
    return (PatchContext){memory, memory + L, memory + 2 * L, memory + 2 * L + W, memory + 2 * L + W + E};
}

static void free_cache(void *cache) {
    WordCache *c = cache;
    free_key_values(&c->key_values);
    free(c->memory);
    free_pointer_state(&c->pointer);
    free(c);
}

static void *new_cache(const void *model) {
    const WordModel *m = model;
    WordCache *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->memory = calloc(context_size(m), sizeof(float));
    if (!c->memory) {
        free_cache(c);
        return NULL;
    }
    c->context = context_in(m, c->memory);
    return c;
}

static int copy_cache(const void *model, const void *from, void *to) {
    const WordModel *m = model;
    const WordCache *a = from;
    WordCache *b = to, own = *b;
    *b = *a;
    b->key_values = own.key_values, b->memory = own.memory, b->context = own.context;
    memcpy(b->memory, a->memory, context_size(m) * sizeof(float));
    b->pointer_capacity = a->num_patches;
    if (m->pointer.dim && !make_pointer_state(&b->pointer, b->pointer_capacity, m->pointer.dim, a->num_patches)) {
        b->pointer = own.pointer; /* those of a are not its own */
        return 0;
    }
    return copy_key_values(&m->global_model, &a->key_values, &b->key_values, a->num_patches);
}

/* The row of the table of words: its own, or one shared with others. */
static int64_t word_row(const WordModel *m, uint64_t word) {
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
    return m->num_known + (int64_t)(mix_hash(word) & (uint64_t)(m->config.word_rows - m->num_known - 1));
}

/* The global model's input (D) at the patch that begins now. */
static void embed_patch(const WordModel *m, const HashState *hashes, float *x) {
    int D = m->config.global.dim;
    memset(x, 0, (size_t)D * sizeof *x);
    add_row(&m->words, word_row(m, hashes->word), x);
    if (m->pairs.rows) {
        uint64_t pair = mix_hash(hashes->word * PAIR_MULTIPLIER + mix_hash(hashes->word_before));
        add_row(&m->pairs, (int64_t)(pair & (uint64_t)(m->pairs.rows - 1)), x);
    }
    add_row(&m->last_ids, hashes->last_id, x);
    normalize(x, 1, D, x);
}

/* Keep the pointer's keys of patches, whose global output is in scratch->x. */
static void keep_pointer_keys(WordModel *m, const Patch *patches, int n) {
    size_t E = (size_t)m->pointer.dim;
    if (!E) return;
    multiply(&m->pointer.key, m->scratch.x, n, m->scratch.wide, &m->scratch.quantized);
    for (int u = 0; u < n; u++) {
        float *key = patches[u].cache->pointer.keys + (size_t)patches[u].position * E;
        memcpy(key, m->scratch.wide + (size_t)u * E, E * sizeof *key);
        to_unit_length(key, (int)E);
    }
}

/* What n patches give to their bytes, from the global output in scratch->x. */
static void make_contexts(WordModel *m, int n, const PatchContext *contexts) {
    Scratch *scratch = &m->scratch;
    size_t L = (size_t)m->config.local.dim, E = (size_t)m->pointer.dim, W = (size_t)m->lexicon.num_words;
    multiply(&m->global_to_local, scratch->x, n, scratch->wide, &scratch->quantized);
    for (int i = 0; i < n; i++) {
        memcpy(contexts[i].local_context, scratch->wide + (size_t)i * L, L * sizeof(float));
        normalize(contexts[i].local_context, 1, (int)L, contexts[i].local_context_normed);
    }
    if (E) {
        multiply(&m->pointer.query, scratch->x, n, scratch->wide, &scratch->quantized);
        for (int i = 0; i < n; i++) memcpy(contexts[i].query, scratch->wide + (size_t)i * E, E * sizeof(float));
        multiply(&m->pointer.hint_gate, scratch->x, n, scratch->wide, &scratch->quantized);
        for (int i = 0; i < n; i++) memcpy(contexts[i].hint_gates, scratch->wide + (size_t)i * NUM_HINTS * E, NUM_HINTS * E * sizeof(float));
    }
    if (W) {
        multiply(&m->lexicon.words, scratch->x, n, scratch->wide, &scratch->quantized);
        for (int i = 0; i < n; i++) {
            memcpy(contexts[i].word_probs, scratch->wide + (size_t)i * W, W * sizeof(float));
            add(contexts[i].word_probs, m->lexicon.bias, W);
            softmax(contexts[i].word_probs, (int)W);
        }
    }
}

/* Read one more id. Whether a patch begins after it: then its input is in x, and the caller runs the global model. */
static int read_id(const WordModel *m, const Row *row, int64_t index, float *x) {
    WordCache *c = row->cache;
    if (m->pointer.dim) pointer_read_id(&c->pointer, row->ids, index, c->hashes.num_letters);
    hash_id(&m->hashes, &c->hashes, row->ids[index]);
    if (!c->hashes.begins_patch) return 0;
    if (m->pointer.dim) pointer_end_patch(&c->pointer, c->hashes.word, row->ids[index]);
    embed_patch(m, &c->hashes, x);
    return 1;
}

/* Make room for the patch that begins now; 0 when memory ran out, here and below. */
static int add_patch(const WordModel *m, WordCache *c, Patch *patch) {
    int32_t E = m->pointer.dim, num = c->num_patches + 1;
    if (!reserve_key_values(&m->global_model, &c->key_values, num)) return 0;
    if (E && num > c->pointer_capacity) {
        PointerState old = c->pointer;
        int32_t capacity = (int32_t)grown_capacity((size_t)c->pointer_capacity, (size_t)num, (size_t)m->global_model.max_units);
        if (!make_pointer_state(&c->pointer, capacity, E, c->num_patches)) return 0;
        free_pointer_state(&old);
        c->pointer_capacity = capacity;
    }
    *patch = (Patch){c, c->num_patches++};
    return 1;
}

static int begin_patch(const WordModel *m, WordCache *c, Patch *patch) {
    if (!add_patch(m, c, patch)) return 0;
    if (m->pointer.dim) pointer_begin_patch(&c->pointer);
    return 1;
}

/* The global model over patches, from their inputs to its output in scratch->x. Patches of a text come in order. */
static void run_global(WordModel *m, const Patch *patches, int n) {
    Position positions[MAX_BATCH] = {0};
    for (int u = 0; u < n; u++) positions[u] = (Position){&patches[u].cache->key_values, patches[u].position, 0};
    run_transformer(&m->global_model, positions, n, m->scratch.x, &m->scratch);
    normalize(m->scratch.x, n, m->config.global.dim, m->scratch.x);
    keep_pointer_keys(m, patches, n);
}

/* The same for texts that grow, where only the newest patch of each has bytes to come. */
static void run_global_and_keep_context(WordModel *m, const Patch *patches, int n) {
    size_t D = (size_t)m->config.global.dim;
    WordCache *caches[MAX_BATCH];
    PatchContext contexts[MAX_BATCH] = {0};
    int num = 0;
    if (!n) return;
    run_global(m, patches, n);
    for (int u = 0; u < n; u++)
        if (patches[u].position + 1 == patches[u].cache->num_patches) {
            memmove(m->scratch.x + (size_t)num * D, m->scratch.x + (size_t)u * D, D * sizeof(float));
            contexts[num] = patches[u].cache->context, caches[num++] = patches[u].cache;
        }
    make_contexts(m, num, contexts);
    for (int i = 0; m->pointer.dim && i < num; i++) compute_copy_probs(&m->pointer, &caches[i]->pointer, contexts[i].query, contexts[i].hint_gates);
}

static int prefill(void *model, Row *row) {
    WordModel *m = model;
    WordCache *c = row->cache;
    size_t D = (size_t)m->config.global.dim;
    Patch patches[MAX_BATCH];
    int n = 0;
    c->num_patches = 0;
    c->pointer.insist = row->insist;
    reset_hashes(&c->hashes);
    reset_pointer(&c->pointer);
    embed_patch(m, &c->hashes, m->scratch.x);
    if (!begin_patch(m, c, &patches[n++])) return 0;
    for (int64_t i = row->context_start; i < row->num_ids; i++) {
        if (n == MAX_BATCH) run_global_and_keep_context(m, patches, n), n = 0;
        if (read_id(m, row, i, m->scratch.x + (size_t)n * D) && !begin_patch(m, c, &patches[n++])) return 0;
    }
    run_global_and_keep_context(m, patches, n);
    return 1;
}

static int step(void *model, Row **rows, int n) {
    WordModel *m = model;
    size_t D = (size_t)m->config.global.dim;
    Patch patches[MAX_BATCH];
    int num = 0;
    for (int i = 0; i < n; i++)
        if (read_id(m, rows[i], rows[i]->num_ids - 1, m->scratch.x + (size_t)num * D) && !begin_patch(m, rows[i]->cache, &patches[num++])) return 0;
    run_global_and_keep_context(m, patches, num);
    return 1;
}

/* The local model's input at the next byte of a patch, to x (L), and what lexicon and pointer add to its logits (NUM_IDS). */
static void embed_byte(WordModel *m, const WordCache *c, const PatchContext *context, const int32_t *ids, float *x, float *added) {
    size_t L = (size_t)m->config.local.dim;
    float *normed = m->scratch.normed;
    int64_t rows[MAX_HASHES];
    int32_t fingerprints[MAX_HASHES];
    int num = find_rows(&m->hashes, &c->hashes, rows, fingerprints), first_phrase = num - m->config.num_phrase_orders;
    const uint64_t *starts = m->hashes.starts; /* the first row of each order of phrases is that of unknown ones */
    memset(x, 0, L * sizeof *x);
    for (int j = 0; j < num; j++) {
        int is_unknown = j >= first_phrase && m->phrase_fingerprints[rows[j] - (int64_t)starts[first_phrase]] != fingerprints[j];
        add_row(&m->hashed, is_unknown ? (int64_t)starts[j] : rows[j], x);
    }
    add_row(&m->byte_last_ids, c->hashes.last_id, x);
    normalize(x, 1, (int)L, normed);
    for (size_t j = 0; j < L; j++) x[j] += context->local_context[j] + normed[j] * context->local_context_normed[j];
    memset(added, 0, NUM_IDS * sizeof *added);
    if (m->lexicon.num_words) add_lexicon_logits(&m->lexicon, context->word_probs, rows[0], fingerprints[0], added);
    if (m->pointer.dim) add_copy_logits(&m->pointer, &c->pointer, ids, c->hashes.num_letters, added);
}

/* The logits of n bytes in scratch->wide, from embed_byte's outputs in scratch->x (n, L) and scratch->attended (n, NUM_IDS). */
static float *run_local(WordModel *m, int n) {
    Scratch *scratch = &m->scratch;
    int L = m->config.local.dim;
    normalize(scratch->x, n, L, scratch->x);
    for (int i = 0; i < m->config.local.num_layers; i++) add_mlp(&m->local_mlps[i], n, scratch->x, scratch);
    normalize(scratch->x, n, L, scratch->normed);
    multiply(&m->head, scratch->normed, n, scratch->wide, &scratch->quantized);
    add(scratch->wide, scratch->attended, (size_t)n * NUM_IDS);
    soft_cap(scratch->wide, n * NUM_IDS);
    return scratch->wide;
}

static float *next_logits(void *model, Row **rows, int n) {
    WordModel *m = model;
    size_t L = (size_t)m->config.local.dim;
    for (int i = 0; i < n; i++) {
        const WordCache *c = rows[i]->cache;
        embed_byte(m, c, &c->context, rows[i]->ids, m->scratch.x + (size_t)i * L, m->scratch.attended + (size_t)i * NUM_IDS);
    }
    return run_local(m, n);
}

/* Bytes whose inputs are in scratch, to be scored together. */
typedef struct {
    int64_t index[MAX_BATCH];
    int32_t place_in_patch[MAX_BATCH];
    int num;
} ByteBatch;

static void score_batch(WordModel *m, ByteBatch *batch, const int32_t *ids, const Scores *scores) {
    const float *logits = run_local(m, batch->num);
    for (int i = 0; i < batch->num; i++, logits += NUM_IDS)
        put_score(scores, batch->index[i], ids[batch->index[i]], batch->place_in_patch[i], logits);
    batch->num = 0;
}

/* Since all ids are known, the global model runs over up to MAX_BATCH patches at a time, and then the local model over their bytes. */
static int score(void *model, Row *row, const Scores *scores) {
    WordModel *m = model;
    WordCache *c = row->cache;
    size_t D = (size_t)m->config.global.dim, L = (size_t)m->config.local.dim;
    int has_pointer = m->pointer.dim != 0;
    float *memory = malloc(MAX_BATCH * context_size(m) * sizeof(float));
    PatchContext contexts[MAX_BATCH];
    if (!memory) return 0;
    for (int u = 0; u < MAX_BATCH; u++) contexts[u] = context_in(m, memory + (size_t)u * context_size(m));
    reset_hashes(&c->hashes);
    reset_pointer(&c->pointer);
    c->pointer.insist = row->insist;
    HashState ahead = c->hashes; /* at the first id that the global model has not read */
    int64_t num_ahead = 0, index = 0;
    ByteBatch batch = {.num = 0};
    while (num_ahead < row->num_ids) {
        Patch patches[MAX_BATCH];
        int64_t ends[MAX_BATCH];
        int n = 0;
        for (; n < MAX_BATCH && num_ahead < row->num_ids; ends[n++] = num_ahead) {
            embed_patch(m, &ahead, m->scratch.x + (size_t)n * D);
            if (!add_patch(m, c, &patches[n])) {
                free(memory);
                return 0;
            }
            do hash_id(&m->hashes, &ahead, row->ids[num_ahead++]);
            while (num_ahead < row->num_ids && !ahead.begins_patch);
        }
        run_global(m, patches, n);
        make_contexts(m, n, contexts);
        for (int u = 0; u < n; u++) {
            int64_t begin = index;
            if (has_pointer) {
                pointer_begin_patch(&c->pointer);
                compute_copy_probs(&m->pointer, &c->pointer, contexts[u].query, contexts[u].hint_gates);
            }
            for (; index < ends[u]; index++) {
                if (index >= scores->first) {
                    size_t i = (size_t)batch.num++;
                    batch.index[i] = index, batch.place_in_patch[i] = (int32_t)(index - begin);
                    embed_byte(m, c, &contexts[u], row->ids, m->scratch.x + i * L, m->scratch.attended + i * NUM_IDS);
                    if (batch.num == MAX_BATCH) score_batch(m, &batch, row->ids, scores);
                }
                if (has_pointer) pointer_read_id(&c->pointer, row->ids, index, c->hashes.num_letters);
                hash_id(&m->hashes, &c->hashes, row->ids[index]);
            }
            if (has_pointer && c->hashes.begins_patch) pointer_end_patch(&c->pointer, c->hashes.word, row->ids[index - 1]);
        }
        score_batch(m, &batch, row->ids, scores);
    }
    free(memory);
    return 1;
}

const Architecture word_architecture = {new_cache, free_cache, copy_cache, prefill, step, next_logits, score};
