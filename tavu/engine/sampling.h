/* Logits -> id, in the steps and the double precision of tavu/generation/sampling.py. */
#ifndef TAVU_SAMPLING_H
#define TAVU_SAMPLING_H

#include <stdint.h>

#include "constants.h"

typedef struct {
    double temperature, top_p, min_p, log_penalty; /* top_p 1, min_p 0 and log_penalty 0: not used */
    int32_t top_k;                                 /* NUM_IDS: not used */
    int32_t num_states;                            /* of the automaton of UTF-8; 0: any id may follow */
    const uint8_t *allowed;                        /* (num_states, NUM_IDS) */
    const int64_t *next_state;                     /* (num_states, NUM_IDS) */
} Sampling;

enum { NOT_A_NUMBER = -1 };

/* One id drawn at a uniform in [0, 1), or NOT_A_NUMBER. allowed (NUM_IDS) or NULL. */
int32_t sample(const float *logits, const Sampling *sampling, double uniform, const uint8_t *allowed);
/* Lower the logits of ids that would complete a repeat (see RepetitionTracker). */
void penalize(float *logits, const int32_t *ids, int64_t num_ids, double log_penalty);

#endif
