/* The functions of each architecture (words.c, megabyte.c), and the texts that they work on. */
#ifndef TAVU_ARCHITECTURE_H
#define TAVU_ARCHITECTURE_H

#include "arena.h"
#include "scores.h"

typedef struct Architecture Architecture;

struct TavuEngine {
    const Architecture *architecture;
    void *model;
    int32_t max_seq_len;
    int32_t is_text, knows_used; /* facts of its training text: whether it is text, not raw bytes, and the bytes in it are known */
    uint8_t used[256];
    Arena arena; /* of the model */
};

/* One text. Its context is the ids from context_start on, fewer than max_seq_len. */
typedef struct Row {
    int32_t *ids;
    int64_t num_ids, capacity, context_start;
    int32_t utf8_state, pending; /* an id drawn and not yet read, or -1 */
    float insist;                /* scales the learned gate of requested words */
    const Architecture *architecture;
    void *cache; /* the architecture's, of the context */
} Row;

/* Functions of up to MAX_BATCH rows at a time. */
struct Architecture {
    void *(*new_cache)(const void *model); /* NULL when memory ran out */
    void (*free_cache)(void *cache);
    int (*copy_cache)(const void *model, const void *from, void *to); /* to a new one; 0 when memory ran out, here and below */
    int (*prefill)(void *model, Row *row);                            /* read the context from its start */
    int (*step)(void *model, Row **rows, int n);                      /* read the last id of each row */
    float *(*next_logits)(void *model, Row **rows, int n);            /* (n, NUM_IDS), until the next call */
    int (*score)(void *model, Row *row, const Scores *scores);        /* the ids of a new row, which is then used up */
};

#endif
