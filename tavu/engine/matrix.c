#include "kernels.h"

static int always(void) { return 1; }
static const struct {
    const Kernels *kernels;
    int (*has)(void);
} all_kernels[] = {
    {&any_kernels, always}, {&avx2_kernels, has_avx2}, {&avx512_kernels, has_avx512}, {&dotprod_kernels, has_dotprod}, {&wasm_kernels, has_wasm}};
static const Kernels *kernels;

int use_kernels(int which) {
    if (which < ANY_CPU || which > WITH_WASM || !all_kernels[which].has()) return 0;
    kernels = all_kernels[which].kernels;
    return 1;
}

void use_best_kernels(void) {
    for (int which = WITH_WASM; !kernels; which--) use_kernels(which);
}

enum { MAX_QUANTIZED = INT16_MAX - 128 }; /* so that rounding to a multiple of 256, in split_bytes, does not overflow */

/* The largest integer for x such that sums of its products with so many columns of 8 bits stay within 31 bits. */
static int quantization_limit(int cols) {
    int most = INT32_MAX / 127 / cols;
    return most < MAX_QUANTIZED ? most : MAX_QUANTIZED;
}

FOR_EACH_CPU float quantize_vector(const float *x, int count, int limit, int16_t *numbers) {
    float most[LANES] = {0}, largest = 0.0f;
    int32_t nans[LANES] = {0}, any_nan = 0;
    for (int i = 0; i + LANES <= count; i += LANES)
        for (int j = 0; j < LANES; j++) {
            most[j] = fabsf(x[i + j]) > most[j] ? fabsf(x[i + j]) : most[j];
            nans[j] |= x[i + j] != x[i + j];
        }
    for (int i = count / LANES * LANES; i < count; i++) {
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
        any_nan |= x[i] != x[i];
    }
    for (int half = LANES / 2; half; half /= 2) /* halve the lanes until one is left */
        for (int j = 0; j < half; j++) {
            most[j] = most[j + half] > most[j] ? most[j + half] : most[j];
            nans[j] |= nans[j + half];
        }
    largest = most[0] > largest ? most[0] : largest;
    any_nan |= nans[0];
    float inverse = largest > 0.0f ? (float)limit / largest : 0.0f;
    for (int i = 0; i < count; i++) {
        float v = x[i] * inverse;
        v = v < (float)limit ? v : (float)limit;
        v = v > -(float)limit ? v : -(float)limit; /* NaN becomes a number here; the scale keeps it */
        numbers[i] = (int16_t)(int32_t)(v + (v < 0.0f ? -0.5f : 0.5f));
    }
    return any_nan ? NAN : largest / (float)limit;
}

FOR_EACH_CPU static void sum_groups(const int16_t *numbers, int count, float *sums) {
    for (int g = 0; g < count / GROUP; g++) {
        int32_t sum = 0;
        for (int i = 0; i < GROUP; i++) sum += numbers[g * GROUP + i];
        sums[g] = (float)sum;
    }
}

void multiply(const Matrix *m, const float *x, int n, float *y, Quantized *scratch) {
    if (m->dtype == BF16) {
        kernels->bf16(m, x, n, y);
        return;
    }
    size_t cols = (size_t)m->cols;
    int limit = quantization_limit(m->cols);
    for (int v = 0; v < n; v++) scratch->scales[v] = quantize_vector(x + (size_t)v * cols, m->cols, limit, scratch->numbers + (size_t)v * cols);
    if (m->dtype == INT8) {
        kernels->int8(m, scratch, n, y);
    } else {
        sum_groups(scratch->numbers, n * m->cols, scratch->sums);
        kernels->int4(m, scratch, n, y);
    }
}

int transpose(const Matrix *m, Matrix *transposed, Arena *arena) {
    *transposed = (Matrix){m->cols, m->rows, m->dtype, NULL, m->scales};
    if (m->dtype != INT8 || m->rows % SUM_COLUMNS) return 1;
    int8_t *numbers = allocate(arena, (size_t)m->rows * (size_t)m->cols, 1);
    if (!numbers) return 0;
    const int8_t *w = m->numbers;
    for (int first = 0; first < m->cols; first += 64) /* by blocks that stay in the cache */
        for (int r = 0; r < m->rows; r++)
            for (int c = first; c < m->cols && c < first + 64; c++)
                numbers[(size_t)c * (size_t)m->rows + (size_t)r] = w[(size_t)r * (size_t)m->cols + (size_t)c];
    transposed->numbers = numbers;
    return 1;
}

void multiply_sparse(const Matrix *m, const Matrix *transposed, const float *x, int n, float *y, Quantized *scratch) {
    if (!transposed->numbers) {
        multiply(m, x, n, y, scratch);
        return;
    }
    for (int v = 0; v < n; v++, x += m->cols, y += m->rows) {
        int num_nonzero = 0;
        int32_t sums[SUM_COLUMNS];
        float scale = quantize_vector(x, m->cols, quantization_limit(m->cols), scratch->numbers);
        for (int i = 0; i < m->cols; i++) {
            scratch->nonzero[num_nonzero] = i;
            num_nonzero += scratch->numbers[i] != 0;
        }
        for (int i = 0; i < num_nonzero; i++) /* the rows are far apart: prefetch all before the first is needed */
            for (int c = 0; c < m->rows; c += 64) PREFETCH((const int8_t *)transposed->numbers + (size_t)scratch->nonzero[i] * (size_t)m->rows + c);
        for (int first = 0; first < m->rows; first += SUM_COLUMNS) {
            kernels->sum_rows((const int8_t *)transposed->numbers + first, m->rows, scratch->numbers, scratch->nonzero, num_nonzero, sums);
            for (int j = 0; j < SUM_COLUMNS; j++) y[first + j] = (float)sums[j] * from_bf16(m->scales[first + j]) * scale;
        }
    }
}

FOR_EACH_CPU void add_row(const Matrix *m, int64_t row, float *y) {
    int cols = m->cols;
    if (m->dtype == BF16) {
        const uint16_t *w = (const uint16_t *)m->numbers + (size_t)row * cols;
        for (int i = 0; i < cols; i++) y[i] += from_bf16(w[i]);
    } else if (m->dtype == INT8) {
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
        float variance =
            (((squares[0] + squares[4]) + (squares[1] + squares[5])) + ((squares[2] + squares[6]) + (squares[3] + squares[7]))) / (float)width;
        float scale = 1.0f / sqrtf(variance + (float)NORM_EPSILON);
        for (i = 0; i < width; i++) y[i] = (x[i] - mean) * scale;
    }
}

FOR_EACH_CPU void square_relu(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float positive = x[i] < 0.0f ? 0.0f : x[i]; /* NaN stays NaN */
        x[i] = positive * positive;
    }
}

FOR_EACH_CPU static float largest(const float *x, int count) {
    float most[LANES], peak = x[0];
    int i = 0;
    for (int j = 0; j < LANES; j++) most[j] = x[0];
    for (; i + LANES <= count; i += LANES)
        for (int j = 0; j < LANES; j++) most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
    for (; i < count; i++) peak = x[i] > peak ? x[i] : peak;
    for (int j = 0; j < LANES; j++) peak = most[j] > peak ? most[j] : peak;
    return peak;
}

FOR_EACH_CPU void softmax(float *x, int count) {
    float peak = largest(x, count), sum[8] = {0};
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

FOR_EACH_CPU void attention_scores(const float *query, const int16_t *keys, const float *key_scales, int num, int width, float *scores) {
    for (int i = 0; i < num; i += LANES) {
        float sums[LANES] = {0};
        for (int f = 0; f < width; f++, keys += LANES)
            for (int j = 0; j < LANES; j++) sums[j] += query[f] * (float)keys[j];
        for (int j = 0; j < LANES; j++) scores[i + j] = sums[j] * key_scales[i + j];
    }
}

FOR_EACH_CPU void weighted_sum(const float *weights, const int16_t *values, const float *value_scales, int num, int width, float *out) {
    int f = 0;
    for (; f + LANES <= width; f += LANES) {
        float sum[LANES] = {0};
        for (int i = 0; i < num; i++) {
            const int16_t *value = values + (size_t)i * (size_t)width + f;
            float weight = weights[i] * value_scales[i];
            for (int j = 0; j < LANES; j++) sum[j] += weight * (float)value[j];
        }
        for (int j = 0; j < LANES; j++) out[f + j] = sum[j];
    }
    for (; f < width; f++) {
        out[f] = 0;
        for (int i = 0; i < num; i++) out[f] += weights[i] * value_scales[i] * (float)values[(size_t)i * (size_t)width + f];
    }
}

/* cap tanh(x / cap); NaN stays NaN, so that sampling notices */
FOR_EACH_CPU void soft_cap(float *logits, int count) {
    const float cap = (float)LOGIT_CAP;
    for (int i = 0; i < count; i++) {
        float capped = cap - 2.0f * cap / (fast_exp(logits[i] * (2.0f / cap)) + 1.0f);
        logits[i] = logits[i] == logits[i] ? capped : logits[i];
    }
}
