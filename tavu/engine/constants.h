/* What the PyTorch model has too: tests/engine/test_constants.py holds both equal. */
#ifndef TAVU_CONSTANTS_H
#define TAVU_CONSTANTS_H

/* the file */
#define FORMAT 2
#define MAX_HEADER_BYTES 4194304
#define MAX_DIMENSIONS 8
#define GROUP 32 /* columns that share a scale with 4 bits */

/* the largest config */
#define MAX_DIM 65536
#define MAX_LAYERS 256
#define MAX_SEQ_LEN 2097152
#define MAX_ROWS 1073741824
#define MAX_WORDS 65536

/* ids: 0 to 255 are bytes */
#define MARK 255 /* ends the prompt of a record */
#define END 256
#define NUM_IDS 257
#define BEGIN 257 /* stands before the first id */

/* hashes */
#define HASH_MULTIPLIER 0x9E3779B97F4A7C15u
#define HASH_MIX 0xBF58476D1CE4E5B9u
#define PAIR_MULTIPLIER 31
#define PHRASE_SALT 32
#define FINGERPRINT_SHIFT 40
#define NUM_FINGERPRINTS 65536

/* the lexicon and the pointer */
#define PROB_FLOOR 1e-3
#define PROB_UNLIKELY 1e-5
#define MAX_NEXT_BYTES 32
#define NUM_HINTS 2
#define POINTER_SHARPNESS 12.0

/* layers */
#define NORM_EPSILON 1e-5
#define ROTARY_BASE 10000.0
#define LOGIT_CAP 15.0

/* sampling */
#define GREEDY_BELOW 1e-6
#define REPEAT_BYTES 12

#endif
