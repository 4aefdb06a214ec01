/* One text: its random numbers, UTF-8 and end, as tavu/generation/ has them for programs in Python. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "architecture.h"
#include "engine.h"
#include "random.h"
#include "utf8.h"

struct TavuText {
    TavuEngine *engine;
    Row *row;
    TavuOptions options;
    Sampling sampling;
    Utf8 utf8;
    Random random;
    uint8_t *bytes; /* drawn so far, and what each cost */
    float *bits;
    size_t num, capacity, num_given;
    int32_t why_ended;
};

void tavu_free_text(TavuText *text) {
    if (!text) return;
    tavu_free_row(text->row);
    free(text->bytes);
    free(text->bits);
    free(text);
}

static int read_prompt(TavuText *text, const uint8_t *prompt, size_t size) {
    int32_t *ids = malloc((size + 1) * sizeof *ids);
    if (!ids) return 0;
    ids[0] = END;
    for (size_t i = 0; i < size; i++) ids[i + 1] = prompt[i];
    int32_t state = utf8_state_after(&text->utf8, prompt, size);
    int failed = tavu_read(text->engine, text->row, ids, (int64_t)size + 1, state, (float)text->options.insist);
    free(ids);
    return !failed;
}

TavuText *tavu_read_text(TavuEngine *e, const char *prompt, size_t size, const TavuOptions *options) {
    TavuText *text = calloc(1, sizeof *text);
    if (!text) return NULL;
    text->engine = e, text->options = *options;
    seed_random(&text->random, options->seed);
    make_utf8(&text->utf8, e->knows_used ? e->used : NULL);
    text->sampling = (Sampling){
        .temperature = options->temperature,
        .top_p = options->top_p,
        .min_p = options->min_p,
        .log_penalty = log(options->repetition_penalty),
        .top_k = options->top_k && options->top_k < NUM_IDS ? (int32_t)options->top_k : NUM_IDS,
        .num_states = e->is_text ? NUM_UTF8_STATES : 0,
        .allowed = text->utf8.allowed,
        .next_state = text->utf8.next_state,
    };
    text->row = tavu_row(e);
    if (text->row && read_prompt(text, (const uint8_t *)prompt, size)) return text;
    tavu_free_text(text);
    return NULL;
}

static int make_room(TavuText *text) {
    if (text->num < text->capacity) return 1;
    size_t capacity = text->capacity ? 2 * text->capacity : 256;
    uint8_t *bytes = realloc(text->bytes, capacity);
    if (bytes) text->bytes = bytes;
    float *bits = realloc(text->bits, capacity * sizeof *bits);
    if (bits) text->bits = bits;
    if (!bytes || !bits) return 0;
    text->capacity = capacity;
    return 1;
}

static int ends_in(const TavuText *text, const char *string, size_t length) {
    return length <= text->num && !memcmp(text->bytes + text->num - length, string, length);
}

/* The bytes of the longest string to stop at that the text now ends in; 0 for none. */
static size_t find_stop(const TavuText *text) {
    size_t longest = 0;
    for (const char *const *stop = text->options.stop; stop && *stop; stop++) {
        size_t length = strlen(*stop);
        if (length > longest && ends_in(text, *stop, length)) longest = length;
    }
    return longest;
}

/* How many of the last bytes may be the beginning of a string to stop at. */
static size_t num_held(const TavuText *text) {
    size_t held = 0;
    for (const char *const *stop = text->options.stop; stop && *stop; stop++)
        for (size_t length = strlen(*stop); length-- > held + 1;)
            if (ends_in(text, *stop, length)) held = length;
    return held;
}

/* How many of the last bytes are of a character that is not whole. */
static size_t num_pending(const TavuText *text) {
    size_t n = 0;
    if (!text->engine->is_text || text->row->utf8_state == BETWEEN_CHARACTERS) return 0;
    while (n < text->num && text->bytes[text->num - ++n] < 0xC0) continue;
    return n;
}

/* Draw one more id. 0, NOT_A_NUMBER, or OUT_OF_MEMORY. */
static int32_t draw(TavuText *text) {
    const Sampling *sampling = &text->sampling;
    double uniform = next_uniform(&text->random);
    float logits[NUM_IDS];
    int32_t id, failed = make_room(text) ? tavu_write(text->engine, &text->row, 1, 1, &sampling, &uniform, &id, logits) : OUT_OF_MEMORY;
    if (failed) return failed;
    if (id == END) {
        text->why_ended = TAVU_END;
        return 0;
    }
    text->bits[text->num] = bits_of(logits, id);
    text->bytes[text->num++] = (uint8_t)id;
    size_t stopped = find_stop(text);
    if (stopped) {
        text->why_ended = TAVU_STOP;
        text->num -= stopped;
    } else if (text->num == text->options.max_bytes) {
        text->why_ended = TAVU_LENGTH;
        text->num -= num_pending(text);
    }
    return 0;
}

int32_t tavu_write_text(TavuText *text, uint8_t *bytes, float *bits, int32_t room) {
    size_t certain = 0;
    for (;;) {
        size_t held = num_held(text), pending = num_pending(text);
        certain = text->why_ended ? text->num : text->num - (held > pending ? held : pending);
        if (text->why_ended || certain >= text->num_given + (size_t)room) break;
        int32_t failed = draw(text);
        if (failed) return failed;
    }
    size_t num = certain - text->num_given < (size_t)room ? certain - text->num_given : (size_t)room;
    if (num) memcpy(bytes, text->bytes + text->num_given, num);
    if (num && bits) memcpy(bits, text->bits + text->num_given, num * sizeof *bits);
    text->num_given += num;
    return (int32_t)num;
}

int32_t tavu_why_ended(const TavuText *text) { return text->why_ended; }
