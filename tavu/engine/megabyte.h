/* MEGABYTE's levels of fixed patches (tavu/model/megabyte.py), each reading one unit at a time.

Shapes: of a level D width, S bytes of a unit, G units in one unit of the level before it, its parent, or in the whole context; K layers. */
#ifndef TAVU_MEGABYTE_H
#define TAVU_MEGABYTE_H

#include "row.h"
#include "transformer.h"

typedef struct {
    int32_t dim, num_layers, num_heads, unit_size, units_per_parent;
    int32_t cross; /* so many bytes before its parent a unit of the last level also attends to */
    Matrix byte_embedding;         /* (NUM_IDS, D / S) */
    Matrix positions, from_parent; /* (max_seq_len, D / S), of the first level only; (D, parent's D / G), of the others */
    const float *pad;              /* (D): what stands before a parent's first unit */
    const Block *blocks;
} Level;

typedef struct {
    int32_t num_levels, max_seq_len;
    const Level *levels;
} Megabyte;

extern const Kind megabyte_kind;
void *prepare_megabyte(const Megabyte *model); /* for megabyte_kind; NULL when memory ran out */

#endif
