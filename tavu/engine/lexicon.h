/* What is expected of the next word, told byte by byte: words of the lexicon (tavu/model/lexicon.py). */
#ifndef TAVU_LEXICON_H
#define TAVU_LEXICON_H

#include "reader.h"

typedef struct {
    int32_t first, past; /* the words that go on with the byte */
    uint8_t byte;
} Following;

typedef struct {
    uint64_t key; /* of the beginning: its row and name */
    int32_t following, num_following, first, past;
} Node;

typedef struct {
    int32_t num_words, num_nodes;
    Node *nodes; /* by key, and of equal ones that of most words first */
    Following *followings;
} Lexicon;

/* spellings (num_words, width) uint8, lengths (num_words): sorted, all different, those of length 0 last. 0 when memory ran out. */
int build_lexicon(Lexicon *lexicon, const Reading *reading, const uint8_t *spellings, const uint8_t *lengths, int32_t num_words, int32_t width);
void free_lexicon(Lexicon *lexicon);
void add_lexicon_scores(const Lexicon *lexicon, const float *expected, int64_t row, int32_t name, float strength, float *scores);

#endif
