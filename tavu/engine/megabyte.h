/* MEGABYTE with levels of fixed patches (tavu/model/megabyte/), each over its own units, coarsest first.

Shapes: of a level D width, S bytes of a unit, G units in one unit of the level before it, its parent, or in the whole context. */
#ifndef TAVU_MEGABYTE_H
#define TAVU_MEGABYTE_H

#include "architecture.h"
#include "model_config.h"
#include "transformer.h"

typedef struct {
    int32_t dim, unit_size, units_per_parent;
    int32_t cross;                 /* so many bytes before its parent a unit of the last level also attends to */
    Matrix byte_embedding;         /* (NUM_IDS, D / S) */
    Matrix positions, from_parent; /* (max_seq_len, D / S), of the first level only; (D, parent's D / G), of the others */
    const float *pad;              /* (D): read at a parent's first unit, in place of the unit before it */
    Transformer transformer;
    int32_t max_scored_units; /* of a text that is scored, where the units of MAX_BATCH parents are read together */
} Level;

typedef struct {
    int32_t num_levels, max_seq_len;
    Level levels[MAX_LEVELS];
    Scratch scratch;
} Megabyte;

extern const Architecture megabyte_architecture;

#endif
