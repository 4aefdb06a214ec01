/* Kernels for x86 with AVX2: products of 16-bit numbers in pairs. */
#include "kernels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define FOR_AVX2 __attribute__((target("avx2,fma")))

/* The sums of four vectors each. */
FOR_AVX2 static inline __m128 four_sums(__m256i a, __m256i b, __m256i c, __m256i d) {
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_cvtepi32_ps(_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)));
}

FOR_AVX2 static inline __m128 four_bf16(const uint16_t *w) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)w)), 16));
}

FOR_AVX2 static inline float sum_of_floats(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_hadd_ps(s, s);
    return _mm_cvtss_f32(_mm_hadd_ps(s, s));
}

FOR_AVX2 static inline __m256 eight_bf16(const uint16_t *w) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)w)), 16));
}

FOR_AVX2 static void avx2_bf16(const Matrix *m, const float *x, int n, float *y) {
    int cols = m->cols, r = 0;
    if (cols % 8) {
        any_kernels.bf16(m, x, n, y);
        return;
    }
    for (; r + 4 <= m->rows; r += 4) {
        const uint16_t *w = (const uint16_t *)m->numbers + (size_t)r * cols;
        for (int v = 0; v < n; v++) {
            const float *own_x = x + (size_t)v * cols;
            __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
            for (int i = 0; i < cols; i += 8) {
                __m256 xi = _mm256_loadu_ps(own_x + i);
                s0 = _mm256_fmadd_ps(xi, eight_bf16(w + i), s0);
                s1 = _mm256_fmadd_ps(xi, eight_bf16(w + cols + i), s1);
                s2 = _mm256_fmadd_ps(xi, eight_bf16(w + 2 * (size_t)cols + i), s2);
                s3 = _mm256_fmadd_ps(xi, eight_bf16(w + 3 * (size_t)cols + i), s3);
            }
            float *yv = y + (size_t)v * m->rows + r;
            yv[0] = sum_of_floats(s0), yv[1] = sum_of_floats(s1), yv[2] = sum_of_floats(s2), yv[3] = sum_of_floats(s3);
        }
    }
    for (; r < m->rows; r++) {
        const uint16_t *w = (const uint16_t *)m->numbers + (size_t)r * cols;
        for (int v = 0; v < n; v++) {
            __m256 s = _mm256_setzero_ps();
            for (int i = 0; i < cols; i += 8) s = _mm256_fmadd_ps(_mm256_loadu_ps(x + (size_t)v * cols + i), eight_bf16(w + i), s);
            y[(size_t)v * m->rows + r] = sum_of_floats(s);
        }
    }
}

FOR_AVX2 static inline __m256i sixteen_int8(const int8_t *w) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)); }

FOR_AVX2 static inline __m256i add_products(__m256i sum, __m256i x, __m256i w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)); }

/* Four rows from r on times one or two vectors, so that what is loaded serves several products. */
FOR_AVX2 static inline void four_rows(const Matrix *m, int r, const Quantized *x, int v, int is_pair, float *y) {
    int cols = m->cols;
    const int8_t *a = (const int8_t *)m->numbers + (size_t)r * cols, *b = a + cols, *c = b + cols, *d = c + cols;
    const int16_t *x0 = x->numbers + (size_t)v * cols, *x1 = x0 + cols;
    __m256i a0 = _mm256_setzero_si256(), b0 = a0, c0 = a0, d0 = a0, a1 = a0, b1 = a0, c1 = a0, d1 = a0;
    UNROLL
    for (int i = 0; i < cols; i += 16) {
        __m256i v0 = _mm256_loadu_si256((const __m256i *)(x0 + i)), v1 = is_pair ? _mm256_loadu_si256((const __m256i *)(x1 + i)) : v0;
        __m256i wa = sixteen_int8(a + i), wb = sixteen_int8(b + i), wc = sixteen_int8(c + i), wd = sixteen_int8(d + i);
        a0 = add_products(a0, v0, wa), b0 = add_products(b0, v0, wb), c0 = add_products(c0, v0, wc), d0 = add_products(d0, v0, wd);
        if (is_pair) a1 = add_products(a1, v1, wa), b1 = add_products(b1, v1, wb), c1 = add_products(c1, v1, wc), d1 = add_products(d1, v1, wd);
    }
    __m128 scales = four_bf16(m->scales + r);
    float *yv = y + (size_t)v * m->rows + r;
    _mm_storeu_ps(yv, _mm_mul_ps(_mm_mul_ps(four_sums(a0, b0, c0, d0), scales), _mm_set1_ps(x->scales[v])));
    if (is_pair) _mm_storeu_ps(yv + m->rows, _mm_mul_ps(_mm_mul_ps(four_sums(a1, b1, c1, d1), scales), _mm_set1_ps(x->scales[v + 1])));
}

FOR_AVX2 static void avx2_int8(const Matrix *m, const Quantized *x, int n, float *y) {
    int cols = m->cols, fours = m->rows / 4 * 4, tile = L1_BYTES / 2 / cols / 4 * 4;
    if (tile < 4) tile = 4;
    for (int first = 0; first < fours; first += tile) { /* tiles of rows that stay in the L1 cache for all vectors */
        int end = first + tile < fours ? first + tile : fours, v = 0;
        for (; v + 2 <= n; v += 2)
            for (int r = first; r < end; r += 4) four_rows(m, r, x, v, 1, y);
        if (v < n)
            for (int r = first; r < end; r += 4) four_rows(m, r, x, v, 0, y);
    }
    for (int r = fours; r < m->rows; r++) { /* the last one to three */
        const int8_t *w = (const int8_t *)m->numbers + (size_t)r * cols;
        for (int v = 0; v < n; v++) {
            int32_t sum = 0;
            for (int i = 0; i < cols; i++) sum += (int16_t)w[i] * x->numbers[(size_t)v * cols + i];
            y[(size_t)v * m->rows + r] = (float)sum * from_bf16(m->scales[r]) * x->scales[v];
        }
    }
}

/* Add the scaled products of one group of 4-bit weights. Weights are stored plus 8, which the caller subtracts. */
FOR_AVX2 static inline __m256 add_group(__m256 total, const uint8_t *w, float scale, __m256i x0, __m256i x1) {
    const __m128i low = _mm_set1_epi8(15);
    __m128i pairs = _mm_loadu_si128((const __m128i *)w);
    __m256i first = _mm256_cvtepu8_epi16(_mm_and_si128(pairs, low)), second = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(pairs, 4), low));
    __m256i sum = add_products(_mm256_madd_epi16(first, x0), x1, second);
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale), total);
}

FOR_AVX2 static void avx2_int4(const Matrix *m, const Quantized *x, int n, float *y) {
    int cols = m->cols, groups = cols / GROUP;
    for (int r = 0; r < m->rows; r += 2) { /* two rows at a time; an odd last row is computed twice */
        int other = r + 1 < m->rows ? r + 1 : r;
        const uint8_t *wa = (const uint8_t *)m->numbers + (size_t)r * cols / 2, *wb = (const uint8_t *)m->numbers + (size_t)other * cols / 2;
        const uint16_t *scales_a = m->scales + (size_t)r * groups, *scales_b = m->scales + (size_t)other * groups;
        for (int v = 0; v < n; v++) {
            const int16_t *own_x = x->numbers + (size_t)v * cols;
            const float *sums = x->sums + (size_t)v * groups;
            __m256 a = _mm256_setzero_ps(), b = a;
            float offset_a = 0.0f, offset_b = 0.0f;
            for (int g = 0; g < groups; g++) {
                __m256i x0 = _mm256_loadu_si256((const __m256i *)(own_x + g * GROUP));
                __m256i x1 = _mm256_loadu_si256((const __m256i *)(own_x + g * GROUP + GROUP / 2));
                float scale_a = from_bf16(scales_a[g]), scale_b = from_bf16(scales_b[g]);
                a = add_group(a, wa + g * GROUP / 2, scale_a, x0, x1);
                b = add_group(b, wb + g * GROUP / 2, scale_b, x0, x1);
                offset_a += scale_a * sums[g], offset_b += scale_b * sums[g];
            }
            float *yv = y + (size_t)v * m->rows;
            yv[r] = (sum_of_floats(a) - 8.0f * offset_a) * x->scales[v];
            yv[other] = (sum_of_floats(b) - 8.0f * offset_b) * x->scales[v];
        }
    }
}

/* Two rows at a time, their numbers interleaved. */
FOR_AVX2 static void avx2_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums) {
    __m256i s[SUM_COLUMNS / 8];
    for (int j = 0; j < SUM_COLUMNS / 8; j++) s[j] = _mm256_setzero_si256();
    for (int i = 0; i < num_nonzero; i += 2) {
        int32_t first = nonzero[i], second = i + 1 < num_nonzero ? nonzero[i + 1] : first;
        int32_t pair = (int32_t)((uint16_t)x[first] | (uint32_t)(uint16_t)(i + 1 < num_nonzero ? x[second] : 0) << 16);
        __m256i both = _mm256_set1_epi32(pair);
        const int8_t *a = w + (size_t)first * (size_t)cols, *b = w + (size_t)second * (size_t)cols;
        for (int j = 0; j < SUM_COLUMNS / 16; j++) {
            __m128i wa = _mm_loadu_si128((const __m128i *)(a + 16 * j)), wb = _mm_loadu_si128((const __m128i *)(b + 16 * j));
            s[2 * j] = add_products(s[2 * j], both, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(wa, wb)));
            s[2 * j + 1] = add_products(s[2 * j + 1], both, _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(wa, wb)));
        }
    }
    for (int j = 0; j < SUM_COLUMNS / 8; j++) _mm256_storeu_si256((__m256i *)(sums + 8 * j), s[j]);
}

const Kernels avx2_kernels = {avx2_bf16, avx2_int8, avx2_int4, avx2_sum_rows};
int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

#else
const Kernels avx2_kernels = {0};
int has_avx2(void) { return 0; }
#endif
