/* The interface for Python: beside tavu.h, several texts at a time, sampled at given random numbers, and scored. */
#ifndef TAVU_ENGINE_H
#define TAVU_ENGINE_H

#include "sampling.h"
#include "tavu.h"

typedef struct Row Row; /* one text as it grows */

enum { OUT_OF_MEMORY = -2 };

/* A new text, for any engine of the same file; NULL when memory ran out, here and below. */
TAVU_PUBLIC Row *tavu_row(const TavuEngine *engine);
TAVU_PUBLIC Row *tavu_copy_row(const TavuEngine *engine, const Row *row);
TAVU_PUBLIC void tavu_free_row(Row *row);
/* Read ids, each in 0..256 and the first of a document END, into a new row, whose text then has this state of Sampling's UTF-8 automaton. insist
   scales the learned gate of requested words. 0, or OUT_OF_MEMORY. */
TAVU_PUBLIC int32_t tavu_read(TavuEngine *engine, Row *row, const int32_t *ids, int64_t num_ids, int32_t utf8_state, float insist);
/* Write num_steps ids in each of num_rows rows, each sampled its own way: uniforms, out (num_rows, num_steps). A row that has ended gets END until
   the last step. Where they are asked for (not NULL), logits (num_rows, num_steps, NUM_IDS) before any penalty or temperature. 0, NOT_A_NUMBER, or
   OUT_OF_MEMORY. */
TAVU_PUBLIC int32_t tavu_write(TavuEngine *engine, Row **rows, int32_t num_rows, int32_t num_steps, const Sampling **samplings,
                               const double *uniforms, int32_t *out, float *logits);
/* The bits that each of ids from `first` on costs given those before it (num_ids - first), and its place in its patch. Where they are asked for (not
   NULL), logits (num_ids - first, NUM_IDS). There are max_seq_len ids at most, and any may be the first. 0, or OUT_OF_MEMORY. */
TAVU_PUBLIC int32_t tavu_score(TavuEngine *engine, const int32_t *ids, int64_t num_ids, int64_t first, float *bits, int32_t *places, float *logits);
TAVU_PUBLIC int32_t tavu_use_kernels(int32_t which); /* for tests: one of matrix.h from now on; 0 where this processor lacks them */

#endif
