/* The words of a text as they are spelled, and which of them are expected to come again (tavu/model/pointer.py, SpelledWords in patching.py).

Shapes: M patches that there is room for, E pointer width. A word is the one that a patch spells; its key and what is expected of it stand one place further on, at
the patch after it. */
#ifndef TAVU_POINTER_H
#define TAVU_POINTER_H

#include "matrix.h"
#include "reader.h"

enum { NUM_HINTS = 2 };

typedef struct {
    int32_t dim; /* E; 0: no pointer */
    Matrix query, key, urge;
    float sharpness, strength[2], urge_bias[NUM_HINTS];
} Pointer;

typedef struct {
    int64_t *letters_begin, *letters_end;     /* of each word, in ids */
    uint64_t *words;                          /* their hashes */
    uint8_t *asked, *written;                 /* which stand before the document's last mark, and which have come again after one */
    int32_t *candidates, num_candidates;      /* those whose letters begin as those of the unfinished one */
    int32_t num_patches, begin_document;      /* with the unfinished one; the document's first */
    uint8_t has_mark, is_answer;              /* in the unfinished patch; before it in the document */
    float insist;                             /* how much what was asked for counts, times what was learned */
    float *keys, *again;                      /* (M, E), (M): how much is expected of the word before each patch, in shares of 1 */
} Spelled;

/* Give it arrays of its own for M patches, the first num_kept of them those that `spelled` points to, whose owner frees them; 0 when memory ran out. */
int make_spelled(Spelled *spelled, int32_t max_patches, int32_t dim, int32_t num_kept);
void free_spelled(Spelled *spelled);
void begin_spelled(Spelled *spelled);
void spell(Spelled *spelled, const int32_t *ids, int64_t place, int32_t num_letters); /* the id at place, after so many letters of its patch */
void end_patch(Spelled *spelled, uint64_t word, int32_t last_id);
void begin_patch(Spelled *spelled);
/* From a query (E) and urges (NUM_HINTS, E) of the patch that has just begun. */
void expect_again(const Pointer *pointer, Spelled *spelled, float *query, const float *urges);
void add_pointer_scores(const Pointer *pointer, const Spelled *spelled, const int32_t *ids, int32_t num_letters, float *scores);
void unit_length(float *x, int width);

#endif
