#include "matrix.h"

#include <stdlib.h>

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define HAS_AVX2_CODE 1
#define AVX2 __attribute__((target("avx2,fma")))
#else
#define HAS_AVX2_CODE 0
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) (void)(address)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 4")
#else
#define UNROLL
#endif

enum { LIMIT = 32767, FIRST_CACHE = 32768, SUMS = 64 };

/* The largest number that x may be rounded to without its products with so many columns of 8 bits passing 31 bits. */
static int rounding_limit(int cols) {
    int most = INT32_MAX / 127 / cols;
    return most < LIMIT ? most : LIMIT;
}

FOR_EACH_CPU static void round_vector(const float *x, int cols, int16_t *numbers, float *scale, float *sums) {
    float largest = 0.0f;
    int limit = rounding_limit(cols);
    for (int i = 0; i < cols; i++) {
        float size = fabsf(x[i]);
        largest = size > largest ? size : largest;
    }
    float inverse = largest > 0.0f ? (float)limit / largest : 0.0f;
    for (int i = 0; i < cols; i++) {
        float v = x[i] * inverse;
        v = v < (float)limit ? v : (float)limit;
        v = v > -(float)limit ? v : -(float)limit; /* what is no number ends here */
        numbers[i] = (int16_t)(int32_t)(v + (v < 0.0f ? -0.5f : 0.5f));
    }
    *scale = largest / (float)limit;
    for (int g = 0; g < cols / GROUP; g++) {
        int32_t sum = 0;
        for (int i = 0; i < GROUP; i++) sum += numbers[g * GROUP + i];
        sums[g] = (float)sum;
    }
}

/* In the kernels below m is the first `rows` rows of a matrix; each is written twice, for any processor and with AVX2. */

FOR_EACH_CPU static void any_bf16(const Matrix *m, const float *x, int n, float *y) {
    const uint16_t *w = m->numbers;
    for (int r = 0; r < m->rows; r++, w += m->cols) {
        for (int v = 0; v < n; v++) {
            const float *xv = x + (size_t)v * m->cols;
            float sum[8] = {0};
            int i = 0;
            for (; i + 8 <= m->cols; i += 8)
                for (int j = 0; j < 8; j++) sum[j] += from_bf16(w[i + j]) * xv[i + j];
            for (; i < m->cols; i++) sum[0] += from_bf16(w[i]) * xv[i];
            y[(size_t)v * m->rows + r] = ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
        }
    }
}

FOR_EACH_CPU static void any_int8(const Matrix *m, const Rounded *x, int n, float *y) {
    const int8_t *w = m->numbers;
    for (int r = 0; r < m->rows; r++, w += m->cols) {
        float scale = from_bf16(m->scales[r]);
        for (int v = 0; v < n; v++) {
            const int16_t *xv = x->numbers + (size_t)v * m->cols;
            int32_t sum = 0;
            for (int i = 0; i < m->cols; i++) sum += (int16_t)w[i] * xv[i];
            y[(size_t)v * m->rows + r] = (float)sum * scale * x->scales[v];
        }
    }
}

FOR_EACH_CPU static void any_int4(const Matrix *m, const Rounded *x, int n, float *y) {
    int groups = m->cols / GROUP;
    const uint8_t *w = m->numbers;
    const uint16_t *scales = m->scales;
    for (int r = 0; r < m->rows; r++, w += m->cols / 2, scales += groups) {
        for (int v = 0; v < n; v++) {
            const int16_t *xv = x->numbers + (size_t)v * m->cols;
            const float *sums = x->sums + (size_t)v * groups;
            float total = 0.0f;
            for (int g = 0; g < groups; g++) {
                const uint8_t *pairs = w + g * GROUP / 2;
                int32_t sum = 0;
                for (int i = 0; i < GROUP / 2; i++) sum += (pairs[i] & 15) * xv[g * GROUP + i] + (pairs[i] >> 4) * xv[g * GROUP + GROUP / 2 + i];
                total += ((float)sum - 8.0f * sums[g]) * from_bf16(scales[g]);
            }
            y[(size_t)v * m->rows + r] = total * x->scales[v];
        }
    }
}

FOR_EACH_CPU static void any_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *used, int num_used, int32_t *sums) {
    for (int j = 0; j < SUMS; j++) sums[j] = 0;
    for (int i = 0; i < num_used; i++) {
        const int8_t *row = w + (size_t)used[i] * (size_t)cols;
        int32_t own = x[used[i]];
        for (int j = 0; j < SUMS; j++) sums[j] += own * row[j];
    }
}

#if HAS_AVX2_CODE

/* The sums of four vectors each. */
AVX2 static inline __m128 four_sums(__m256i a, __m256i b, __m256i c, __m256i d) {
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_cvtepi32_ps(_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)));
}

AVX2 static inline __m128 four_bf16(const uint16_t *w) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)w)), 16));
}

AVX2 static inline float sum_of_floats(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_hadd_ps(s, s);
    return _mm_cvtss_f32(_mm_hadd_ps(s, s));
}

AVX2 static inline __m256 eight_bf16(const uint16_t *w) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)w)), 16));
}

AVX2 static void avx2_bf16(const Matrix *m, const float *x, int n, float *y) {
    int cols = m->cols, r = 0;
    if (cols % 8) {
        any_bf16(m, x, n, y);
        return;
    }
    for (; r + 4 <= m->rows; r += 4) {
        const uint16_t *w = (const uint16_t *)m->numbers + (size_t)r * cols;
        for (int v = 0; v < n; v++) {
            const float *xv = x + (size_t)v * cols;
            __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
            for (int i = 0; i < cols; i += 8) {
                __m256 xi = _mm256_loadu_ps(xv + i);
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

AVX2 static inline __m256i sixteen_int8(const int8_t *w) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)); }

AVX2 static inline __m256i add_products(__m256i sum, __m256i x, __m256i w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)); }

/* Four rows from r on times one or two vectors, so that each is read for several products. */
AVX2 static inline void four_rows(const Matrix *m, int r, const Rounded *x, int v, int is_pair, float *y) {
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

AVX2 static void avx2_int8(const Matrix *m, const Rounded *x, int n, float *y) {
    int cols = m->cols, fours = m->rows / 4 * 4, tile = FIRST_CACHE / 2 / cols / 4 * 4;
    if (tile < 4) tile = 4;
    for (int first = 0; first < fours; first += tile) { /* rows that stay in the first cache while all vectors pass */
        int past = first + tile < fours ? first + tile : fours, v = 0;
        for (; v + 2 <= n; v += 2)
            for (int r = first; r < past; r += 4) four_rows(m, r, x, v, 1, y);
        if (v < n)
            for (int r = first; r < past; r += 4) four_rows(m, r, x, v, 0, y);
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

/* What a group of one row gives, scaled, added to total; its numbers stand 8 too high, which is for the caller to take off. */
AVX2 static inline __m256 add_group(__m256 total, const uint8_t *w, float scale, __m256i x0, __m256i x1) {
    const __m128i low = _mm_set1_epi8(15);
    __m128i pairs = _mm_loadu_si128((const __m128i *)w);
    __m256i first = _mm256_cvtepu8_epi16(_mm_and_si128(pairs, low)), second = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(pairs, 4), low));
    __m256i sum = add_products(_mm256_madd_epi16(first, x0), x1, second);
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale), total);
}

AVX2 static void avx2_int4(const Matrix *m, const Rounded *x, int n, float *y) {
    int cols = m->cols, groups = cols / GROUP;
    for (int r = 0; r < m->rows; r += 2) { /* two rows at a time; of an odd number the last meets itself */
        int other = r + 1 < m->rows ? r + 1 : r;
        const uint8_t *wa = (const uint8_t *)m->numbers + (size_t)r * cols / 2, *wb = (const uint8_t *)m->numbers + (size_t)other * cols / 2;
        const uint16_t *scales_a = m->scales + (size_t)r * groups, *scales_b = m->scales + (size_t)other * groups;
        for (int v = 0; v < n; v++) {
            const int16_t *xv = x->numbers + (size_t)v * cols;
            const float *sums = x->sums + (size_t)v * groups;
            __m256 a = _mm256_setzero_ps(), b = a;
            float eights_a = 0.0f, eights_b = 0.0f;
            for (int g = 0; g < groups; g++) {
                __m256i x0 = _mm256_loadu_si256((const __m256i *)(xv + g * GROUP));
                __m256i x1 = _mm256_loadu_si256((const __m256i *)(xv + g * GROUP + GROUP / 2));
                float scale_a = from_bf16(scales_a[g]), scale_b = from_bf16(scales_b[g]);
                a = add_group(a, wa + g * GROUP / 2, scale_a, x0, x1);
                b = add_group(b, wb + g * GROUP / 2, scale_b, x0, x1);
                eights_a += scale_a * sums[g], eights_b += scale_b * sums[g];
            }
            float *yv = y + (size_t)v * m->rows;
            yv[r] = (sum_of_floats(a) - 8.0f * eights_a) * x->scales[v];
            yv[other] = (sum_of_floats(b) - 8.0f * eights_b) * x->scales[v];
        }
    }
}

/* SUMS columns of some rows of 8 bits, times x: two rows at a time, their numbers side by side. */
AVX2 static void avx2_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *used, int num_used, int32_t *sums) {
    __m256i s[SUMS / 8];
    for (int j = 0; j < SUMS / 8; j++) s[j] = _mm256_setzero_si256();
    for (int i = 0; i < num_used; i += 2) {
        int32_t first = used[i], second = i + 1 < num_used ? used[i + 1] : first;
        int32_t pair = (int32_t)((uint16_t)x[first] | (uint32_t)(uint16_t)(i + 1 < num_used ? x[second] : 0) << 16);
        __m256i both = _mm256_set1_epi32(pair);
        const int8_t *a = w + (size_t)first * (size_t)cols, *b = w + (size_t)second * (size_t)cols;
        for (int j = 0; j < SUMS / 16; j++) {
            __m128i wa = _mm_loadu_si128((const __m128i *)(a + 16 * j)), wb = _mm_loadu_si128((const __m128i *)(b + 16 * j));
            s[2 * j] = add_products(s[2 * j], both, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(wa, wb)));
            s[2 * j + 1] = add_products(s[2 * j + 1], both, _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(wa, wb)));
        }
    }
    for (int j = 0; j < SUMS / 8; j++) _mm256_storeu_si256((__m256i *)(sums + 8 * j), s[j]);
}

static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define avx2_bf16 any_bf16
#define avx2_int8 any_int8
#define avx2_int4 any_int4
#define avx2_sum_rows any_sum_rows
static int has_avx2(void) { return 0; }
#endif

void multiply(const Matrix *m, const float *x, int n, float *y, Rounded *scratch) {
    if (m->kind == BF16) {
        (has_avx2() ? avx2_bf16 : any_bf16)(m, x, n, y);
        return;
    }
    int groups = m->cols / GROUP;
    for (int v = 0; v < n; v++)
        round_vector(x + (size_t)v * m->cols, m->cols, scratch->numbers + (size_t)v * m->cols, scratch->scales + v, scratch->sums + (size_t)v * groups);
    if (m->kind == INT8)
        (has_avx2() ? avx2_int8 : any_int8)(m, scratch, n, y);
    else
        (has_avx2() ? avx2_int4 : any_int4)(m, scratch, n, y);
}

int turn(const Matrix *m, Matrix *turned) {
    *turned = (Matrix){m->cols, m->rows, m->kind, NULL, m->scales};
    if (m->kind != INT8 || m->rows % SUMS) return 1;
    int8_t *numbers = malloc((size_t)m->rows * (size_t)m->cols);
    if (!numbers) return 0;
    const int8_t *w = m->numbers;
    for (int first = 0; first < m->cols; first += 64) /* by blocks that stay in the cache */
        for (int r = 0; r < m->rows; r++)
            for (int c = first; c < m->cols && c < first + 64; c++) numbers[(size_t)c * (size_t)m->rows + (size_t)r] = w[(size_t)r * (size_t)m->cols + (size_t)c];
    turned->numbers = numbers;
    return 1;
}

void multiply_sparse(const Matrix *m, const Matrix *turned, const float *x, int n, float *y, Rounded *scratch) {
    if (!turned->numbers) {
        multiply(m, x, n, y, scratch);
        return;
    }
    for (int v = 0; v < n; v++, x += m->cols, y += m->rows) {
        int num_used = 0;
        int32_t sums[SUMS];
        round_vector(x, m->cols, scratch->numbers, scratch->scales, scratch->sums);
        for (int i = 0; i < m->cols; i++) {
            scratch->used[num_used] = i;
            num_used += scratch->numbers[i] != 0;
        }
        for (int i = 0; i < num_used; i++) /* the rows lie apart: ask for all of them before the first is needed */
            for (int c = 0; c < m->rows; c += 64) PREFETCH((const int8_t *)turned->numbers + (size_t)scratch->used[i] * (size_t)m->rows + c);
        for (int first = 0; first < m->rows; first += SUMS) {
            (has_avx2() ? avx2_sum_rows : any_sum_rows)((const int8_t *)turned->numbers + first, m->rows, scratch->numbers, scratch->used, num_used, sums);
            for (int j = 0; j < SUMS; j++) y[first + j] = (float)sums[j] * from_bf16(m->scales[first + j]) * scratch->scales[0];
        }
    }
}

FOR_EACH_CPU void add_row(const Matrix *m, int64_t row, float *y) {
    int cols = m->cols;
    if (m->kind == BF16) {
        const uint16_t *w = (const uint16_t *)m->numbers + (size_t)row * cols;
        for (int i = 0; i < cols; i++) y[i] += from_bf16(w[i]);
    } else if (m->kind == INT8) {
        const int8_t *w = (const int8_t *)m->numbers + (size_t)row * cols;
        float scale = from_bf16(m->scales[row]);
        for (int i = 0; i < cols; i++) y[i] += (float)w[i] * scale;
    } else {
        const uint8_t *w = (const uint8_t *)m->numbers + (size_t)row * cols / 2;
        for (int g = 0; g < cols / GROUP; g++, w += GROUP / 2, y += GROUP) {
            float scale = from_bf16(m->scales[(size_t)row * (cols / GROUP) + g]);
            for (int i = 0; i < GROUP / 2; i++) {
                y[i] += (float)((w[i] & 15) - 8) * scale;
                y[GROUP / 2 + i] += (float)((w[i] >> 4) - 8) * scale;
            }
        }
    }
}

FOR_EACH_CPU void normalize(const float *x, int n, int width, float *y) {
    for (int v = 0; v < n; v++, x += width, y += width) {
        float sum[8] = {0}, squares[8] = {0};
        int i = 0;
        for (; i + 8 <= width; i += 8)
            for (int j = 0; j < 8; j++) sum[j] += x[i + j];
        for (; i < width; i++) sum[0] += x[i];
        float mean = (((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]))) / (float)width;
        for (i = 0; i + 8 <= width; i += 8)
            for (int j = 0; j < 8; j++) squares[j] += (x[i + j] - mean) * (x[i + j] - mean);
        for (; i < width; i++) squares[0] += (x[i] - mean) * (x[i] - mean);
        float variance = (((squares[0] + squares[4]) + (squares[1] + squares[5])) + ((squares[2] + squares[6]) + (squares[3] + squares[7]))) / (float)width;
        float scale = 1.0f / sqrtf(variance + 1e-5f);
        for (i = 0; i < width; i++) y[i] = (x[i] - mean) * scale;
    }
}

FOR_EACH_CPU void square_relu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float positive = x[i] > 0.0f ? x[i] : 0.0f;
        x[i] = positive * positive;
    }
}

FOR_EACH_CPU void softmax(float *x, int count) {
    float peak = x[0], sum[8] = {0};
    for (int i = 1; i < count; i++) peak = x[i] > peak ? x[i] : peak;
    for (int i = 0; i < count; i++) x[i] = fast_exp(x[i] - peak);
    int i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += x[i + j];
    for (; i < count; i++) sum[0] += x[i];
    float scale = 1.0f / (((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])));
    for (i = 0; i < count; i++) x[i] *= scale;
}

FOR_EACH_CPU float dot(const float *a, const float *b, int count) {
    float sum[8] = {0};
    int i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += a[i + j] * b[i + j];
    for (; i < count; i++) sum[0] += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

FOR_EACH_CPU void add(float *y, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += x[i];
}

FOR_EACH_CPU void meet(const float *query, const float *keys, int num, int stride, int width, float scale, float *scores) {
    int i = 0;
    for (; i + 4 <= num && width % 8 == 0; i += 4) { /* four keys at a time, so that their sums do not wait for one another */
        const float *a = keys + (size_t)i * (size_t)stride, *b = a + stride, *c = b + stride, *d = c + stride;
        float sa[8] = {0}, sb[8] = {0}, sc[8] = {0}, sd[8] = {0};
        for (int f = 0; f < width; f += 8)
            for (int j = 0; j < 8; j++) {
                float q = query[f + j];
                sa[j] += q * a[f + j], sb[j] += q * b[f + j], sc[j] += q * c[f + j], sd[j] += q * d[f + j];
            }
        float *s = scores + i;
        s[0] = s[1] = s[2] = s[3] = 0;
        for (int j = 0; j < 8; j++) s[0] += sa[j], s[1] += sb[j], s[2] += sc[j], s[3] += sd[j];
        for (int j = 0; j < 4; j++) s[j] *= scale;
    }
    for (; i < num; i++) scores[i] = dot(query, keys + (size_t)i * (size_t)stride, width) * scale;
}

FOR_EACH_CPU void weigh(const float *weights, const float *values, int num, int stride, int width, float *out) {
    int f = 0;
    for (; f + 32 <= width; f += 32) { /* so many as stay in registers */
        float sum[32] = {0};
        for (int i = 0; i < num; i++) {
            const float *value = values + (size_t)i * (size_t)stride + f;
            for (int j = 0; j < 32; j++) sum[j] += weights[i] * value[j];
        }
        for (int j = 0; j < 32; j++) out[f + j] = sum[j];
    }
    for (; f < width; f++) {
        out[f] = 0;
        for (int i = 0; i < num; i++) out[f] += weights[i] * values[(size_t)i * (size_t)stride + f];
    }
}

/* 15 tanh(x / 15); what is no number stays none, so that sampling can tell */
FOR_EACH_CPU void soft_cap(float *logits, int count) {
    for (int i = 0; i < count; i++) {
        float bent = 15.0f - 30.0f / (fast_exp(logits[i] * (2.0f / 15.0f)) + 1.0f);
        logits[i] = logits[i] == logits[i] ? bent : logits[i];
    }
}
