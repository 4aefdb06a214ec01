/* Writes a text: ./story [PROMPT [TEMPERATURE [SEED]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tavu.h"

#define MODEL "model.safetensors"
/* What this model reads before and after a prompt; where that is nothing, its text goes on from the prompt. */
#define BEFORE ""
#define AFTER ""

static char *read_file(const char *name, size_t *size) {
    FILE *file = fopen(name, "rb");
    if (!file) return NULL;
    size_t room = 1 << 20;
    char *bytes = malloc(room), *more = bytes;
    for (*size = 0; more && (*size += fread(bytes + *size, 1, room - *size, file)) == room; bytes = more ? more : bytes)
        more = realloc(bytes, room *= 2);
    int is_whole = more && !ferror(file);
    fclose(file);
    if (is_whole) return bytes;
    free(bytes);
    return NULL;
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "story: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *prompt = argc > 1 ? argv[1] : "", *before = *prompt ? BEFORE : "", *after = *prompt ? AFTER : "";
    TavuOptions options = TAVU_DEFAULT_OPTIONS;
    if (argc > 2) options.temperature = strtod(argv[2], NULL);
    if (argc > 3) options.seed = strtoull(argv[3], NULL, 10);

    size_t size, length = strlen(before) + strlen(prompt) + strlen(after);
    char message[500], *bytes = read_file(MODEL, &size), *given = malloc(length + 1);
    if (!bytes || !given) return fail(MODEL, "it cannot be read. It must lie in the working folder.");
    snprintf(given, length + 1, "%s%s%s", before, prompt, after);

    TavuEngine *engine = tavu_open(bytes, size, message, sizeof message);
    if (!engine) return fail(MODEL, message);
    TavuText *text = tavu_read_text(engine, given, length, &options);
    if (!text) return fail(MODEL, "there is not enough memory to read the prompt.");
    if (!*after) fputs(prompt, stdout);
    uint8_t piece[16];
    int32_t num;
    while ((num = tavu_write_text(text, piece, NULL, sizeof piece)) > 0) {
        fwrite(piece, 1, (size_t)num, stdout);
        fflush(stdout);
    }
    puts("");
    tavu_free_text(text);
    tavu_close(engine);
    free(given), free(bytes);
    return num < 0 ? fail(MODEL, num == -1 ? "it outputs NaN: it is damaged, or its training diverged." : "memory ran out.") : EXIT_SUCCESS;
}
