/* The words of a text, and the probabilities that they are copied next (tavu/model/words/pointer.py).

   Shapes: M patches that there is room for, E pointer width. A word is the one that a patch spells; its key and probability are at the patch after
   it. */
#ifndef TAVU_POINTER_H
#define TAVU_POINTER_H

#include "hashing.h"
#include "matrix.h"

typedef struct {
    int32_t dim; /* E; 0: no pointer */
    Matrix query, key, hint_gate;
    float sharpness, strength[2], hint_bias[NUM_HINTS];
} Pointer;

typedef struct {
    int64_t *letters_begin, *letters_end; /* of each word, in ids */
    uint64_t *words;                      /* their hashes */
    uint8_t *is_requested, *is_written;   /* whether each comes before the document's last mark, and whether it was written after one */
    int32_t *candidates, num_candidates;  /* words that begin with the letters of the unfinished one */
    int32_t num_patches, document_begin;  /* patches with the unfinished one; the document's first */
    uint8_t has_mark, is_after_mark;      /* of the unfinished patch, of the document */
    float insist;                         /* scales the learned gate of requested words */
    float *keys, *copy_probs;             /* (M, E), (M): of the word before each patch */
} PointerState;

/* Give it arrays of its own for M patches, with the first num_kept of those that `state` points to, whose owner frees them; 0 when memory ran out. */
int make_pointer_state(PointerState *state, int32_t max_patches, int32_t dim, int32_t num_kept);
void free_pointer_state(PointerState *state);
void reset_pointer(PointerState *state);
void pointer_read_id(PointerState *state, const int32_t *ids, int64_t index, int32_t num_letters); /* num_letters of its patch come before it */
void pointer_end_patch(PointerState *state, uint64_t word, int32_t last_id);
void pointer_begin_patch(PointerState *state);
/* From the query (E) and hint gates (NUM_HINTS, E) of the patch that has just begun. */
void compute_copy_probs(const Pointer *pointer, PointerState *state, float *query, const float *hint_gates);
void add_copy_logits(const Pointer *pointer, const PointerState *state, const int32_t *ids, int32_t num_letters, float *logits);
void to_unit_length(float *x, int width);

#endif
