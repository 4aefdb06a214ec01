/* Memory that is freed all at once, and the first failure of a series of steps, told in one sentence. */
#ifndef TAVU_ARENA_H
#define TAVU_ARENA_H

#include <stddef.h>

typedef struct {
    union Chunk *newest;
} Arena;

void *allocate(Arena *arena, size_t count, size_t size); /* zeros; NULL when memory ran out */
void free_arena(Arena *arena);

typedef struct {
    char *message;
    size_t size; /* of message, with its NUL; 1 or more */
    int has_failed;
} Failure;

#if defined(__GNUC__)
#define LIKE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LIKE_PRINTF(text, first)
#endif

LIKE_PRINTF(2, 3) void fail(Failure *failure, const char *format, ...); /* the first call counts; its message is cut where it is too long */
void fail_for_memory(Failure *failure);

#endif
