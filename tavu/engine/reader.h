/* What the model reads at the next position, id by id: where patches begin, and names (hashes) for runs of ids (tavu/model/patching.py). */
#ifndef TAVU_READER_H
#define TAVU_READER_H

#include <stdint.h>

enum { MARK = 255, END = 256, BEGIN = 257, NUM_IDS = 257, MAX_ORDERS = 20, MAX_WINDOW = 16, MAX_PHRASE = 5, MAX_PATCH = 255 };

typedef struct {
    int32_t max_patch_size, num_ngrams, num_phrases;
    int32_t ngrams[MAX_ORDERS], phrases[MAX_ORDERS];
    uint64_t salts[MAX_ORDERS], masks[MAX_ORDERS], starts[MAX_ORDERS]; /* of the word so far, of each n-gram, of each phrase */
    uint64_t powers[MAX_PHRASE * MAX_PATCH + 1];
} Reading;

typedef struct {
    uint64_t runs[MAX_PHRASE], letters, word, word_before;
    int32_t sizes[MAX_PHRASE], num_letters, last_id;
    uint64_t recent[MAX_WINDOW]; /* the last ids + 1, the newest first */
    uint8_t begins, after_letter;
} Reader;

void prepare_reading(Reading *reading); /* fills in powers */
void begin_reading(Reader *reader);
void read_id(const Reading *reading, Reader *reader, int32_t id);
int is_letter(int32_t id);
uint64_t mixed(uint64_t hash);
int name_runs(const Reading *reading, const Reader *reader, int64_t *rows, int32_t *names); /* how many */
void name_run(const Reading *reading, uint64_t hash, int which, int64_t *row, int32_t *name);

#endif
