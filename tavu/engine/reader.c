#include "reader.h"

#include <string.h>

static const uint64_t MULTIPLIER = 0x9E3779B97F4A7C15u, MIX = 0xBF58476D1CE4E5B9u;

uint64_t mixed(uint64_t hash) {
    hash = (hash ^ hash >> 29) * MIX;
    return hash ^ hash >> 32;
}

int is_letter(int32_t id) {
    return (id >= 128 && id < 256) || (id >= '0' && id <= '9') || (id >= 'A' && id <= 'Z') || (id >= 'a' && id <= 'z');
}

void prepare_reading(Reading *reading) {
    reading->powers[0] = 1;
    for (int i = 1; i < MAX_PHRASE * MAX_PATCH + 1; i++) reading->powers[i] = reading->powers[i - 1] * MULTIPLIER;
}

void begin_reading(Reader *reader) {
    memset(reader, 0, sizeof *reader);
    reader->begins = 1;
    reader->last_id = BEGIN;
}

void read_id(const Reading *reading, Reader *reader, int32_t id) {
    int letter = is_letter(id);
    uint64_t value = (uint64_t)id + 1;
    for (int i = 0; i < MAX_PHRASE; i++) reader->runs[i] += value * reading->powers[reader->sizes[i]++];
    if (letter) reader->letters += value * reading->powers[reader->num_letters++];
    memmove(reader->recent + 1, reader->recent, (MAX_WINDOW - 1) * sizeof reader->recent[0]);
    reader->recent[0] = value;
    reader->begins = id == END || (!letter && reader->after_letter) || reader->sizes[0] == reading->max_patch_size;
    if (reader->begins) {
        reader->word_before = reader->word;
        reader->word = reader->num_letters > 0 ? reader->letters : reader->runs[0];
        reader->letters = 0, reader->num_letters = 0;
        memmove(reader->runs + 1, reader->runs, (MAX_PHRASE - 1) * sizeof reader->runs[0]);
        memmove(reader->sizes + 1, reader->sizes, (MAX_PHRASE - 1) * sizeof reader->sizes[0]);
        reader->runs[0] = 0, reader->sizes[0] = 0;
    }
    reader->after_letter = (uint8_t)letter;
    reader->last_id = id;
}

void name_run(const Reading *reading, uint64_t hash, int which, int64_t *row, int32_t *name) {
    hash = mixed(hash + reading->salts[which]);
    *row = (int64_t)((hash & reading->masks[which]) + reading->starts[which]);
    *name = (int32_t)(hash >> 40 & 0xFFFF);
}

int name_runs(const Reading *reading, const Reader *reader, int64_t *rows, int32_t *names) {
    int count = 0;
    name_run(reading, reader->runs[0], count, rows, names), count++;
    for (int i = 0; i < reading->num_ngrams; i++, count++) {
        uint64_t hash = 0;
        for (int j = 0, n = reading->ngrams[i]; j < n; j++) hash += reader->recent[n - 1 - j] * reading->powers[j];
        name_run(reading, hash, count, rows + count, names + count);
    }
    for (int i = 0; i < reading->num_phrases; i++, count++) name_run(reading, reader->runs[reading->phrases[i]], count, rows + count, names + count);
    return count;
}
