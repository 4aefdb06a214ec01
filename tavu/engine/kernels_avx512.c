/* Kernels for x86 with AVX-512 and VNNI: one instruction adds up products of two 16-bit or four 8-bit numbers. */
#include "kernels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#define FOR_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")))
#define INLINE FOR_AVX512 static inline __attribute__((always_inline))

enum { MAX_VECTORS = 4, PACKED_ROWS = 32, PACKED_VECTORS = 4, PACK_FROM = 16 };

INLINE __m128i four_sums(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i sums = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)); /* a, b, c, d in each quarter */
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

INLINE __m128 four_totals(const __m512 *x) {
    __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
    __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
    __m512d low = _mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)),
            high = _mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd));
    __m512 totals = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(totals), _mm512_extractf32x8_ps(totals, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

INLINE __m128 four_bf16(const uint16_t *w) { return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)w)), 16)); }

INLINE __m512 sixteen_bf16(const uint16_t *w) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)w)), 16));
}

INLINE __m512i thirty_two_int8(const int8_t *w) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w)); }

/* Four rows from r on times num vectors, so that what is loaded serves several products. num is a compile-time constant. */
INLINE void rows_of_bf16(const Matrix *m, int r, const float *x, int num, float *y) {
    size_t cols = (size_t)m->cols;
    const uint16_t *w = (const uint16_t *)m->numbers + (size_t)r * cols;
    __m512 sums[MAX_VECTORS][4];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < 4; j++) sums[v][j] = _mm512_setzero_ps();
    for (size_t i = 0; i < cols; i += 16) {
        __m512 own[4];
        for (int j = 0; j < 4; j++) own[j] = sixteen_bf16(w + (size_t)j * cols + i);
        for (int v = 0; v < num; v++) {
            __m512 xi = _mm512_loadu_ps(x + (size_t)v * cols + i);
            for (int j = 0; j < 4; j++) sums[v][j] = _mm512_fmadd_ps(own[j], xi, sums[v][j]);
        }
    }
    for (int v = 0; v < num; v++) _mm_storeu_ps(y + (size_t)v * (size_t)m->rows + r, four_totals(sums[v]));
}

FOR_AVX512 static void avx512_bf16(const Matrix *m, const float *x, int n, float *y) {
    if (m->cols % 16 || m->rows % 4) {
        avx2_kernels.bf16(m, x, n, y);
        return;
    }
    int tile = L1_BYTES / 4 / m->cols * 4;
    if (tile < 4) tile = 4;
    size_t rows = (size_t)m->rows, cols = (size_t)m->cols;
    for (int first = 0; first < m->rows; first += tile) { /* tiles of rows that stay in the L1 cache for all vectors */
        int end = first + tile < m->rows ? first + tile : m->rows, v = 0;
        for (; v + 4 <= n; v += 4)
            for (int r = first; r < end; r += 4) rows_of_bf16(m, r, x + (size_t)v * cols, 4, y + (size_t)v * rows);
        for (; v < n; v++)
            for (int r = first; r < end; r += 4) rows_of_bf16(m, r, x + (size_t)v * cols, 1, y + (size_t)v * rows);
    }
}

INLINE void rows_of_int8(const Matrix *m, int r, const Quantized *x, int first, int num, float *y) {
    size_t cols = (size_t)m->cols;
    const int8_t *w = (const int8_t *)m->numbers + (size_t)r * cols;
    const int16_t *numbers = x->numbers + (size_t)first * cols;
    __m512i sums[MAX_VECTORS][4];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < 4; j++) sums[v][j] = _mm512_setzero_si512();
    for (size_t i = 0; i < cols; i += 32) {
        __m512i own[4];
        for (int j = 0; j < 4; j++) own[j] = thirty_two_int8(w + (size_t)j * cols + i);
        for (int v = 0; v < num; v++) {
            __m512i xi = _mm512_loadu_si512(numbers + (size_t)v * cols + i);
            for (int j = 0; j < 4; j++) sums[v][j] = _mm512_dpwssd_epi32(sums[v][j], own[j], xi);
        }
    }
    __m128 scales = four_bf16(m->scales + r);
    for (int v = 0; v < num; v++) {
        __m128 whole = _mm_cvtepi32_ps(four_sums(sums[v][0], sums[v][1], sums[v][2], sums[v][3]));
        _mm_storeu_ps(y + (size_t)(first + v) * (size_t)m->rows + r, _mm_mul_ps(_mm_mul_ps(whole, scales), _mm_set1_ps(x->scales[first + v])));
    }
}

/* Sixteen rows from r on, transposed by pairs of columns: packed (cols / 2) vectors of 16 pairs of 16-bit numbers. */
INLINE void pack_rows(const Matrix *m, int r, __m512i *packed) {
    size_t cols = (size_t)m->cols;
    const int8_t *w = (const int8_t *)m->numbers + (size_t)r * cols;
    for (size_t i = 0; i < cols; i += 32, packed += 16) {
        __m512i a[16], b[16];
        for (int j = 0; j < 16; j++) a[j] = thirty_two_int8(w + (size_t)j * cols + i);
        for (int j = 0; j < 16; j += 2) b[j] = _mm512_unpacklo_epi32(a[j], a[j + 1]), b[j + 1] = _mm512_unpackhi_epi32(a[j], a[j + 1]);
        for (int j = 0; j < 16; j += 4) { /* a[j + c] has columns c, c + 4, c + 8 and c + 12 of rows j to j + 3 */
            a[j] = _mm512_unpacklo_epi64(b[j], b[j + 2]), a[j + 1] = _mm512_unpackhi_epi64(b[j], b[j + 2]);
            a[j + 2] = _mm512_unpacklo_epi64(b[j + 1], b[j + 3]), a[j + 3] = _mm512_unpackhi_epi64(b[j + 1], b[j + 3]);
        }
        for (int c = 0; c < 4; c++) {
            __m512i even = _mm512_shuffle_i32x4(a[c], a[c + 4], 0x88), odd = _mm512_shuffle_i32x4(a[c], a[c + 4], 0xDD);
            __m512i more_even = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0x88), more_odd = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0xDD);
            _mm512_storeu_si512(packed + c, _mm512_shuffle_i32x4(even, more_even, 0x88));
            _mm512_storeu_si512(packed + c + 4, _mm512_shuffle_i32x4(odd, more_odd, 0x88));
            _mm512_storeu_si512(packed + c + 8, _mm512_shuffle_i32x4(even, more_even, 0xDD));
            _mm512_storeu_si512(packed + c + 12, _mm512_shuffle_i32x4(odd, more_odd, 0xDD));
        }
    }
}

/* PACKED_ROWS rows from r on times num vectors: no sum runs across a register. num is a compile-time constant. */
INLINE void packed_rows_of_int8(const Matrix *m, int r, const __m512i *packed, const Quantized *x, int first, int num, float *y) {
    size_t cols = (size_t)m->cols, pairs = cols / 2;
    const int16_t *numbers = x->numbers + (size_t)first * cols;
    __m512i sums[PACKED_VECTORS][PACKED_ROWS / 16];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < PACKED_ROWS / 16; j++) sums[v][j] = _mm512_setzero_si512();
    for (size_t k = 0; k < pairs; k++) {
        __m512i own[PACKED_ROWS / 16];
        for (int j = 0; j < PACKED_ROWS / 16; j++) own[j] = _mm512_loadu_si512(packed + (size_t)j * pairs + k);
        for (int v = 0; v < num; v++) {
            int32_t pair;
            memcpy(&pair, numbers + (size_t)v * cols + 2 * k, sizeof pair);
            __m512i xk = _mm512_set1_epi32(pair);
            for (int j = 0; j < PACKED_ROWS / 16; j++) sums[v][j] = _mm512_dpwssd_epi32(sums[v][j], own[j], xk);
        }
    }
    for (int j = 0; j < PACKED_ROWS / 16; j++) {
        __m512 scales = sixteen_bf16(m->scales + r + 16 * j);
        for (int v = 0; v < num; v++) {
            __m512 product = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[v][j]), scales), _mm512_set1_ps(x->scales[first + v]));
            _mm512_storeu_ps(y + (size_t)(first + v) * (size_t)m->rows + r + 16 * j, product);
        }
    }
}

/* The first rows, whole PACKED_ROWS of them, which are packed in x->parts as they come: this pays for many vectors. Returns how many. Not
   inlined: gcc would spill the registers of the loops that serve one vector. */
FOR_AVX512 __attribute__((noinline)) static int packed_int8(const Matrix *m, const Quantized *x, int n, float *y) {
    int rows = m->rows / PACKED_ROWS * PACKED_ROWS;
    __m512i *packed = x->parts;
    for (int r = 0, v; r < rows; r += PACKED_ROWS) {
        for (int j = 0; j < PACKED_ROWS / 16; j++) pack_rows(m, r + 16 * j, packed + (size_t)j * (size_t)m->cols / 2);
        for (v = 0; v + PACKED_VECTORS <= n; v += PACKED_VECTORS) packed_rows_of_int8(m, r, packed, x, v, PACKED_VECTORS, y);
        for (; v < n; v++) packed_rows_of_int8(m, r, packed, x, v, 1, y);
    }
    return rows;
}

FOR_AVX512 static void avx512_int8(const Matrix *m, const Quantized *x, int n, float *y) {
    int fours = m->rows / 4 * 4, tile = L1_BYTES / 2 / m->cols / 4 * 4;
    if (tile < 4) tile = 4;
    for (int first = n >= PACK_FROM ? packed_int8(m, x, n, y) : 0; first < fours; first += tile) {
        int end = first + tile < fours ? first + tile : fours, v = 0;
        for (; v + 4 <= n; v += 4)
            for (int r = first; r < end; r += 4) rows_of_int8(m, r, x, v, 4, y);
        for (; v < n; v++)
            for (int r = first; r < end; r += 4) rows_of_int8(m, r, x, v, 1, y);
    }
    for (int r = fours; r < m->rows; r++) { /* the last one to three */
        const int8_t *w = (const int8_t *)m->numbers + (size_t)r * (size_t)m->cols;
        for (int v = 0; v < n; v++) {
            __m512i sum = _mm512_setzero_si512();
            for (int i = 0; i < m->cols; i += 32)
                sum = _mm512_dpwssd_epi32(sum, thirty_two_int8(w + i), _mm512_loadu_si512(x->numbers + (size_t)v * (size_t)m->cols + i));
            y[(size_t)v * (size_t)m->rows + (size_t)r] = (float)_mm512_reduce_add_epi32(sum) * from_bf16(m->scales[r]) * x->scales[v];
        }
    }
}

/* x as 256 high + low, both of 8 bits, with cols numbers a vector. 4-bit weights are stored plus 8: offsets are -8 times the sums of four numbers of
   x. */
typedef struct {
    int8_t *high, *low;
    int32_t *offsets;
} SplitBytes;

FOR_AVX512 static SplitBytes split_bytes(const Quantized *x, size_t count) {
    SplitBytes parts = {x->parts, (int8_t *)x->parts + count, (int32_t *)((int8_t *)x->parts + 2 * count)};
    for (size_t i = 0; i < count; i += 32) {
        __m512i numbers = _mm512_loadu_si512(x->numbers + i);
        __m512i high = _mm512_srai_epi16(_mm512_add_epi16(numbers, _mm512_set1_epi16(128)), 8); /* does not overflow: see MAX_QUANTIZED */
        __m256i low = _mm512_cvtepi16_epi8(numbers);                                            /* the low 8 bits as a number from -128 to 127 */
        _mm256_storeu_si256((__m256i *)(parts.high + i), _mm512_cvtepi16_epi8(high));
        _mm256_storeu_si256((__m256i *)(parts.low + i), low);
        __m512i pairs = _mm512_madd_epi16(numbers, _mm512_set1_epi16(-8));
        __m256i fours = _mm512_cvtepi64_epi32(_mm512_add_epi32(pairs, _mm512_srli_epi64(pairs, 32)));
        _mm256_storeu_si256((__m256i *)(parts.offsets + i / 4), fours);
    }
    return parts;
}

/* The scales of two groups of weights, each for the eight sums of its group. */
INLINE __m512 two_scales(const uint16_t *scales) {
    int32_t pair;
    memcpy(&pair, scales, sizeof pair);
    __m512i both = _mm512_set1_epi32(pair), second = _mm512_and_si512(both, _mm512_set1_epi32((int32_t)0xFFFF0000));
    return _mm512_castsi512_ps(_mm512_mask_slli_epi32(second, 0x00FF, both, 16));
}

/* 4 rows or 1 from r on times num vectors, two groups of weights at a time. rows and num are compile-time constants. */
INLINE void rows_of_int4(const Matrix *m, int r, int rows, const Quantized *x, const SplitBytes *parts, int first, int num, float *y) {
    const __m512i low_bits = _mm512_set1_epi8(15), halves = _mm512_set_epi64(3, 2, 3, 2, 1, 0, 1, 0);
    size_t cols = (size_t)m->cols;
    const uint8_t *w = (const uint8_t *)m->numbers + (size_t)r * cols / 2;
    const uint16_t *scales = m->scales + (size_t)r * (cols / GROUP);
    __m512 totals[MAX_VECTORS][4];
    for (int v = 0; v < num; v++)
        for (int j = 0; j < rows; j++) totals[v][j] = _mm512_setzero_ps();
    for (size_t i = 0; i < cols; i += 2 * GROUP) {
        __m512i own[4];
        __m512 own_scales[4];
        for (int j = 0; j < rows; j++) { /* a group's high halves after its low ones */
            __m256i packed = _mm256_loadu_si256((const __m256i *)(w + ((size_t)j * cols + i) / 2));
            __m512i both = _mm512_permutexvar_epi64(halves, _mm512_castsi256_si512(packed));
            own[j] = _mm512_and_si512(_mm512_mask_srli_epi16(both, 0xFF00FF00, both, 4), low_bits);
            own_scales[j] = two_scales(scales + ((size_t)j * cols + i) / GROUP);
        }
        for (int v = 0; v < num; v++) {
            size_t at = (size_t)(first + v) * cols + i;
            __m512i offsets = _mm512_loadu_si512(parts->offsets + at / 4), low = _mm512_loadu_si512(parts->low + at),
                    high = _mm512_loadu_si512(parts->high + at);
            for (int j = 0; j < rows; j++) {
                __m512i of_low = _mm512_dpbusd_epi32(offsets, own[j], low), of_high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), own[j], high);
                __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(of_low, _mm512_slli_epi32(of_high, 8)));
                totals[v][j] = _mm512_fmadd_ps(sum, own_scales[j], totals[v][j]);
            }
        }
    }
    for (int v = 0; v < num; v++) {
        float scale = x->scales[first + v], *out = y + (size_t)(first + v) * (size_t)m->rows + r;
        if (rows == 4)
            _mm_storeu_ps(out, _mm_mul_ps(four_totals(totals[v]), _mm_set1_ps(scale)));
        else
            *out = _mm512_reduce_add_ps(totals[v][0]) * scale;
    }
}

FOR_AVX512 static void avx512_int4(const Matrix *m, const Quantized *x, int n, float *y) {
    int fours = m->rows / 4 * 4, tile = L1_BYTES / m->cols / 4 * 4;
    if (m->cols / GROUP % 2) {
        avx2_kernels.int4(m, x, n, y);
        return;
    }
    if (tile < 4) tile = 4;
    SplitBytes parts = split_bytes(x, (size_t)n * (size_t)m->cols);
    for (int first = 0; first < fours; first += tile) {
        int end = first + tile < fours ? first + tile : fours, v = 0;
        for (; v + 4 <= n; v += 4)
            for (int r = first; r < end; r += 4) rows_of_int4(m, r, 4, x, &parts, v, 4, y);
        for (; v < n; v++)
            for (int r = first; r < end; r += 4) rows_of_int4(m, r, 4, x, &parts, v, 1, y);
    }
    for (int r = fours; r < m->rows; r++) /* the last one to three */
        for (int v = 0; v < n; v++) rows_of_int4(m, r, 1, x, &parts, v, 1, y);
}

/* Two rows at a time, their numbers interleaved. */
FOR_AVX512 static void avx512_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums) {
    __m512i s[4]; /* columns 0-7 and 16-23, 8-15 and 24-31, and so on */
    for (int j = 0; j < 4; j++) s[j] = _mm512_setzero_si512();
    for (int i = 0; i < num_nonzero; i += 2) {
        int32_t first = nonzero[i], second = i + 1 < num_nonzero ? nonzero[i + 1] : first;
        __m512i both = _mm512_set1_epi32((int32_t)((uint16_t)x[first] | (uint32_t)(uint16_t)(i + 1 < num_nonzero ? x[second] : 0) << 16));
        const int8_t *a = w + (size_t)first * (size_t)cols, *b = w + (size_t)second * (size_t)cols;
        for (int j = 0; j < 2; j++) {
            __m256i wa = _mm256_loadu_si256((const __m256i *)(a + 32 * j)), wb = _mm256_loadu_si256((const __m256i *)(b + 32 * j));
            s[2 * j] = _mm512_dpwssd_epi32(s[2 * j], both, _mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(wa, wb)));
            s[2 * j + 1] = _mm512_dpwssd_epi32(s[2 * j + 1], both, _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(wa, wb)));
        }
    }
    for (int j = 0; j < 2; j++) {
        _mm512_storeu_si512(sums + 32 * j, _mm512_shuffle_i64x2(s[2 * j], s[2 * j + 1], 0x44));
        _mm512_storeu_si512(sums + 32 * j + 16, _mm512_shuffle_i64x2(s[2 * j], s[2 * j + 1], 0xEE));
    }
}

const Kernels avx512_kernels = {avx512_bf16, avx512_int8, avx512_int4, avx512_sum_rows};
int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}

#else
const Kernels avx512_kernels = {0};
int has_avx512(void) { return 0; }
#endif
