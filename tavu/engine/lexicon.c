#include "lexicon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FOLLOWING = 32 };
static const float FLOOR = 1e-3f;
static const double UNLIKELY = 1e-5;

static uint64_t beginning_key(int64_t row, int32_t name) { return (uint64_t)row << 16 | (uint64_t)name; }

static int by_key(const void *a, const void *b) {
    const Node *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    int32_t more = (y->past - y->first) - (x->past - x->first);
    return more ? more : x->first - y->first;
}

static int by_number_of_words(const void *a, const void *b) {
    const Following *x = a, *y = b;
    int32_t more = (y->past - y->first) - (x->past - x->first);
    return more ? more : x->first - y->first;
}

/* One pass over the words in order: each beginning is open while words with it come. What follows is kept in the order of closing. */
int build_lexicon(Lexicon *lexicon, const Reading *reading, const uint8_t *spellings, const uint8_t *lengths, int32_t num_words, int32_t width) {
    size_t total = 0;
    memset(lexicon, 0, sizeof *lexicon);
    lexicon->num_words = num_words;
    for (int32_t i = 0; i < num_words; i++) total += lengths[i];
    if (total == 0) return 1;
    typedef struct {
        uint64_t hash;
        int32_t first, num_following;
        Following following[256];
    } Open;
    Open *open = calloc((size_t)width, sizeof *open); /* by the length of the beginning */
    lexicon->nodes = calloc(total, sizeof *lexicon->nodes);
    lexicon->followings = calloc(total, sizeof *lexicon->followings);
    if (!open || !lexicon->nodes || !lexicon->followings) {
        free(open);
        free_lexicon(lexicon);
        return 0;
    }
    int32_t depth = 0, num_followings = 0; /* beginnings shorter than depth are open */
    const uint8_t *before = NULL;
    for (int32_t i = 0; i <= num_words; i++) {
        const uint8_t *word = spellings + (size_t)i * (size_t)width;
        int32_t length = i < num_words ? lengths[i] : 0, common = 0;
        if (i < num_words && length == 0) continue;
        while (before && common < depth && common < length && word[common] == before[common]) common++;
        int32_t keep = before && length ? (common + 1 < depth ? common + 1 : depth) : 0;
        while (depth > keep) { /* close what the word does not begin with */
            Open *o = &open[--depth];
            Node *node = &lexicon->nodes[lexicon->num_nodes++];
            int64_t row;
            int32_t name;
            name_run(reading, o->hash, 0, &row, &name);
            *node = (Node){beginning_key(row, name), num_followings, o->num_following, o->first, o->following[o->num_following - 1].past};
            if (o->num_following > MAX_FOLLOWING) {
                qsort(o->following, (size_t)o->num_following, sizeof *o->following, by_number_of_words);
                node->num_following = MAX_FOLLOWING;
            }
            memcpy(lexicon->followings + num_followings, o->following, (size_t)node->num_following * sizeof *o->following);
            num_followings += node->num_following;
        }
        for (int32_t j = depth; j < length; j++, depth++) {
            open[j].hash = j ? open[j - 1].hash + ((uint64_t)word[j - 1] + 1) * reading->powers[j - 1] : 0;
            open[j].first = i, open[j].num_following = 0;
        }
        for (int32_t j = 0; j < length; j++) {
            Open *o = &open[j];
            Following *last = o->num_following ? &o->following[o->num_following - 1] : NULL;
            if (last && last->byte == word[j])
                last->past = i + 1;
            else
                o->following[o->num_following++] = (Following){i, i + 1, word[j]};
        }
        before = word;
    }
    free(open);
    qsort(lexicon->nodes, (size_t)lexicon->num_nodes, sizeof *lexicon->nodes, by_key);
    return 1;
}

void free_lexicon(Lexicon *lexicon) {
    free(lexicon->nodes);
    free(lexicon->followings);
    memset(lexicon, 0, sizeof *lexicon);
}

static double sum_of(const float *x, int32_t first, int32_t past) {
    double sum[4] = {0};
    for (; first + 4 <= past; first += 4)
        for (int j = 0; j < 4; j++) sum[j] += (double)x[first + j];
    for (; first < past; first++) sum[0] += (double)x[first];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void add_lexicon_scores(const Lexicon *lexicon, const float *expected, int64_t row, int32_t name, float strength, float *scores) {
    uint64_t key = beginning_key(row, name);
    int32_t low = 0, high = lexicon->num_nodes;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (lexicon->nodes[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == lexicon->num_nodes || lexicon->nodes[low].key != key) return;
    const Node *node = &lexicon->nodes[low];
    const Following *following = lexicon->followings + node->following;
    double shares[MAX_FOLLOWING], whole = UNLIKELY;
    for (int32_t i = 0; i < node->num_following; i++) shares[i] = sum_of(expected, following[i].first, following[i].past);
    if (node->num_following < MAX_FOLLOWING)
        for (int32_t i = 0; i < node->num_following; i++) whole += shares[i];
    else
        whole += sum_of(expected, node->first, node->past);
    for (int32_t i = 0; i < node->num_following; i++) scores[following[i].byte] += strength * log1pf((float)(shares[i] / whole) / FLOOR);
}
