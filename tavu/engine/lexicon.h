/* From probabilities of whole words to logits of the next byte (tavu/model/words/lexicon.py): a tree of the prefixes of all words of the lexicon. */
#ifndef TAVU_LEXICON_H
#define TAVU_LEXICON_H

#include "arena.h"
#include "hashing.h"
#include "matrix.h"

/* Words are numbered in order, so those that share a prefix are a range, from first_word to before end_word. */
typedef struct {
    int32_t first_word, end_word;
    uint8_t byte;
} NextByte;

typedef struct {
    uint64_t key; /* of the prefix: its row and fingerprint */
    int32_t next_bytes, num_next_bytes, first_word, end_word;
} Prefix;

typedef struct {
    int32_t num_words; /* 0: no lexicon */
    Matrix words;
    const float *bias;
    float strength;
    int32_t num_prefixes;
    Prefix *prefixes; /* by key, and of equal ones that of most words first */
    NextByte *next_bytes;
} Lexicon;

/* Whether spellings (num_words, width) are strictly in order, none longer than width, and those of length 0 last. */
int is_lexicon_sound(const uint8_t *spellings, const uint8_t *lengths, int32_t num_words, int32_t width);
/* The tree of sound spellings; 0 when memory ran out. */
int make_prefixes(Lexicon *lexicon, const HashConfig *hashes, const uint8_t *spellings, const uint8_t *lengths, int32_t width, Arena *arena);
/* Add to logits from word_probs (num_words), after the prefix of this row and fingerprint. */
void add_lexicon_logits(const Lexicon *lexicon, const float *word_probs, int64_t row, int32_t fingerprint, float *logits);

#endif
