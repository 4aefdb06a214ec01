/* The automaton of valid UTF-8, as tavu/generation/text.py has it: tests hold both equal. */
#ifndef TAVU_UTF8_H
#define TAVU_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "constants.h"

enum { BETWEEN_CHARACTERS, NUM_UTF8_STATES = 8 };

typedef struct {
    uint8_t allowed[NUM_UTF8_STATES * NUM_IDS];    /* (states, ids): may follow, END only between characters */
    int64_t next_state[NUM_UTF8_STATES * NUM_IDS]; /* also after what may not follow: then the broken character is dropped */
} Utf8;

/* Only bytes that are used (256) may follow, except in states where none of them may; or NULL. */
void make_utf8(Utf8 *utf8, const uint8_t *used);
int32_t utf8_state_after(const Utf8 *utf8, const uint8_t *bytes, size_t size);

#endif
