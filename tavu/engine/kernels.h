/* The products of a matrix and some vectors, and sums of some of its rows, written for each kind of processor. Matrix.c picks the best at hand.

Shapes as in matrix.h; m is the first `rows` rows of a matrix. What a kernel gives for one vector does not depend on the others. */
#ifndef TAVU_KERNELS_H
#define TAVU_KERNELS_H

#include "matrix.h"

enum { SUMS = 64, FIRST_CACHE = 32768 };

typedef struct {
    void (*bf16)(const Matrix *m, const float *x, int n, float *y);
    void (*int8)(const Matrix *m, const Quantized *x, int n, float *y);
    void (*int4)(const Matrix *m, const Quantized *x, int n, float *y);
    /* The first SUMS columns of some rows of 8 bits, each times its number of x, added up; rows have cols numbers. */
    void (*sum_rows)(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums);
} Kernels;

extern const Kernels any_kernels;
extern const Kernels avx2_kernels, avx512_kernels, dotprod_kernels; /* where they were compiled and the processor has them: */
int has_avx2(void);
int has_avx512(void); /* with VNNI */
int has_dotprod(void);

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) (void)(address)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 4")
#define KEEP_LOOP _Pragma("GCC unroll 1") /* unrolled whole, a short loop is not made vectors of */
#else
#define UNROLL
#define KEEP_LOOP
#endif

#endif
