/* The bits that the ids of a text cost a model, given those before them. */
#ifndef TAVU_SCORES_H
#define TAVU_SCORES_H

#include <stdint.h>

/* Outputs for the N ids from `first` on. */
typedef struct {
    int64_t first;
    float *bits, *logits; /* (N), and (N, NUM_IDS) or NULL */
    int32_t *places;      /* (N): place of each id in its patch */
} Scores;

float bits_of(const float *logits, int32_t id); /* -log2 of its probability; NaN where any logit is */
/* The score of the id at `index`, which these logits (NUM_IDS) predicted. */
void put_score(const Scores *scores, int64_t index, int32_t id, int32_t place_in_patch, const float *logits);

#endif
