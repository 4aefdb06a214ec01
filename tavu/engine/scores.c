#include "scores.h"

#include <math.h>
#include <string.h>

#include "matrix.h"

/* NaN where any of them is. */
FOR_EACH_CPU static float log_sum_exp(const float *logits, int count) {
    float peak = logits[0], sum = 0.0f;
    int32_t any_nan = 0;
    for (int i = 0; i < count; i++) {
        peak = logits[i] > peak ? logits[i] : peak;
        any_nan |= logits[i] != logits[i];
    }
    for (int i = 0; i < count; i++) sum += fast_exp(logits[i] - peak);
    return any_nan ? NAN : peak + logf(sum);
}

float bits_of(const float *logits, int32_t id) { return (log_sum_exp(logits, NUM_IDS) - logits[id]) * 1.44269504f; }

void put_score(const Scores *scores, int64_t index, int32_t id, int32_t place_in_patch, const float *logits) {
    if (index < scores->first) return;
    index -= scores->first;
    scores->bits[index] = bits_of(logits, id);
    scores->places[index] = place_in_patch;
    if (scores->logits) memcpy(scores->logits + index * NUM_IDS, logits, NUM_IDS * sizeof *logits);
}
