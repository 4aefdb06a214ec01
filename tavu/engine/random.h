/* Random numbers as numpy's default_rng(seed).random() gives them: PCG64 (XSL RR 128/64; O'Neill 2014, HMC-CS-2014-0905), seeded by SeedSequence. */
#ifndef TAVU_RANDOM_H
#define TAVU_RANDOM_H

#include <stdint.h>

/* An integer of 128 bits, which standard C lacks. */
typedef struct {
    uint64_t high, low;
} Wide;

typedef struct {
    Wide state, increment;
} Random;

void seed_random(Random *random, uint64_t seed);
double next_uniform(Random *random); /* in [0, 1) */

#endif
