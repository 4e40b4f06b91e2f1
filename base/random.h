/* base/random.h – chance as something that is passed in, so that a simulation repeats from its seed. */
#ifndef SKEP_BASE_RANDOM_H
#define SKEP_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*fill)(void *self, void *data, size_t size);
    void *self;
};

struct random random_system(void); /* cryptographic: keys, ids, tokens */

/* Repeatable (xoshiro256**, seeded through splitmix64). Never for secrets. */
struct random_seeded {
    uint64_t s[4];
};
void random_seeded_init(struct random_seeded *state, uint64_t seed);
struct random random_from_seeded(struct random_seeded *state); /* borrowed */

void random_fill(const struct random *random, void *data, size_t size);
uint64_t random_u64(const struct random *random);
uint64_t random_below(const struct random *random, uint64_t bound); /* uniform in [0, bound); 0 for bound 0 */

#endif
