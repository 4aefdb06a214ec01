/* The loop that writes: what tavu/engine/native.py calls.

Every pointer that comes in is checked by its caller: sizes fit, and what indexes is in range (tavu/engine/weights.py). */
#ifndef TAVU_ENGINE_H
#define TAVU_ENGINE_H

#include "megabyte.h"
#include "sampling.h"
#include "words.h"

typedef struct Engine Engine;

enum { OUT_OF_MEMORY = -2 };

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

/* NULL when memory ran out, here and below. What a model points to must outlive its engine. */
PUBLIC Engine *tavu_words_engine(const Words *model);
PUBLIC Engine *tavu_megabyte_engine(const Megabyte *model);
PUBLIC void tavu_free_engine(Engine *engine);
PUBLIC Row *tavu_row(const Engine *engine);
PUBLIC Row *tavu_copy_row(const Engine *engine, const Row *row);
PUBLIC void tavu_free_row(Row *row);
/* Read ids, each in 0..256, into a fresh row; then utf8_state is the state of Sampling's automaton. What the text was asked for counts insist times
   as much as was learned. 0, or OUT_OF_MEMORY. */
PUBLIC int32_t tavu_read(Engine *engine, Row *row, const int32_t *ids, int64_t num_ids, int32_t utf8_state, float insist);
/* Write num_steps ids in each of num_rows rows, each sampled its own way: uniforms, out (num_rows, num_steps). A row that has ended gets END until
   the last step. Where asked for (not NULL), logits (num_rows, num_steps, NUM_IDS) before any penalty or temperature. 0, NOT_A_NUMBER, or
   OUT_OF_MEMORY. */
PUBLIC int32_t tavu_write(Engine *engine, Row **rows, int32_t num_rows, int32_t num_steps, const Sampling **samplings, const double *uniforms,
                          int32_t *out, float *logits);
/* What each of ids from `first` on costs given those before it, in bits (num_ids - first), and its place in its patch. Where asked for (not NULL), logits
   (num_ids - first, NUM_IDS). ids are max_seq_len at most, and any may stand at the start. 0, or OUT_OF_MEMORY. */
PUBLIC int32_t tavu_score(Engine *engine, const int32_t *ids, int64_t num_ids, int64_t first, float *bits, int32_t *places, float *logits);
PUBLIC int32_t tavu_sizes(int32_t which); /* of the structures above in bytes: what a caller of another layout notices */
PUBLIC int32_t tavu_use_kernels(int32_t which); /* for tests: one of matrix.h from now on; 0 where this processor lacks them */

#endif
