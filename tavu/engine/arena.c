#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

union Chunk {
    union Chunk *next;
    char alignment[16];
};

void *allocate(Arena *arena, size_t count, size_t size) {
    if (size && count > (SIZE_MAX - sizeof(union Chunk)) / size) return NULL;
    union Chunk *chunk = calloc(1, sizeof *chunk + count * size);
    if (!chunk) return NULL;
    chunk->next = arena->newest;
    arena->newest = chunk;
    return chunk + 1;
}

void free_arena(Arena *arena) {
    while (arena->newest) {
        union Chunk *chunk = arena->newest;
        arena->newest = chunk->next;
        free(chunk);
    }
}

void fail(Failure *failure, const char *format, ...) {
    if (failure->has_failed) return;
    failure->has_failed = 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, failure->size, format, arguments);
    va_end(arguments);
}

void fail_for_memory(Failure *failure) { fail(failure, "there is not enough memory to open it. Close other programs, or take a smaller model."); }
