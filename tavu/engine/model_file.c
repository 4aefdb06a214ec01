#include "model_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constants.h"

enum { MAX_NAME = 96, MAX_SHAPE = 24 * MAX_DIMENSIONS };

static const struct {
    const char *name;
    int64_t size;
} dtypes[] = {{"BF16", 2}, {"F32", 4}, {"I64", 8}, {"I32", 4}, {"I8", 1}, {"U8", 1}};

/* A name that fits in a sentence and can be printed: a file may hold anything. */
static const char *printable(const char *name, char *room) {
    size_t i = 0;
    for (; name[i] && i < MAX_NAME - 1; i++) room[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7F ? '?' : name[i];
    room[i] = '\0';
    return room;
}

static const char *format_shape(const int64_t *shape, int rank, char *room) {
    size_t at = 0;
    room[at++] = '[';
    for (int i = 0; i < rank; i++) at += (size_t)snprintf(room + at, 24, "%s%lld", i ? ", " : "", (long long)shape[i]);
    room[at] = ']', room[at + 1] = '\0';
    return room;
}

static int by_name(const void *a, const void *b) {
    const Tensor *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int by_offset(const void *a, const void *b) {
    const Tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The numbers of an array, at most `most`; how many, or -1 where it is no array of so many numbers from 0 on. */
static int read_numbers(Json array, int most, int64_t *numbers) {
    int count = 0;
    if (!json_is_array(array)) return -1;
    for (JsonItem item = json_items(array); json_next(&item); count++)
        if (count == most || !json_int(item.value, &numbers[count]) || numbers[count] < 0) return -1;
    return count;
}

/* Whether a shape of elements of so many bytes has so many bytes in all. */
static int has_size(const Tensor *tensor, int64_t element_size) {
    int64_t left = tensor->end - tensor->begin;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] == 0) return left == 0;
    if (left == 0 || left % element_size) return 0;
    left /= element_size;
    for (int i = 0; i < tensor->rank; i++) {
        if (left % tensor->shape[i]) return 0;
        left /= tensor->shape[i];
    }
    return left == 1;
}

static void read_tensor(ModelFile *file, JsonItem item, Tensor *tensor, char *name) {
    Json value;
    char room[MAX_NAME], dtype[16];
    int64_t offsets[2], element_size = 0, length = json_string(item.name, name);
    tensor->name = name;
    if ((size_t)length != strlen(name) || !json_get(item.value, "data_offsets", &value) || read_numbers(value, 2, offsets) != 2 ||
        offsets[0] > offsets[1]) {
        fail(file->failure, "its header does not tell where %s lies. %s", printable(name, room), DAMAGED);
        return;
    }
    tensor->begin = offsets[0], tensor->end = offsets[1];
    if (json_get(item.value, "dtype", &value) && value.end - value.begin < (ptrdiff_t)sizeof dtype && json_string(value, dtype) >= 0)
        for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
            if (!strcmp(dtype, dtypes[i].name)) tensor->dtype = dtypes[i].name, element_size = dtypes[i].size;
    if (!tensor->dtype) {
        fail(file->failure, "%s is of a type that no model has. %s", printable(name, room), DAMAGED);
        return;
    }
    if (json_get(item.value, "shape", &value))
        tensor->rank = read_numbers(value, MAX_DIMENSIONS, tensor->shape);
    else
        tensor->rank = -1;
    if (tensor->rank < 0 || !has_size(tensor, element_size))
        fail(file->failure, "the shape of %s is not that of its bytes. %s", printable(name, room), DAMAGED);
}

/* The tensors of a header, which cover size bytes of data one after another. */
static void read_tensors(ModelFile *file, Json header, size_t size) {
    size_t count = 0;
    int64_t end = 0;
    for (JsonItem item = json_items(header); json_next(&item);) count++;
    file->tensors = allocate(&file->temporary, count + 1, sizeof *file->tensors);
    char *names = allocate(&file->temporary, (size_t)(header.end - header.begin), 1);
    if (!file->tensors || !names) {
        fail_for_memory(file->failure);
        return;
    }
    for (JsonItem item = json_items(header); json_next(&item);) {
        Tensor *tensor = &file->tensors[file->num_tensors];
        int64_t length = json_string(item.name, names);
        if (!strcmp(names, "__metadata__")) continue;
        read_tensor(file, item, tensor, names);
        if (file->failure->has_failed) return;
        names += length + 1;
        file->num_tensors++;
    }
    qsort(file->tensors, file->num_tensors, sizeof *file->tensors, by_offset);
    for (size_t i = 0; i < file->num_tensors; end = file->tensors[i++].end)
        if (file->tensors[i].begin != end) fail(file->failure, "its tensors overlap, or leave something out. %s", DAMAGED);
    if ((uint64_t)end != size) fail(file->failure, "it is longer than its tensors, or cut off. %s", DAMAGED);
    qsort(file->tensors, file->num_tensors, sizeof *file->tensors, by_name);
}

/* tavu's own part of the metadata, which is JSON within JSON. */
static void read_config(ModelFile *file, Json header) {
    Json metadata, text, own, version, config, facts;
    int64_t number;
    if (!json_get(header, "__metadata__", &metadata) || !json_get(metadata, "tavu", &text)) {
        fail(file->failure, "it was not written by tavu: it has no tavu config. Train a model with `tavu train`.");
        return;
    }
    char *copy = allocate(&file->temporary, (size_t)(text.end - text.begin), 1);
    if (!copy) {
        fail_for_memory(file->failure);
        return;
    }
    int64_t length = json_string(text, copy);
    int is_read = length >= 0 && json_parse(copy, (size_t)length, &own) && json_get(own, "format", &version) && json_int(version, &number);
    if (is_read && number > FORMAT) {
        fail(file->failure, "it was written by tavu format %lld; this version reads up to %d. Upgrade with `pip install -U tavu`.", (long long)number,
             FORMAT);
    } else if (!is_read || number < 1 || !json_get(own, "model", &config) || !json_is_object(config) || !json_get(own, "facts", &facts) ||
               !json_is_object(facts)) {
        fail(file->failure, "its tavu config cannot be read. The file is damaged; copy or train it again.");
    } else {
        file->config = config, file->facts = facts;
    }
}

void open_model_file(ModelFile *file, const void *bytes, size_t size, Arena *arena, Failure *failure) {
    const uint8_t *content = bytes;
    uint64_t length = 0;
    Json header;
    *file = (ModelFile){.arena = arena, .failure = failure};
    for (size_t i = 0; size >= 8 && i < 8; i++) length |= (uint64_t)content[i] << 8 * i;
    if (size < 8 || length > size - 8 || length > MAX_HEADER_BYTES) {
        fail(failure, "it is cut off, or no .safetensors at all. Copy or train it again.");
    } else if (!json_parse((const char *)content + 8, (size_t)length, &header) || !json_is_object(header)) {
        fail(failure, "its header is no object of JSON. %s", DAMAGED);
    } else {
        file->data = content + 8 + length;
        read_config(file, header);
        if (!failure->has_failed) read_tensors(file, header, size - 8 - (size_t)length);
    }
}

void close_model_file(ModelFile *file) { free_arena(&file->temporary); }

static Tensor *find_tensor(const ModelFile *file, const char *name) {
    size_t low = 0, high = file->num_tensors;
    while (low < high) { /* of equal names the last */
        size_t middle = low + (high - low) / 2;
        if (strcmp(file->tensors[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && !strcmp(file->tensors[low - 1].name, name) ? &file->tensors[low - 1] : NULL;
}

/* The numbers in place, or a copy that is aligned. rows is 0 for a vector of cols. */
static const void *take(ModelFile *file, const char *dtype, size_t alignment, int64_t rows, int64_t cols, const char *name) {
    int64_t expected[2] = {rows ? rows : cols, cols};
    int rank = rows ? 2 : 1;
    if (file->failure->has_failed) return NULL;
    Tensor *tensor = find_tensor(file, name);
    if (!tensor) {
        fail(file->failure, "the weights do not fit its config (%s is missing). %s", name, UNFIT);
        return NULL;
    }
    if (strcmp(tensor->dtype, dtype) || tensor->rank != rank || memcmp(tensor->shape, expected, (size_t)rank * sizeof *expected)) {
        char rooms[2][MAX_SHAPE + 2];
        fail(file->failure, "%s is %s %s, expected %s %s. %s", name, tensor->dtype, format_shape(tensor->shape, tensor->rank, rooms[0]), dtype,
             format_shape(expected, rank, rooms[1]), DAMAGED);
        return NULL;
    }
    tensor->is_used = 1;
    const uint8_t *numbers = file->data + tensor->begin;
    if ((uintptr_t)numbers % alignment == 0) return numbers;
    size_t size = (size_t)(tensor->end - tensor->begin);
    void *copy = allocate(file->arena, size, 1);
    if (copy)
        memcpy(copy, numbers, size);
    else
        fail_for_memory(file->failure);
    return copy;
}

Matrix take_matrix(ModelFile *file, int64_t rows, int64_t cols, const char *format, ...) {
    char name[MAX_NAME], scales[MAX_NAME + 8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    snprintf(scales, sizeof scales, "%s.scales", name);
    if (rows > INT32_MAX || cols > INT32_MAX)
        fail(file->failure, "%s has more rows than the native engine can have. Use PyTorch, as with --engine torch.", name);
    Matrix m = {.rows = (int32_t)rows, .cols = (int32_t)cols};
    const Tensor *numbers = find_tensor(file, name);
    if (!find_tensor(file, scales)) {
        m.dtype = BF16, m.numbers = take(file, "BF16", 2, rows, cols, name);
        return m;
    }
    if (cols % GROUP) {
        fail(file->failure, "%s is quantized, which takes a multiple of %d columns, not %d. %s", name, GROUP, m.cols, DAMAGED);
    } else if (numbers && !strcmp(numbers->dtype, "I8")) {
        m.dtype = INT8, m.numbers = take(file, "I8", 1, rows, cols, name), m.scales = take(file, "BF16", 2, rows, 1, scales);
        if (m.numbers && memchr(m.numbers, 0x80, (size_t)rows * (size_t)cols)) /* sums of products could pass 31 bits */
            fail(file->failure, "%s holds -128, expected -127 to 127. %s", name, DAMAGED);
    } else {
        m.dtype = INT4, m.numbers = take(file, "U8", 1, rows, cols / 2, name), m.scales = take(file, "BF16", 2, rows, cols / GROUP, scales);
    }
    return m;
}

const float *take_floats(ModelFile *file, int64_t count, const char *format, ...) {
    char name[MAX_NAME];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const uint16_t *numbers = take(file, "BF16", 2, 0, count, name);
    float *floats = numbers ? allocate(file->arena, (size_t)count, sizeof *floats) : NULL;
    if (numbers && !floats) fail_for_memory(file->failure);
    for (int64_t i = 0; floats && i < count; i++) floats[i] = from_bf16(numbers[i]);
    return floats;
}

const void *take_integers(ModelFile *file, const char *dtype, size_t alignment, int64_t rows, int64_t cols, const char *format, ...) {
    char name[MAX_NAME];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return take(file, dtype, alignment, rows, cols, name);
}

void refuse_unused_tensors(ModelFile *file) {
    char room[MAX_NAME];
    for (size_t i = 0; i < file->num_tensors && !file->failure->has_failed; i++)
        if (!file->tensors[i].is_used)
            fail(file->failure, "the weights do not fit its config (%s is unknown). %s", printable(file->tensors[i].name, room), UNFIT);
}
