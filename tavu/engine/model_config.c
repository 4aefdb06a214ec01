#include "model_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "constants.h"
#include "model_file.h"

enum { REQUIRED = -1, MAX_WHERE = 32 };

/* A whole number of a config, from low to high. */
typedef struct {
    const char *name;
    size_t offset; /* of an int32_t in the struct */
    int64_t low, high, otherwise;
} Setting;

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static const Setting level_settings[] = {
    {"dim", offsetof(LevelConfig, dim), 1, MAX_DIM, REQUIRED},
    {"num_layers", offsetof(LevelConfig, num_layers), 1, MAX_LAYERS, REQUIRED},
    {"num_heads", offsetof(LevelConfig, num_heads), 0, MAX_DIM / 2, REQUIRED},
    {"mlp_dim", offsetof(LevelConfig, mlp_dim), 1, MAX_DIM, REQUIRED},
    {"patch_size", offsetof(LevelConfig, patch_size), 1, MAX_DIM, 1},
};
static const Setting fixed_settings[] = {
    {"max_seq_len", offsetof(FixedPatchConfig, max_seq_len), 1, MAX_SEQ_LEN, 1024},
    {"cross_patch_bytes", offsetof(FixedPatchConfig, cross_patch_bytes), 0, MAX_DIM, 0},
};
static const Setting word_settings[] = {
    {"max_seq_len", offsetof(WordPatchConfig, max_seq_len), 2, MAX_SEQ_LEN, 1024},
    {"max_patch_size", offsetof(WordPatchConfig, max_patch_size), 2, MAX_PATCH_SIZE, 24},
    {"word_rows", offsetof(WordPatchConfig, word_rows), 2, MAX_ROWS, 16384},
    {"pair_rows", offsetof(WordPatchConfig, pair_rows), 0, MAX_ROWS, 0},
    {"prefix_rows", offsetof(WordPatchConfig, prefix_rows), 2, MAX_ROWS, 32768},
    {"ngram_rows", offsetof(WordPatchConfig, ngram_rows), 2, MAX_ROWS, 32768},
    {"phrase_rows", offsetof(WordPatchConfig, phrase_rows), 2, MAX_ROWS, 131072},
    {"lexicon_words", offsetof(WordPatchConfig, lexicon_words), 0, MAX_WORDS, 0},
    {"pointer_dim", offsetof(WordPatchConfig, pointer_dim), 0, MAX_DIM, 0},
};
static const char *const fixed_others[] = {"patching", "levels", "conv_encoder"};
static const char *const word_others[] = {"patching", "levels", "ngram_orders", "phrase_orders"};

LIKE_PRINTF(2, 3) static void refuse(Failure *failure, const char *format, ...) {
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    fail(failure, "its config is not one of this version (%s) %s", what, UNFIT);
}

static int is_named(Json name, const char *text) {
    size_t length = strlen(text);
    return (size_t)(name.end - name.begin) == length + 2 && !memcmp(name.begin + 1, text, length);
}

static int is_among(Json name, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (is_named(name, names[i])) return 1;
    return 0;
}

/* Fill in a struct from a table, which may also hold `others` beside the settings. */
static void read_settings(Json table, const char *where, const Setting *settings, int count, const char *const *others, int num_others, void *config,
                          Failure *failure) {
    if (!json_is_object(table)) refuse(failure, "%s is no table.", where);
    for (JsonItem item = json_items(table); !failure->has_failed && json_next(&item);) {
        int is_known = is_among(item.name, others, num_others);
        for (int i = 0; i < count; i++) is_known = is_known || is_named(item.name, settings[i].name);
        int length = (int)(item.name.end - item.name.begin) - 2;
        if (!is_known) refuse(failure, "There is no setting %s.%.*s.", where, length < 40 ? length : 40, item.name.begin + 1);
    }
    for (int i = 0; i < count && !failure->has_failed; i++) {
        const Setting *s = &settings[i];
        Json value;
        int64_t number = s->otherwise;
        if (json_get(table, s->name, &value) ? !json_int(value, &number) : number == REQUIRED)
            refuse(failure, "%s.%s is missing, or no whole number.", where, s->name);
        else if (number < s->low || number > s->high)
            refuse(failure, "%s.%s is %lld, expected %lld to %lld.", where, s->name, (long long)number, (long long)s->low, (long long)s->high);
        *(int32_t *)((char *)config + s->offset) = (int32_t)number;
    }
}

static int read_levels(Json config, LevelConfig *levels, Failure *failure) {
    Json table;
    int count = 0;
    if (!json_get(config, "levels", &table) || !json_is_array(table)) {
        refuse(failure, "model.levels is no list.");
        return 0;
    }
    for (JsonItem item = json_items(table); !failure->has_failed && json_next(&item); count++) {
        if (count == MAX_LEVELS) {
            refuse(failure, "model.levels has more than %d levels.", MAX_LEVELS);
            break;
        }
        LevelConfig *level = &levels[count];
        char where[MAX_WHERE];
        snprintf(where, sizeof where, "model.levels.%d", count);
        read_settings(item.value, where, level_settings, COUNT(level_settings), NULL, 0, level, failure);
        if (!failure->has_failed && level->num_heads && level->dim % (2 * level->num_heads))
            refuse(failure, "%s.dim is %d, expected a multiple of twice num_heads %d.", where, level->dim, level->num_heads);
    }
    return count;
}

int is_word_patch_config(Json config) {
    Json patching;
    return json_get(config, "patching", &patching) && *patching.begin == '"' && is_named(patching, "words");
}

FixedPatchConfig read_fixed_patch_config(Json table, Failure *failure) {
    FixedPatchConfig config = {0};
    Json value;
    if (!json_get(table, "patching", &value) || *value.begin != '"' || !is_named(value, "fixed"))
        refuse(failure, "model.patching is none of fixed, words.");
    read_settings(table, "model", fixed_settings, COUNT(fixed_settings), fixed_others, COUNT(fixed_others), &config, failure);
    if (json_get(table, "conv_encoder", &value) && *value.begin != 'f')
        fail(failure, "the native engine does not know conv_encoder, and this model has it.");
    config.num_levels = read_levels(table, config.levels, failure);
    if (config.num_levels < 2) refuse(failure, "model.levels has %d levels, expected two or more.", config.num_levels);
    for (int i = 0; i < config.num_levels && !failure->has_failed; i++) {
        const LevelConfig *level = &config.levels[i];
        int32_t finer = i + 1 < config.num_levels ? level[1].patch_size : 0;
        if (level->num_heads < 1) refuse(failure, "model.levels.%d.num_heads is 0, expected 1 or more with fixed patches.", i);
        if (!finer && level->patch_size != 1)
            refuse(failure, "model.levels.%d.patch_size is %d, expected 1 of the last level.", i, level->patch_size);
        if (finer && (level->patch_size <= finer || level->patch_size % finer || level->dim % level->patch_size))
            refuse(failure, "model.levels.%d.patch_size is %d, expected a multiple of the next level's %d, larger, and a divisor of dim %d.", i,
                   level->patch_size, finer, level->dim);
    }
    if (failure->has_failed) return config;
    if (config.max_seq_len % config.levels[0].patch_size)
        refuse(failure, "model.max_seq_len is %d, expected a multiple of the patch_size %d.", config.max_seq_len, config.levels[0].patch_size);
    if (config.cross_patch_bytes > config.levels[config.num_levels - 2].patch_size)
        refuse(failure, "model.cross_patch_bytes is %d, expected 0 to the patch size.", config.cross_patch_bytes);
    return config;
}

static void require_power_of_two(const char *name, int32_t rows, Failure *failure) {
    if (rows & (rows - 1)) refuse(failure, "model.%s is %d, expected a power of two.", name, rows);
}

/* Different numbers from low to high; how many. There is room for all of these. */
static int read_orders(Json table, const char *name, int low, int high, int32_t *orders, Failure *failure) {
    Json list;
    int count = 0, is_valid = 1;
    unsigned seen = 0;
    if (!json_get(table, name, &list)) return -1;
    if (!json_is_array(list)) is_valid = 0;
    for (JsonItem item = json_items(list); is_valid && json_next(&item);) {
        int64_t order = 0;
        is_valid = json_int(item.value, &order) && order >= low && order <= high && !(seen >> order & 1);
        if (is_valid) orders[count++] = (int32_t)order, seen |= 1u << order;
    }
    if (!is_valid) refuse(failure, "model.%s has other than different orders from %d to %d.", name, low, high);
    return count;
}

WordPatchConfig read_word_patch_config(Json table, Failure *failure) {
    WordPatchConfig config = {.ngram_orders = {3, 5}};
    LevelConfig levels[MAX_LEVELS] = {{0}};
    read_settings(table, "model", word_settings, COUNT(word_settings), word_others, COUNT(word_others), &config, failure);
    if (read_levels(table, levels, failure) != 2) refuse(failure, "model.levels has other than two levels: global, local.");
    if (failure->has_failed) return config;
    config.global = levels[0], config.local = levels[1];
    if (config.global.patch_size != 1 || config.local.patch_size != 1)
        refuse(failure, "model.levels has a patch_size, expected none: words decide where patches begin.");
    if (config.global.num_heads < 1) refuse(failure, "model.levels.0.num_heads is 0, expected 1 or more.");
    if (config.local.num_heads)
        refuse(failure, "model.levels.1.num_heads is %d, expected 0: the local model is a stack of MLPs.", config.local.num_heads);
    require_power_of_two("word_rows", config.word_rows, failure);
    require_power_of_two("pair_rows", config.pair_rows, failure);
    require_power_of_two("prefix_rows", config.prefix_rows, failure);
    require_power_of_two("ngram_rows", config.ngram_rows, failure);
    require_power_of_two("phrase_rows", config.phrase_rows, failure);
    if (config.pair_rows == 1) refuse(failure, "model.pair_rows is 1, expected 0, 2 or more.");
    int num_ngrams = read_orders(table, "ngram_orders", 2, MAX_NGRAM, config.ngram_orders, failure);
    int num_phrases = read_orders(table, "phrase_orders", 1, MAX_PHRASE_ORDERS, config.phrase_orders, failure);
    config.num_ngram_orders = num_ngrams < 0 ? 2 : num_ngrams;
    config.num_phrase_orders = num_phrases < 0 ? 0 : num_phrases;
    return config;
}
