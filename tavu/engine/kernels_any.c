/* Kernels in plain C, which compilers vectorize. */
#include "kernels.h"

FOR_EACH_CPU static void any_bf16(const Matrix *m, const float *x, int n, float *y) {
    enum { AT_A_TIME = 16 };
    const uint16_t *w = m->numbers;
    for (int r = 0; r < m->rows; r++, w += m->cols) {
        for (int v = 0; v < n; v++) {
            const float *own_x = x + (size_t)v * m->cols;
            float sum[AT_A_TIME] = {0}, own[AT_A_TIME];
            int i = 0;
            for (; i + AT_A_TIME <= m->cols; i += AT_A_TIME) {
                for (int j = 0; j < AT_A_TIME; j++) own[j] = from_bf16(w[i + j]);
                for (int j = 0; j < AT_A_TIME; j++) sum[j] += own[j] * own_x[i + j];
            }
            for (; i < m->cols; i++) sum[0] += from_bf16(w[i]) * own_x[i];
            for (int half = AT_A_TIME / 2; half; half /= 2)
                for (int j = 0; j < half; j++) sum[j] += sum[j + half];
            y[(size_t)v * m->rows + r] = sum[0];
        }
    }
}

FOR_EACH_CPU static void any_int8(const Matrix *m, const Quantized *x, int n, float *y) {
    const int8_t *w = m->numbers;
    for (int r = 0; r < m->rows; r++, w += m->cols) {
        float scale = from_bf16(m->scales[r]);
        for (int v = 0; v < n; v++) {
            const int16_t *own_x = x->numbers + (size_t)v * m->cols;
            int32_t sum = 0;
            for (int i = 0; i < m->cols; i++) sum += (int16_t)w[i] * own_x[i];
            y[(size_t)v * m->rows + r] = (float)sum * scale * x->scales[v];
        }
    }
}

FOR_EACH_CPU static void any_int4(const Matrix *m, const Quantized *x, int n, float *y) {
    int groups = m->cols / GROUP;
    const uint8_t *w = m->numbers;
    const uint16_t *scales = m->scales;
    for (int r = 0; r < m->rows; r++, w += m->cols / 2, scales += groups) {
        for (int v = 0; v < n; v++) {
            const int16_t *own_x = x->numbers + (size_t)v * m->cols;
            const float *sums = x->sums + (size_t)v * groups;
            float total = 0.0f;
            for (int g = 0; g < groups; g++) {
                const uint8_t *pairs = w + g * GROUP / 2;
                const int16_t *first = own_x + g * GROUP, *second = first + GROUP / 2;
                int32_t sum = 0;
                NO_UNROLL for (int i = 0; i < GROUP / 2; i++) sum += (int16_t)(pairs[i] & 15) * first[i];
                NO_UNROLL for (int i = 0; i < GROUP / 2; i++) sum += (int16_t)(pairs[i] >> 4) * second[i];
                total += ((float)sum - 8.0f * sums[g]) * from_bf16(scales[g]);
            }
            y[(size_t)v * m->rows + r] = total * x->scales[v];
        }
    }
}

FOR_EACH_CPU static void any_sum_rows(const int8_t *w, int cols, const int16_t *x, const int32_t *nonzero, int num_nonzero, int32_t *sums) {
    for (int j = 0; j < SUM_COLUMNS; j++) sums[j] = 0;
    for (int i = 0; i < num_nonzero; i++) {
        const int8_t *row = w + (size_t)nonzero[i] * (size_t)cols;
        int32_t own = x[nonzero[i]];
        for (int j = 0; j < SUM_COLUMNS; j++) sums[j] += own * row[j];
    }
}

const Kernels any_kernels = {any_bf16, any_int8, any_int4, any_sum_rows};
