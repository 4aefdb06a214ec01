/* What the ids of a text cost a model, given those before them. */
#ifndef TAVU_SCORES_H
#define TAVU_SCORES_H

#include <stdint.h>

/* Where the scores of the ids from `first` on go: N ids. */
typedef struct {
    int64_t first;
    float *bits, *logits; /* (N), and (N, NUM_IDS) or NULL: those that each id was scored by */
    int32_t *places;      /* (N), of each id in its patch */
} Scores;

/* Score the id that stands `index` ids after the start of the context, before which the logits (NUM_IDS) were predicted. */
void put_score(const Scores *scores, int64_t index, int32_t id, int32_t place_in_patch, const float *logits);

#endif
