/* tests/sim/linearizable.h – whether what clients saw could have come from one copy of one register, each operation at one instant between
 * its call and its answer.
 *
 * The search of Wing and Gong, in the form of G. Lowe ("Testing for linearizability", 2016): operations are tried in the order in which
 * they could come first, a choice that leads nowhere is taken back, and a set of operations with the state it led to is never tried twice.
 * A register at a time: a history of many registers is linearizable when that of each is (Herlihy and Wing, 1990). */
#ifndef SKEP_TESTS_SIM_LINEARIZABLE_H
#define SKEP_TESTS_SIM_LINEARIZABLE_H

#include <stddef.h>
#include <stdint.h>

enum linear_kind {
    LINEAR_READ,   /* saw @value */
    LINEAR_WRITE,  /* the state is @value */
    LINEAR_APPEND, /* the state is linear_append(state, @value): it tells the order of all writes before */
};

#define LINEAR_UNKNOWN UINT64_MAX

/* Calls and answers are numbered by one clock that never stands still. Without an answer (LINEAR_UNKNOWN) a write may have happened at any
 * time since, or never; a read is then left out. */
struct linear_op {
    uint64_t called, answered;
    enum linear_kind kind;
    uint64_t value;
};

enum linear_verdict {
    LINEAR_YES,
    LINEAR_NO,
    LINEAR_UNDECIDED, /* @most_steps were not enough */
};

uint64_t linear_append(uint64_t state, uint64_t value);

/* @stuck (may be NULL): for LINEAR_NO the operation whose answer no order explains, of those that any order got to the latest. */
enum linear_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t initial, uint64_t most_steps, size_t *stuck);

#endif
