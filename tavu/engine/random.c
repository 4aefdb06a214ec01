#include "random.h"

enum { POOL = 4 };

static Wide add_wide(Wide a, Wide b) {
    uint64_t low = a.low + b.low;
    return (Wide){a.high + b.high + (low < a.low), low};
}

static Wide multiply_wide(Wide a, Wide b) {
    const uint64_t half = 0xFFFFFFFFu;
    uint64_t low = (a.low & half) * (b.low & half), right = (a.low >> 32) * (b.low & half), left = (a.low & half) * (b.low >> 32);
    uint64_t middle = (low >> 32) + (right & half) + (left & half);
    uint64_t carried = (a.low >> 32) * (b.low >> 32) + (right >> 32) + (left >> 32) + (middle >> 32);
    return (Wide){carried + a.high * b.low + a.low * b.high, a.low * b.low};
}

static void step_random(Random *random) {
    const Wide multiplier = {2549297995355413924u, 4865540595714422341u};
    random->state = add_wide(multiply_wide(random->state, multiplier), random->increment);
}

/* SeedSequence's hash of one number; constant changes with each. */
static uint32_t hash_number(uint32_t number, uint32_t *constant, uint32_t multiplier) {
    number ^= *constant;
    *constant *= multiplier;
    number *= *constant;
    return number ^ number >> 16;
}

/* SeedSequence (O'Neill 2015, "Developing a seed_seq alternative"): numpy/random/bit_generator.pyx. */
void seed_random(Random *random, uint64_t seed) {
    uint32_t pool[POOL] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, constant = 0x43B0D7E5u;
    uint64_t words[POOL];
    for (int i = 0; i < POOL; i++) pool[i] = hash_number(pool[i], &constant, 0x931E8875u);
    for (int from = 0; from < POOL; from++)
        for (int to = 0; to < POOL; to++) {
            if (from == to) continue;
            uint32_t mixed = pool[to] * 0xCA01F9DDu - hash_number(pool[from], &constant, 0x931E8875u) * 0x4973F715u;
            pool[to] = mixed ^ mixed >> 16;
        }
    constant = 0x8B51F9DDu;
    for (int i = 0; i < POOL; i++) {
        words[i] = hash_number(pool[2 * i % POOL], &constant, 0x58F38DEDu);
        words[i] |= (uint64_t)hash_number(pool[(2 * i + 1) % POOL], &constant, 0x58F38DEDu) << 32;
    }
    random->increment = (Wide){words[2] << 1 | words[3] >> 63, words[3] << 1 | 1};
    random->state = add_wide(random->increment, (Wide){words[0], words[1]});
    step_random(random);
}

double next_uniform(Random *random) {
    step_random(random);
    uint64_t mixed = random->state.high ^ random->state.low;
    unsigned rotation = (unsigned)(random->state.high >> 58);
    mixed = mixed >> rotation | mixed << (-rotation & 63);
    return (double)(mixed >> 11) * (1.0 / 9007199254740992.0);
}
