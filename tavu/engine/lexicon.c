#include "lexicon.h"

#include <stdlib.h>
#include <string.h>

static uint64_t prefix_key(int64_t row, int32_t fingerprint) { return (uint64_t)row * NUM_FINGERPRINTS + (uint64_t)fingerprint; }

static int by_key(const void *a, const void *b) {
    const Prefix *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    int32_t more = (y->end_word - y->first_word) - (x->end_word - x->first_word);
    return more ? more : x->first_word - y->first_word;
}

static int by_number_of_words(const void *a, const void *b) {
    const NextByte *x = a, *y = b;
    int32_t more = (y->end_word - y->first_word) - (x->end_word - x->first_word);
    return more ? more : x->first_word - y->first_word;
}

static int is_before(const uint8_t *a, int length_a, const uint8_t *b, int length_b) {
    int order = memcmp(a, b, (size_t)(length_a < length_b ? length_a : length_b));
    return order ? order < 0 : length_a < length_b;
}

int is_lexicon_sound(const uint8_t *spellings, const uint8_t *lengths, int32_t num_words, int32_t width) {
    for (int32_t i = 0; i < num_words; i++, spellings += width) {
        if (lengths[i] > width || (i && lengths[i] && !lengths[i - 1])) return 0;
        if (i && lengths[i] && !is_before(spellings - width, lengths[i - 1], spellings, lengths[i])) return 0;
    }
    return 1;
}

/* A prefix while words with it come. */
typedef struct {
    uint64_t hash;
    int32_t first_word, num_next_bytes;
    NextByte next_bytes[256];
} OpenPrefix;

static void close_prefix(Lexicon *lexicon, const HashConfig *hashes, OpenPrefix *open, int32_t *num_next_bytes) {
    Prefix *prefix = &lexicon->prefixes[lexicon->num_prefixes++];
    int64_t row;
    int32_t fingerprint;
    find_row(hashes, open->hash, 0, &row, &fingerprint);
    *prefix = (Prefix){prefix_key(row, fingerprint), *num_next_bytes, open->num_next_bytes, open->first_word,
                       open->next_bytes[open->num_next_bytes - 1].end_word};
    if (open->num_next_bytes > MAX_NEXT_BYTES) {
        qsort(open->next_bytes, (size_t)open->num_next_bytes, sizeof *open->next_bytes, by_number_of_words);
        prefix->num_next_bytes = MAX_NEXT_BYTES;
    }
    memcpy(lexicon->next_bytes + *num_next_bytes, open->next_bytes, (size_t)prefix->num_next_bytes * sizeof *open->next_bytes);
    *num_next_bytes += prefix->num_next_bytes;
}

/* One pass over the words in order. */
int make_prefixes(Lexicon *lexicon, const HashConfig *hashes, const uint8_t *spellings, const uint8_t *lengths, int32_t width, Arena *arena) {
    size_t total = 0;
    for (int32_t i = 0; i < lexicon->num_words; i++) total += lengths[i];
    lexicon->prefixes = allocate(arena, total, sizeof *lexicon->prefixes);
    lexicon->next_bytes = allocate(arena, total, sizeof *lexicon->next_bytes);
    OpenPrefix *open = calloc((size_t)width, sizeof *open); /* by length */
    if (!open || !lexicon->prefixes || !lexicon->next_bytes) {
        free(open);
        return 0;
    }
    int32_t depth = 0, num_next_bytes = 0; /* prefixes shorter than depth are open */
    const uint8_t *before = NULL;
    for (int32_t i = 0; i < lexicon->num_words && lengths[i]; i++) {
        const uint8_t *word = spellings + (size_t)i * (size_t)width;
        int32_t length = lengths[i], common = 0;
        while (before && common < depth && common < length && word[common] == before[common]) common++;
        int32_t keep = before ? (common + 1 < depth ? common + 1 : depth) : 0;
        while (depth > keep) close_prefix(lexicon, hashes, &open[--depth], &num_next_bytes);
        for (int32_t j = depth; j < length; j++, depth++) {
            open[j].hash = j ? open[j - 1].hash + ((uint64_t)word[j - 1] + 1) * hashes->powers[j - 1] : 0;
            open[j].first_word = i, open[j].num_next_bytes = 0;
        }
        for (int32_t j = 0; j < length; j++) {
            OpenPrefix *prefix = &open[j];
            NextByte *last = prefix->num_next_bytes ? &prefix->next_bytes[prefix->num_next_bytes - 1] : NULL;
            if (last && last->byte == word[j])
                last->end_word = i + 1;
            else
                prefix->next_bytes[prefix->num_next_bytes++] = (NextByte){i, i + 1, word[j]};
        }
        before = word;
    }
    while (depth > 0) close_prefix(lexicon, hashes, &open[--depth], &num_next_bytes);
    free(open);
    if (lexicon->num_prefixes) qsort(lexicon->prefixes, (size_t)lexicon->num_prefixes, sizeof *lexicon->prefixes, by_key);
    return 1;
}

static double sum_of(const float *x, int32_t first, int32_t end) {
    double sum[4] = {0};
    for (; first + 4 <= end; first += 4)
        for (int j = 0; j < 4; j++) sum[j] += (double)x[first + j];
    for (; first < end; first++) sum[0] += (double)x[first];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void add_lexicon_logits(const Lexicon *lexicon, const float *word_probs, int64_t row, int32_t fingerprint, float *logits) {
    uint64_t key = prefix_key(row, fingerprint);
    int32_t low = 0, high = lexicon->num_prefixes;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (lexicon->prefixes[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == lexicon->num_prefixes || lexicon->prefixes[low].key != key) return;
    const Prefix *prefix = &lexicon->prefixes[low];
    const NextByte *next = lexicon->next_bytes + prefix->next_bytes;
    double probs[MAX_NEXT_BYTES], total = PROB_UNLIKELY;
    for (int32_t i = 0; i < prefix->num_next_bytes; i++) probs[i] = sum_of(word_probs, next[i].first_word, next[i].end_word);
    if (prefix->num_next_bytes < MAX_NEXT_BYTES)
        for (int32_t i = 0; i < prefix->num_next_bytes; i++) total += probs[i];
    else
        total += sum_of(word_probs, prefix->first_word, prefix->end_word);
    for (int32_t i = 0; i < prefix->num_next_bytes; i++)
        logits[next[i].byte] += lexicon->strength * log1pf((float)(probs[i] / total) / (float)PROB_FLOOR);
}
