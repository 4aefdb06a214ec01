/* Vectors and matrices: the products that take nearly all of the time.

Shapes: a Matrix is (rows, cols), stored row by row; x holds n vectors of cols, y gets n of rows.
Weights are bfloat16, or integers of 8 or 4 bits with bfloat16 scales (tavu/quantized.py). Integer weights are multiplied with x quantized to 14 to 16
bits, far finer than the weights are. */
#ifndef TAVU_MATRIX_H
#define TAVU_MATRIX_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "constants.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
/* Compiled for several processors; the best version is chosen when the library is loaded. */
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_CPU
#endif

enum { BF16, INT8, INT4 };

typedef struct {
    int32_t rows, cols, dtype;
    const void *numbers;    /* (rows, cols) uint16 or int8, or two of 4 bits in each byte: (rows, cols / 2) */
    const uint16_t *scales; /* (rows) with 8 bits, (rows, cols / GROUP) with 4 */
} Matrix;

/* x as integers times a scale of each vector, and their sums over GROUP columns, which 4 bits need. */
typedef struct {
    int16_t *numbers;
    float *scales, *sums;
    int32_t *nonzero; /* indices into one vector */
    void *parts;      /* 4 bytes a number, for kernels that split numbers into high and low bytes */
} Quantized;

enum { ANY_CPU, WITH_AVX2, WITH_AVX512, WITH_DOTPROD, WITH_WASM };
int use_kernels(int which); /* of kernels.h, from now on; 0 where this processor lacks them */
void use_best_kernels(void);

void multiply(const Matrix *m, const float *x, int n, float *y, Quantized *scratch);
/* The same where most of x is 0, as after a squared ReLU: the other columns are not read. `transposed` may have no numbers. */
void multiply_sparse(const Matrix *m, const Matrix *transposed, const float *x, int n, float *y, Quantized *scratch);
int transpose(const Matrix *m, Matrix *transposed, Arena *arena); /* without numbers where they are of no use; 0 when memory ran out */
void add_row(const Matrix *m, int64_t row, float *y);             /* y (cols) += the row */

void normalize(const float *x, int n, int width, float *y); /* each vector to mean 0 and variance 1; y may be x */
void square_relu(float *x, size_t count);
void softmax(float *x, int count);
float dot(const float *a, const float *b, int count);
void add(float *y, const float *x, size_t count);
/* x as integers of at most `limit` (32767 or less) in magnitude; returns their scale: NaN when any of x is. */
float quantize_vector(const float *x, int count, int limit, int16_t *numbers);
enum { LANES = 32 }; /* numbers at a time in loops that compilers vectorize: so many stay in registers, and of fewer gcc makes no vectors */
/* One head's attention: the dot products of a query (width) with num keys, and the sum of num values times their weights. Values are (num, width),
   keys (num / LANES, width, LANES), the last of them perhaps unused; both are integers with a scale for each key or value. */
void attention_scores(const float *query, const int16_t *keys, const float *key_scales, int num, int width, float *scores);
void weighted_sum(const float *weights, const int16_t *values, const float *value_scales, int num, int width, float *out);
void soft_cap(float *logits, int count);

static inline float from_bf16(uint16_t x) {
    union {
        uint32_t bits;
        float value;
    } u = {(uint32_t)x << 16};
    return u.value;
}

/* e ** x within a millionth of it (Cephes, expf), in operations that compilers vectorize. */
static inline float fast_exp(float x) {
    x = x > -87.0f ? x : -87.0f; /* NaN too */
    x = x < 88.0f ? x : 88.0f;
    float shifted = x * 1.44269504f + 12582912.0f; /* rounds to the nearest integer */
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)((int32_t)n + 127) << 23};
    return p * power.value;
}

#endif
