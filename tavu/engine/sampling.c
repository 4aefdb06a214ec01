#include "sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double logit;
    int32_t id;
} Ranked;

static int by_logit(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id - y->id;
}

static void keep_top_k_and_top_p(double *weights, const double *logits, const Sampling *sampling) {
    Ranked ranked[NUM_IDS];
    for (int i = 0; i < NUM_IDS; i++) ranked[i] = (Ranked){logits[i], i};
    qsort(ranked, NUM_IDS, sizeof ranked[0], by_logit);
    for (int i = sampling->top_k; i < NUM_IDS; i++) weights[ranked[i].id] = 0;
    double total = 0, mass = 0;
    if (sampling->top_p >= 1) return;
    for (int i = 0; i < NUM_IDS; i++) total += weights[ranked[i].id];
    for (int i = 0; i < NUM_IDS; i++) { /* drop an id when those before it hold top_p already */
        double weight = weights[ranked[i].id];
        if (i && mass >= sampling->top_p * total) weights[ranked[i].id] = 0;
        mass += weight;
    }
}

int32_t sample(const float *logits, const Sampling *sampling, double uniform, const uint8_t *allowed) {
    double masked[NUM_IDS], weights[NUM_IDS], peak = -INFINITY;
    int32_t best = -1;
    for (int i = 0; i < NUM_IDS; i++) {
        masked[i] = allowed && !allowed[i] ? -INFINITY : (double)logits[i];
        if (isnan(masked[i])) return NOT_A_NUMBER;
        if (!(allowed && !allowed[i]) && (best < 0 || masked[i] > peak)) best = i, peak = masked[i];
    }
    if (sampling->temperature < GREEDY_BELOW) return best;
    if (isinf(peak)) { /* the ids at the peak are equally likely */
        for (int i = 0; i < NUM_IDS; i++) masked[i] = masked[i] == peak && !(allowed && !allowed[i]) ? 0 : -INFINITY;
        peak = 0;
    }
    for (int i = 0; i < NUM_IDS; i++) weights[i] = exp((masked[i] - peak) / sampling->temperature);
    if (sampling->top_k < NUM_IDS || sampling->top_p < 1) keep_top_k_and_top_p(weights, masked, sampling);
    double mass = 0, total = 0;
    for (int i = 0; i < NUM_IDS; i++) {
        if (weights[i] < sampling->min_p) weights[i] = 0;
        total += weights[i];
    }
    for (int i = 0; i < NUM_IDS; i++) { /* never an id of weight 0, which leaves the mass as it was */
        mass += weights[i];
        if (mass > uniform * total) return i;
    }
    return best;
}

void penalize(float *logits, const int32_t *ids, int64_t num_ids, double log_penalty) {
    const int32_t *recent = ids + num_ids - (REPEAT_BYTES - 1);
    if (num_ids < REPEAT_BYTES) return;
    for (int i = 0; i < REPEAT_BYTES - 1; i++)
        if (recent[i] == END) return;
    for (int64_t i = REPEAT_BYTES - 1; i < num_ids; i++)
        if (ids[i - 1] == recent[REPEAT_BYTES - 2] && ids[i] != END &&
            !memcmp(ids + i - (REPEAT_BYTES - 1), recent, (REPEAT_BYTES - 1) * sizeof *ids))
            logits[ids[i]] -= (float)log_penalty;
}
