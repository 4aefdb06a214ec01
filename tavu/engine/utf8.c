#include "utf8.h"

#include <string.h>

enum { ONE_LEFT = 1, TWO_LEFT, THREE_LEFT, AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4, LONGEST_PART = 3 };

/* RFC 3629, section 4: in a state the bytes first..last lead to the next one. The rules of a state follow each other, BETWEEN_CHARACTERS first. */
static const struct {
    uint8_t state, first, last, next;
} rules[] = {
    {BETWEEN_CHARACTERS, 0x00, 0x7F, BETWEEN_CHARACTERS},
    {BETWEEN_CHARACTERS, 0xC2, 0xDF, ONE_LEFT},
    {BETWEEN_CHARACTERS, 0xE0, 0xE0, AFTER_E0},
    {BETWEEN_CHARACTERS, 0xE1, 0xEC, TWO_LEFT},
    {BETWEEN_CHARACTERS, 0xED, 0xED, AFTER_ED},
    {BETWEEN_CHARACTERS, 0xEE, 0xEF, TWO_LEFT},
    {BETWEEN_CHARACTERS, 0xF0, 0xF0, AFTER_F0},
    {BETWEEN_CHARACTERS, 0xF1, 0xF3, THREE_LEFT},
    {BETWEEN_CHARACTERS, 0xF4, 0xF4, AFTER_F4},
    {ONE_LEFT, 0x80, 0xBF, BETWEEN_CHARACTERS},
    {TWO_LEFT, 0x80, 0xBF, ONE_LEFT},
    {THREE_LEFT, 0x80, 0xBF, TWO_LEFT},
    {AFTER_E0, 0xA0, 0xBF, ONE_LEFT},
    {AFTER_ED, 0x80, 0x9F, ONE_LEFT},
    {AFTER_F0, 0x90, 0xBF, TWO_LEFT},
    {AFTER_F4, 0x80, 0x8F, TWO_LEFT},
};
enum { NUM_RULES = sizeof rules / sizeof *rules };

void make_utf8(Utf8 *utf8, const uint8_t *used) {
    int any[NUM_UTF8_STATES] = {1}; /* END may follow between characters */
    memset(utf8, 0, sizeof *utf8);  /* what no rule has leads between characters */
    utf8->allowed[END] = 1;
    for (int i = 0; i < NUM_RULES; i++)
        for (int byte = rules[i].first; byte <= rules[i].last; byte++) any[rules[i].state] |= !used || used[byte];
    for (int i = 0; i < NUM_RULES; i++) {
        int64_t *next_state = utf8->next_state + rules[i].state * NUM_IDS;
        uint8_t *allowed = utf8->allowed + rules[i].state * NUM_IDS;
        if (i && rules[i - 1].state != rules[i].state) /* a byte that breaks a character is read as a first byte */
            memcpy(next_state, utf8->next_state, 256 * sizeof *next_state);
        for (int byte = rules[i].first; byte <= rules[i].last; byte++)
            next_state[byte] = rules[i].next, allowed[byte] = !used || used[byte] || !any[rules[i].state];
    }
}

int32_t utf8_state_after(const Utf8 *utf8, const uint8_t *bytes, size_t size) {
    int32_t state = BETWEEN_CHARACTERS;
    for (size_t i = size < LONGEST_PART ? 0 : size - LONGEST_PART; i < size; i++) state = (int32_t)utf8->next_state[state * NUM_IDS + bytes[i]];
    return state;
}
