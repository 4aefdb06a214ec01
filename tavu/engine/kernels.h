/* Matrix products written for each instruction set; matrix.c chooses the best that the processor has.

Shapes as in matrix.h. A kernel's result for one vector does not depend on the other vectors. */
#ifndef TAVU_KERNELS_H
#define TAVU_KERNELS_H

#include "matrix.h"

enum { SUM_COLUMNS = 64, L1_BYTES = 32768 };

typedef struct {
    void (*bf16)(const Matrix *m, const float *x, int n, float *y);
    void (*int8)(const Matrix *m, const Quantized *x, int n, float *y);
    void (*int4)(const Matrix *m, const Quantized *x, int n, float *y);
    /* The sum of the nonzero rows of w (8 bits, of cols numbers), each times its number of x: its first SUM_COLUMNS columns. */
    void (*sum_rows)(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums);
} Kernels;

extern const Kernels any_kernels;
extern const Kernels avx2_kernels, avx512_kernels, dotprod_kernels, wasm_kernels; /* empty where they were not compiled */
int has_avx2(void);
int has_avx512(void); /* with VNNI */
int has_dotprod(void);
int has_wasm(void);

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) (void)(address)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 4")
#define NO_UNROLL _Pragma("GCC unroll 1") /* gcc does not vectorize a short loop that it has unrolled completely */
#else
#define UNROLL
#define NO_UNROLL
#endif

#endif
