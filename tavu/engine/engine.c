#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "architecture.h"
#include "transformer.h"

void tavu_close(TavuEngine *e) {
    if (!e) return;
    free_arena(&e->arena);
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

Row *tavu_row(const TavuEngine *e) {
    Row *row = calloc(1, sizeof *row);
    if (!row) return NULL;
    row->pending = -1, row->architecture = e->architecture;
    row->cache = e->architecture->new_cache(e->model);
    if (!row->cache || reserve(row, 256)) {
        tavu_free_row(row);
        return NULL;
    }
    return row;
}

void tavu_free_row(Row *row) {
    if (!row) return;
    if (row->cache) row->architecture->free_cache(row->cache);
    free(row->ids);
    free(row);
}

Row *tavu_copy_row(const TavuEngine *e, const Row *from) {
    Row *row = tavu_row(e);
    if (!row || reserve(row, from->num_ids)) {
        tavu_free_row(row);
        return NULL;
    }
    Row own = *row;
    *row = *from;
    row->ids = own.ids, row->capacity = own.capacity, row->cache = own.cache;
    memcpy(row->ids, from->ids, (size_t)from->num_ids * sizeof *row->ids);
    if (e->architecture->copy_cache(e->model, from->cache, row->cache)) return row;
    tavu_free_row(row);
    return NULL;
}

static int32_t prefill_from(TavuEngine *e, Row *row, int64_t start) {
    row->context_start = start;
    return e->architecture->prefill(e->model, row) ? 0 : OUT_OF_MEMORY;
}

int32_t tavu_read(TavuEngine *e, Row *row, const int32_t *ids, int64_t num_ids, int32_t utf8_state, float insist) {
    if (reserve(row, row->num_ids + num_ids)) return OUT_OF_MEMORY;
    memcpy(row->ids + row->num_ids, ids, (size_t)num_ids * sizeof *ids);
    row->num_ids += num_ids;
    row->utf8_state = utf8_state;
    row->insist = insist;
    int64_t most = e->max_seq_len - 1;
    return prefill_from(e, row, row->num_ids > most ? row->num_ids - most : 0);
}

/* Read the ids that were drawn last, each row its own. 0, or OUT_OF_MEMORY. */
static int32_t read_pending(TavuEngine *e, Row **rows, int n) {
    Row *growing[MAX_BATCH], *full[MAX_BATCH];
    int num_growing = 0, num_full = 0;
    for (int i = 0; i < n; i++) {
        Row *row = rows[i];
        if (row->pending < 0) continue;
        if (reserve(row, row->num_ids + 1)) return OUT_OF_MEMORY;
        row->ids[row->num_ids++] = row->pending;
        row->pending = -1;
        if (row->num_ids - row->context_start < e->max_seq_len)
            growing[num_growing++] = row;
        else
            full[num_full++] = row;
    }
    if (num_growing && !e->architecture->step(e->model, growing, num_growing)) return OUT_OF_MEMORY;
    for (int i = 0; i < num_full; i++) /* the context starts over with its later half */
        if (prefill_from(e, full[i], full[i]->num_ids - e->max_seq_len / 2)) return OUT_OF_MEMORY;
    return 0;
}

/* One step of up to MAX_BATCH rows; arguments as in tavu_write. */
static int32_t write_step(TavuEngine *e, Row **rows, int n, int32_t step, int32_t num_steps, const Sampling **samplings, const double *uniforms,
                          int32_t *out, float *logits) {
    Row *open[MAX_BATCH];
    int which[MAX_BATCH], num_open = 0;
    for (int i = 0; i < n; i++) {
        int32_t *own = out + (size_t)i * (size_t)num_steps + step;
        if (step && own[-1] == END)
            own[0] = END;
        else
            which[num_open] = i, open[num_open++] = rows[i];
    }
    if (!num_open) return 0;
    if (read_pending(e, open, num_open)) return OUT_OF_MEMORY;
    float *own = e->architecture->next_logits(e->model, open, num_open);
    for (int i = 0; i < num_open; i++, own += NUM_IDS) {
        Row *row = open[i];
        const Sampling *sampling = samplings[which[i]];
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

int32_t tavu_write(TavuEngine *e, Row **rows, int32_t num_rows, int32_t num_steps, const Sampling **samplings, const double *uniforms, int32_t *out,
                   float *logits) {
    for (int32_t first = 0; first < num_rows; first += MAX_BATCH) {
        int n = num_rows - first < MAX_BATCH ? num_rows - first : MAX_BATCH;
        size_t place = (size_t)first * (size_t)num_steps;
        float *own_logits = logits ? logits + place * NUM_IDS : NULL;
        for (int32_t step = 0; step < num_steps; step++) {
            int32_t failed = write_step(e, rows + first, n, step, num_steps, samplings + first, uniforms + place, out + place, own_logits);
            if (failed) return failed;
        }
    }
    return 0;
}

int32_t tavu_score(TavuEngine *e, const int32_t *ids, int64_t num_ids, int64_t first, float *bits, int32_t *places, float *logits) {
    const Scores scores = {first, bits, logits, places};
    Row *row = tavu_row(e);
    int is_scored = row && !reserve(row, num_ids);
    if (is_scored) {
        memcpy(row->ids, ids, (size_t)num_ids * sizeof *ids);
        row->num_ids = num_ids;
        row->insist = 1.0f;
        is_scored = e->architecture->score(e->model, row, &scores);
    }
    tavu_free_row(row);
    return is_scored ? 0 : OUT_OF_MEMORY;
}

int32_t tavu_use_kernels(int32_t which) { return use_kernels(which); }
