/* One text as it grows, and what each kind of model does with it. */
#ifndef TAVU_ROW_H
#define TAVU_ROW_H

#include <stdint.h>

#include "scores.h"

typedef struct Kind Kind;

/* Its context are the ids from context_start on, fewer than the model's max_seq_len. */
typedef struct {
    int32_t *ids;
    int64_t num_ids, capacity, context_start;
    int32_t utf8_state, pending; /* an id drawn and not yet read, or -1 */
    float insist;                /* how much what the text was asked for counts */
    const Kind *kind;            /* of the model */
    void *state;                 /* what that remembers of the context */
} Row;

/* What the engine asks of a kind of model, made ready to run. Up to AT_ONCE rows at a time. */
struct Kind {
    void (*free_model)(void *model);
    void *(*new_state)(const void *model); /* NULL when memory ran out */
    void (*free_state)(void *state);
    int (*copy_state)(const void *model, const void *from, void *to); /* to is new; 0 when memory ran out, here and below */
    int (*read)(void *model, Row *row);                               /* the context, afresh */
    int (*go_on)(void *model, Row **rows, int n);                     /* by the last id of each row */
    float *(*next_logits)(void *model, Row **rows, int n);            /* (n, NUM_IDS), until the next call */
    int (*score)(void *model, Row *row, const Scores *scores);        /* the ids of a new row, which serves for nothing else */
};

#endif
