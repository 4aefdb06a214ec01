/* Kernels for ARM with dot product instructions, which add up products of four 8-bit numbers: x is split into 256 high + low, both of 8 bits. */
#include "kernels.h"

#if defined(__GNUC__) && defined(__aarch64__) && (defined(__linux__) || defined(__APPLE__))
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__clang__)
#define FOR_DOTPROD __attribute__((target("dotprod")))
#else
#define FOR_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INLINE FOR_DOTPROD static inline __attribute__((always_inline))

enum { MAX_VECTORS = 2 };

/* cols numbers a vector, each. */
typedef struct {
    int8_t *high, *low;
} SplitBytes;

static SplitBytes split_bytes(const Quantized *x, size_t count) {
    SplitBytes parts = {x->parts, (int8_t *)x->parts + count};
    for (size_t i = 0; i < count; i++) {
        parts.high[i] = (int8_t)((x->numbers[i] + 128) >> 8); /* does not overflow: see MAX_QUANTIZED */
        parts.low[i] = (int8_t)(uint8_t)x->numbers[i];
    }
    return parts;
}

/* 4 rows or 1 from r on times num vectors, so that what is loaded serves several products. rows and num are compile-time constants. */
INLINE void rows_of_int8(const Matrix *m, int r, int rows, const Quantized *x, const SplitBytes *parts, int first, int num, float *y) {
    size_t cols = (size_t)m->cols;
    const int8_t *w = (const int8_t *)m->numbers + (size_t)r * cols;
    int32x4_t high[MAX_VECTORS][4], low[MAX_VECTORS][4];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < rows; j++) high[v][j] = low[v][j] = vdupq_n_s32(0);
    for (size_t i = 0; i < cols; i += 16) {
        int8x16_t own[4];
        for (int j = 0; j < rows; j++) own[j] = vld1q_s8(w + (size_t)j * cols + i);
        for (int v = 0; v < num; v++) {
            size_t at = (size_t)(first + v) * cols + i;
            int8x16_t x_high = vld1q_s8(parts->high + at), x_low = vld1q_s8(parts->low + at);
            for (int j = 0; j < rows; j++) {
                high[v][j] = vdotq_s32(high[v][j], own[j], x_high);
                low[v][j] = vdotq_s32(low[v][j], own[j], x_low);
            }
        }
    }
    for (int v = 0; v < num; v++)
        for (int j = 0; j < rows; j++) {
            int32_t sum = vaddvq_s32(vaddq_s32(vshlq_n_s32(high[v][j], 8), low[v][j]));
            y[(size_t)(first + v) * (size_t)m->rows + (size_t)(r + j)] = (float)sum * from_bf16(m->scales[r + j]) * x->scales[first + v];
        }
}

/* The same for 4 bits, a group of weights at a time: the low bits hold its first half. */
INLINE void rows_of_int4(const Matrix *m, int r, int rows, const Quantized *x, const SplitBytes *parts, int first, int num, float *y) {
    size_t cols = (size_t)m->cols, groups = cols / GROUP;
    const uint8_t *w = (const uint8_t *)m->numbers + (size_t)r * cols / 2;
    const uint16_t *scales = m->scales + (size_t)r * groups;
    float32x4_t totals[MAX_VECTORS][4];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < rows; j++) totals[v][j] = vdupq_n_f32(0.0f);
    for (size_t g = 0; g < groups; g++) {
        int8x16_t own[4][2];
        for (int j = 0; j < rows; j++) {
            uint8x16_t packed = vld1q_u8(w + ((size_t)j * cols + g * GROUP) / 2);
            own[j][0] = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15))), vdupq_n_s8(8));
            own[j][1] = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(packed, 4)), vdupq_n_s8(8));
        }
        for (int v = 0; v < num; v++) {
            size_t at = (size_t)(first + v) * cols + g * GROUP;
            int8x16_t high[2] = {vld1q_s8(parts->high + at), vld1q_s8(parts->high + at + 16)},
                      low[2] = {vld1q_s8(parts->low + at), vld1q_s8(parts->low + at + 16)};
            for (int j = 0; j < rows; j++) {
                int32x4_t of_high = vdotq_s32(vdotq_s32(vdupq_n_s32(0), own[j][0], high[0]), own[j][1], high[1]);
                int32x4_t of_low = vdotq_s32(vdotq_s32(vdupq_n_s32(0), own[j][0], low[0]), own[j][1], low[1]);
                float32x4_t sum = vcvtq_f32_s32(vaddq_s32(vshlq_n_s32(of_high, 8), of_low));
                totals[v][j] = vfmaq_n_f32(totals[v][j], sum, from_bf16(scales[(size_t)j * groups + g]));
            }
        }
    }
    for (int v = 0; v < num; v++)
        for (int j = 0; j < rows; j++) y[(size_t)(first + v) * (size_t)m->rows + (size_t)(r + j)] = vaddvq_f32(totals[v][j]) * x->scales[first + v];
}

/* All rows times all vectors, by tiles of rows that stay in the L1 cache for all vectors. */
#define MULTIPLY(name, rows_of, tile_numbers) \
    FOR_DOTPROD static void name(const Matrix *m, const Quantized *x, int n, float *y) { \
        int fours = m->rows / 4 * 4, tile = (tile_numbers) / m->cols / 4 * 4; \
        SplitBytes parts = split_bytes(x, (size_t)n * (size_t)m->cols); \
        if (tile < 4) tile = 4; \
        for (int first = 0; first < fours; first += tile) { \
            int end = first + tile < fours ? first + tile : fours, v = 0; \
            for (; v + 2 <= n; v += 2) \
                for (int r = first; r < end; r += 4) rows_of(m, r, 4, x, &parts, v, 2, y); \
            for (; v < n; v++) \
                for (int r = first; r < end; r += 4) rows_of(m, r, 4, x, &parts, v, 1, y); \
        } \
        for (int r = fours; r < m->rows; r++) /* the last one to three */ \
            for (int v = 0; v < n; v++) rows_of(m, r, 1, x, &parts, v, 1, y); \
    }
MULTIPLY(dotprod_int8, rows_of_int8, L1_BYTES / 2)
MULTIPLY(dotprod_int4, rows_of_int4, L1_BYTES)

/* These instructions do not help here. */
static void dotprod_bf16(const Matrix *m, const float *x, int n, float *y) { any_kernels.bf16(m, x, n, y); }
static void dotprod_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums) {
    any_kernels.sum_rows(w, cols, x, nonzero, num_nonzero, sums);
}

const Kernels dotprod_kernels = {dotprod_bf16, dotprod_int8, dotprod_int4, dotprod_sum_rows};
#if defined(__linux__)
int has_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#else
int has_dotprod(void) { return 1; /* every Mac with an ARM processor */ }
#endif

#else
const Kernels dotprod_kernels = {0};
int has_dotprod(void) { return 0; }
#endif
