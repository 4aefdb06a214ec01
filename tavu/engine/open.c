/* A model file in memory -> an engine: its config, then each tensor by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "architecture.h"
#include "engine.h"
#include "megabyte.h"
#include "model_file.h"
#include "words.h"

static Mlp take_mlp(ModelFile *file, int32_t D, int32_t M, const char *name) {
    Mlp mlp = {.up = take_matrix(file, M, D, "%s.up.weight", name), .down = take_matrix(file, D, M, "%s.down.weight", name)};
    if (!file->failure->has_failed && !transpose(&mlp.down, &mlp.down_transposed, file->arena)) fail_for_memory(file->failure);
    return mlp;
}

/* max_units of a text that grows; num_positions of any text. */
static Transformer take_transformer(ModelFile *file, const LevelConfig *config, int32_t max_units, int32_t num_positions, const char *name) {
    int32_t D = config->dim, num_layers = config->num_layers;
    Transformer t = {.dim = D, .num_heads = config->num_heads, .num_layers = num_layers, .max_units = max_units};
    t.blocks = allocate(file->arena, (size_t)num_layers, sizeof *t.blocks);
    if (!t.blocks || !make_rotations(&t, num_positions, file->arena)) fail_for_memory(file->failure);
    for (int32_t i = 0; i < num_layers && !file->failure->has_failed; i++) {
        char mlp[64];
        snprintf(mlp, sizeof mlp, "%s.blocks.%d.mlp", name, i);
        t.blocks[i].query_key_value = take_matrix(file, 3 * D, D, "%s.blocks.%d.attention.query_key_value.weight", name, i);
        t.blocks[i].attention_out = take_matrix(file, D, D, "%s.blocks.%d.attention.out.weight", name, i);
        t.blocks[i].mlp = take_mlp(file, D, config->mlp_dim, mlp);
    }
    return t;
}

static void take_lexicon(ModelFile *file, const WordPatchConfig *config, const HashConfig *hashes, Lexicon *lexicon) {
    int32_t num_words = config->lexicon_words, width = config->max_patch_size;
    *lexicon = (Lexicon){.num_words = num_words, .words = take_matrix(file, num_words, config->global.dim, "lexicon.words.weight")};
    lexicon->bias = take_floats(file, num_words, "lexicon.bias");
    const float *strength = take_floats(file, 1, "lexicon.strength");
    const uint8_t *spellings = take_integers(file, "U8", 1, num_words, width, "lexicon.spellings");
    const uint8_t *lengths = take_integers(file, "U8", 1, 0, num_words, "lexicon.lengths");
    if (file->failure->has_failed) return;
    lexicon->strength = *strength;
    if (!is_lexicon_sound(spellings, lengths, num_words, width))
        fail(file->failure, "the words of its lexicon are too long or out of order. %s", DAMAGED);
    else if (!make_prefixes(lexicon, hashes, spellings, lengths, width, file->arena))
        fail_for_memory(file->failure);
}

static void take_pointer(ModelFile *file, const WordPatchConfig *config, Pointer *pointer) {
    int32_t D = config->global.dim, E = config->pointer_dim;
    pointer->dim = E;
    pointer->query = take_matrix(file, E, D, "pointer.query.weight");
    pointer->key = take_matrix(file, E, D, "pointer.key.weight");
    pointer->hint_gate = take_matrix(file, (int64_t)NUM_HINTS * E, D, "pointer.urge.weight");
    const float *sharpness = take_floats(file, 1, "pointer.sharpness");
    const float *strength = take_floats(file, 2, "pointer.strength"), *hint_bias = take_floats(file, NUM_HINTS, "pointer.urge_bias");
    if (file->failure->has_failed) return;
    pointer->sharpness = *sharpness;
    for (int i = 0; i < 2; i++) pointer->strength[i] = strength[i];
    for (int i = 0; i < NUM_HINTS; i++) pointer->hint_bias[i] = hint_bias[i];
}

static void take_words(ModelFile *file, WordModel *m) {
    m->config = read_word_patch_config(file->config, file->failure);
    if (file->failure->has_failed) return;
    const WordPatchConfig *config = &m->config;
    int32_t D = config->global.dim, L = config->local.dim, num_patches = config->max_seq_len + 1;
    m->hashes = make_hash_config(config);
    m->words = take_matrix(file, config->word_rows, D, "word_embedder.words.weight");
    if (config->pair_rows) m->pairs = take_matrix(file, config->pair_rows, D, "word_embedder.pairs.weight");
    m->last_ids = take_matrix(file, NUM_IDS + 1, D, "word_embedder.last_ids.weight");
    m->num_known = config->word_rows - (config->word_rows < 8 ? 1 : config->word_rows / 8);
    m->known = take_integers(file, "I64", sizeof *m->known, 0, m->num_known, "word_embedder.known");
    m->global_model = take_transformer(file, &config->global, num_patches, num_patches, "global_model");
    m->global_to_local = take_matrix(file, L, D, "global_to_local.weight");
    m->byte_last_ids = take_matrix(file, NUM_IDS + 1, L, "byte_embedder.last_ids.weight");
    m->hashed = take_matrix(file, m->hashes.num_rows, L, "byte_embedder.hashed.weight");
    int64_t num_phrases = (int64_t)config->num_phrase_orders * config->phrase_rows;
    if (num_phrases)
        m->phrase_fingerprints = take_integers(file, "I32", sizeof *m->phrase_fingerprints, 0, num_phrases, "byte_embedder.phrase_names");
    m->local_mlps = allocate(file->arena, (size_t)config->local.num_layers, sizeof *m->local_mlps);
    if (!m->local_mlps) fail_for_memory(file->failure);
    for (int32_t i = 0; i < config->local.num_layers && !file->failure->has_failed; i++) {
        char name[64];
        snprintf(name, sizeof name, "local_model.mlps.%d", i);
        m->local_mlps[i] = take_mlp(file, L, config->local.mlp_dim, name);
    }
    m->head = take_matrix(file, NUM_IDS, L, "local_model.head.weight");
    if (config->lexicon_words) take_lexicon(file, config, &m->hashes, &m->lexicon);
    if (config->pointer_dim) take_pointer(file, config, &m->pointer);
    size_t width = larger(larger((size_t)D, (size_t)L), NUM_IDS);
    size_t widest = larger(larger(width, 3 * (size_t)D), larger((size_t)config->lexicon_words, (size_t)config->pointer_dim * NUM_HINTS));
    widest = larger(widest, (size_t)larger((size_t)config->global.mlp_dim, (size_t)config->local.mlp_dim));
    if (!make_scratch(&m->scratch, width, widest, (size_t)num_patches, file->arena)) fail_for_memory(file->failure);
}

static void take_megabyte(ModelFile *file, Megabyte *m) {
    FixedPatchConfig config = read_fixed_patch_config(file->config, file->failure);
    size_t width = 0, widest = NUM_IDS, most_units = 0;
    m->num_levels = config.num_levels, m->max_seq_len = config.max_seq_len;
    for (int i = 0; i < config.num_levels && !file->failure->has_failed; i++) {
        const LevelConfig *own = &config.levels[i];
        Level *level = &m->levels[i];
        int32_t D = own->dim, S = own->patch_size, G = (i ? own[-1].patch_size : config.max_seq_len) / S;
        char name[32];
        snprintf(name, sizeof name, "levels.%d", i);
        level->dim = D, level->unit_size = S, level->units_per_parent = G;
        level->cross = i + 1 == config.num_levels ? config.cross_patch_bytes : 0;
        int32_t max_units = level->cross ? config.max_seq_len : G;
        level->max_scored_units = i && !level->cross ? MAX_BATCH * G : max_units;
        level->byte_embedding = take_matrix(file, NUM_IDS, D / S, "%s.byte_embedding.weight", name);
        if (i)
            level->from_parent = take_matrix(file, D, own[-1].dim / G, "%s.from_parent.weight", name);
        else
            level->positions = take_matrix(file, config.max_seq_len, D / S, "%s.positions", name);
        level->pad = take_floats(file, D, "%s.pad", name);
        char transformer[48];
        snprintf(transformer, sizeof transformer, "%s.transformer", name);
        level->transformer = take_transformer(file, own, max_units, level->max_scored_units, transformer);
        width = larger(width, (size_t)D);
        widest = larger(widest, larger(3 * (size_t)D, (size_t)own->mlp_dim));
        most_units = larger(most_units, (size_t)max_units);
    }
    if (!file->failure->has_failed && !make_scratch(&m->scratch, width, widest, most_units, file->arena)) fail_for_memory(file->failure);
}

/* What the model's text was like, where the file tells: facts of another type tell nothing. */
static void take_facts(const ModelFile *file, TavuEngine *e) {
    Json kind, used;
    e->is_text = !json_get(file->facts, "kind", &kind) || kind.end - kind.begin != 7 || memcmp(kind.begin, "\"bytes\"", 7);
    if (!json_get(file->facts, "used_bytes", &used) || !json_is_array(used)) return;
    for (JsonItem item = json_items(used); json_next(&item);) {
        int64_t byte;
        e->knows_used = json_int(item.value, &byte) && byte >= 0 && byte < 256;
        if (!e->knows_used) return;
        e->used[byte] = 1;
    }
}

TavuEngine *tavu_open(const void *bytes, size_t size, char *message, size_t message_size) {
    char room[512];
    Failure failure = {message_size ? message : room, message_size ? message_size : sizeof room, 0};
    TavuEngine *e = calloc(1, sizeof *e);
    ModelFile file = {0};
    if (!e) {
        fail_for_memory(&failure);
        return NULL;
    }
    use_best_kernels();
    open_model_file(&file, bytes, size, &e->arena, &failure);
    if (!failure.has_failed) {
        int is_words = is_word_patch_config(file.config);
        e->architecture = is_words ? &word_architecture : &megabyte_architecture;
        e->model = allocate(&e->arena, 1, is_words ? sizeof(WordModel) : sizeof(Megabyte));
        if (!e->model)
            fail_for_memory(&failure);
        else if (is_words)
            take_words(&file, e->model), e->max_seq_len = ((WordModel *)e->model)->config.max_seq_len;
        else
            take_megabyte(&file, e->model), e->max_seq_len = ((Megabyte *)e->model)->max_seq_len;
        refuse_unused_tensors(&file);
        take_facts(&file, e);
    }
    close_model_file(&file);
    if (!failure.has_failed) return e;
    tavu_close(e);
    return NULL;
}
