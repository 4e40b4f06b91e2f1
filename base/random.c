/* base/random.c – see random.h. */
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void system_fill(void *self, void *data, size_t size)
{
    (void)self;
    /* The kernel's own: OpenSSL's would link most of libcrypto into programs that need nothing else of it. */
    if (size > INT32_MAX || uv_random(NULL, NULL, data, size, 0, NULL) < 0) {
        fprintf(stderr, "skep: the system's random source failed\n");
        abort();
    }
}

struct random random_system(void)
{
    return (struct random){system_fill, NULL};
}

void random_seeded_init(struct random_seeded *state, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        state->s[i] = z ^ (z >> 31);
    }
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t seeded_next(struct random_seeded *state)
{
    uint64_t *s = state->s, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

static void seeded_fill(void *self, void *data, size_t size)
{
    uint8_t *out = data;
    while (size > 0) {
        uint64_t value = seeded_next(self);
        size_t part = size < sizeof value ? size : sizeof value;
        memcpy(out, &value, part);
        out += part;
        size -= part;
    }
}

struct random random_from_seeded(struct random_seeded *state)
{
    return (struct random){seeded_fill, state};
}

void random_fill(const struct random *random, void *data, size_t size)
{
    random->fill(random->self, data, size);
}

uint64_t random_u64(const struct random *random)
{
    uint64_t value;
    random_fill(random, &value, sizeof value);
    return value;
}

uint64_t random_below(const struct random *random, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* Values below 2^64 mod bound would make the low results likelier; draw again. */
    uint64_t unfair = (0 - bound) % bound, value;
    do {
        value = random_u64(random);
    } while (value < unfair);
    return value % bound;
}
