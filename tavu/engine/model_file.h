/* The tensors of a model file (tavu/stored_model.py) by name, each checked before anything points to it: anyone may have made the file.

Weights are used in place; those that are not aligned for their type are copied. */
#ifndef TAVU_MODEL_FILE_H
#define TAVU_MODEL_FILE_H

#include "arena.h"
#include "json.h"
#include "matrix.h"

typedef struct {
    const char *name, *dtype; /* dtype one of safetensors' names */
    int32_t rank, is_used;
    int64_t shape[MAX_DIMENSIONS], begin, end; /* bytes of the data */
} Tensor;

typedef struct {
    Arena *arena, temporary; /* of the model, and until close_model_file */
    Failure *failure;
    const uint8_t *data;
    Tensor *tensors; /* by name, each once */
    size_t num_tensors;
    Json config, facts; /* tavu's own part of the metadata: objects */
} ModelFile;

#define UNFIT "The file is damaged, or another version of tavu wrote it: copy it again, train it again, or use that version."
#define DAMAGED "The file is damaged."

/* Read the header of a whole file. The model's memory comes from arena; errors, here and below, go to failure. */
void open_model_file(ModelFile *file, const void *bytes, size_t size, Arena *arena, Failure *failure);
void close_model_file(ModelFile *file);

/* Each returns the tensor of this name, a format, and marks it as used; after a failure nothing. */
LIKE_PRINTF(4, 5) Matrix take_matrix(ModelFile *file, int64_t rows, int64_t cols, const char *name, ...); /* in 16, 8 or 4 bits */
LIKE_PRINTF(3, 4) const float *take_floats(ModelFile *file, int64_t count, const char *name, ...);        /* bfloat16 as float32 */
/* rows is 0 for a vector of cols. */
LIKE_PRINTF(6, 7) const void *take_integers(ModelFile *file, const char *dtype, size_t alignment, int64_t rows, int64_t cols, const char *name, ...);
void refuse_unused_tensors(ModelFile *file);

#endif
