/* Kernels for WebAssembly's vectors of 128 bits: products of numbers of 16 bits, added in pairs. */
#include "kernels.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

static inline int32_t sum_of_ints(v128_t a) {
    a = wasm_i32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(wasm_i32x4_add(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2)), 0);
}

static inline float sum_of_floats(v128_t a) {
    a = wasm_f32x4_add(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(wasm_f32x4_add(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2)), 0);
}

/* Add the products of 16 numbers of 8 bits with x (2 vectors of 8). */
static inline v128_t add_int8(v128_t sum, const int8_t *w, v128_t x0, v128_t x1) {
    v128_t numbers = wasm_v128_load(w);
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(numbers), x0));
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(numbers), x1));
}

/* Four rows at a time, which share the loads of x. Columns are a multiple of GROUP. */
static void wasm_int8(const Matrix *m, const Quantized *x, int n, float *y) {
    size_t cols = (size_t)m->cols;
    for (int r = 0; r < m->rows; r += 4) {
        const int8_t *rows[4];
        for (int j = 0; j < 4; j++) rows[j] = (const int8_t *)m->numbers + (size_t)(r + j < m->rows ? r + j : r) * cols;
        for (int v = 0; v < n; v++) {
            const int16_t *own_x = x->numbers + (size_t)v * cols;
            v128_t a = wasm_i32x4_splat(0), b = a, c = a, d = a;
            for (size_t i = 0; i < cols; i += 16) {
                v128_t x0 = wasm_v128_load(own_x + i), x1 = wasm_v128_load(own_x + i + 8);
                a = add_int8(a, rows[0] + i, x0, x1);
                b = add_int8(b, rows[1] + i, x0, x1);
                c = add_int8(c, rows[2] + i, x0, x1);
                d = add_int8(d, rows[3] + i, x0, x1);
            }
            int32_t sums[4] = {sum_of_ints(a), sum_of_ints(b), sum_of_ints(c), sum_of_ints(d)};
            for (int j = 0; j < 4 && r + j < m->rows; j++)
                y[(size_t)v * (size_t)m->rows + (size_t)(r + j)] = (float)sums[j] * from_bf16(m->scales[r + j]) * x->scales[v];
        }
    }
}

static void wasm_int4(const Matrix *m, const Quantized *x, int n, float *y) {
    size_t cols = (size_t)m->cols, groups = cols / GROUP;
    const uint8_t *w = m->numbers;
    const uint16_t *scales = m->scales;
    const v128_t low = wasm_i8x16_splat(15);
    for (int r = 0; r < m->rows; r++, w += cols / 2, scales += groups) {
        for (int v = 0; v < n; v++) {
            const int16_t *own_x = x->numbers + (size_t)v * cols;
            const float *sums = x->sums + (size_t)v * groups;
            v128_t total = wasm_f32x4_splat(0.0f);
            float offset = 0.0f;
            for (size_t g = 0; g < groups; g++, own_x += GROUP) {
                v128_t pairs = wasm_v128_load(w + g * GROUP / 2), first = wasm_v128_and(pairs, low), second = wasm_u8x16_shr(pairs, 4);
                v128_t sum = wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(first), wasm_v128_load(own_x));
                sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(first), wasm_v128_load(own_x + 8)));
                sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(second), wasm_v128_load(own_x + 16)));
                sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(second), wasm_v128_load(own_x + 24)));
                float scale = from_bf16(scales[g]);
                total = wasm_f32x4_add(total, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_f32x4_splat(scale)));
                offset += scale * sums[g];
            }
            y[(size_t)v * (size_t)m->rows + (size_t)r] = (sum_of_floats(total) - 8.0f * offset) * x->scales[v];
        }
    }
}

static void wasm_bf16(const Matrix *m, const float *x, int n, float *y) {
    size_t cols = (size_t)m->cols;
    const uint16_t *w = m->numbers;
    for (int r = 0; r < m->rows; r++, w += cols) {
        for (int v = 0; v < n; v++) {
            const float *own_x = x + (size_t)v * cols;
            v128_t a = wasm_f32x4_splat(0.0f), b = a;
            size_t i = 0;
            for (; i + 8 <= cols; i += 8) {
                v128_t numbers = wasm_v128_load(w + i);
                v128_t first = wasm_i32x4_shl(wasm_u32x4_extend_low_u16x8(numbers), 16),
                       second = wasm_i32x4_shl(wasm_u32x4_extend_high_u16x8(numbers), 16);
                a = wasm_f32x4_add(a, wasm_f32x4_mul(first, wasm_v128_load(own_x + i)));
                b = wasm_f32x4_add(b, wasm_f32x4_mul(second, wasm_v128_load(own_x + i + 4)));
            }
            float sum = sum_of_floats(wasm_f32x4_add(a, b));
            for (; i < cols; i++) sum += from_bf16(w[i]) * own_x[i];
            y[(size_t)v * (size_t)m->rows + (size_t)r] = sum;
        }
    }
}

/* Two rows at a time, their numbers interleaved; 32 columns, whose sums stay in registers. */
static void wasm_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums) {
    for (int first = 0; first < SUM_COLUMNS; first += 32, w += 32) {
        v128_t s[8];
        for (int j = 0; j < 8; j++) s[j] = wasm_i32x4_splat(0);
        for (int i = 0; i < num_nonzero; i += 2) {
            int32_t one = nonzero[i], other = i + 1 < num_nonzero ? nonzero[i + 1] : one;
            uint32_t pair = (uint16_t)x[one] | (uint32_t)(uint16_t)(i + 1 < num_nonzero ? x[other] : 0) << 16;
            v128_t both = wasm_i32x4_splat((int32_t)pair);
            const int8_t *a = w + (size_t)one * (size_t)cols, *b = w + (size_t)other * (size_t)cols;
            for (int j = 0; j < 2; j++) {
                v128_t wa = wasm_v128_load(a + 16 * j), wb = wasm_v128_load(b + 16 * j);
                v128_t low = wasm_i8x16_shuffle(wa, wb, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                v128_t high = wasm_i8x16_shuffle(wa, wb, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
                s[4 * j] = wasm_i32x4_add(s[4 * j], wasm_i32x4_dot_i16x8(both, wasm_i16x8_extend_low_i8x16(low)));
                s[4 * j + 1] = wasm_i32x4_add(s[4 * j + 1], wasm_i32x4_dot_i16x8(both, wasm_i16x8_extend_high_i8x16(low)));
                s[4 * j + 2] = wasm_i32x4_add(s[4 * j + 2], wasm_i32x4_dot_i16x8(both, wasm_i16x8_extend_low_i8x16(high)));
                s[4 * j + 3] = wasm_i32x4_add(s[4 * j + 3], wasm_i32x4_dot_i16x8(both, wasm_i16x8_extend_high_i8x16(high)));
            }
        }
        for (int j = 0; j < 8; j++) wasm_v128_store(sums + first + 4 * j, s[j]);
    }
}

const Kernels wasm_kernels = {wasm_bf16, wasm_int8, wasm_int4, wasm_sum_rows};
int has_wasm(void) { return 1; }

#else
const Kernels wasm_kernels = {0};
int has_wasm(void) { return 0; }
#endif
