/* tests/sim/raft/jobs.h – between the command line and how its seeds are spread over processes: see jobs_posix.c and jobs_windows.c. */
#ifndef SKEP_TESTS_SIM_RAFT_JOBS_H
#define SKEP_TESTS_SIM_RAFT_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "tests/sim/raft/sim.h"

enum { JOBS_MOST = 64, FAILURES_MOST = 20 };

struct arguments {
    struct sim_options sim;
    uint64_t from, to;
    unsigned jobs;
    long soak_seconds;
    const char *program, *mutant;
    bool is_single, must_catch, is_repeated, is_quiet;
};

/* What the processes share. */
struct board {
    atomic_uint_fast64_t next, passed, failed, undecided, events;
    atomic_uint_fast64_t running[JOBS_MOST]; /* the seed that each is at; 0: none */
    atomic_uint_fast64_t first_failed;
};

/* One that all jobs see, zeroed. NULL where the system has none to give. */
struct board *board_new(void);

double seconds(void); /* since some moment */
void print_replay(const struct arguments *arguments, uint64_t seed, FILE *out);
void print_progress(const struct board *board, double began);
void note_failure(struct board *board, uint64_t seed);

/* Seeds one after another, until there are no more or @end is reached. */
void work(const struct arguments *arguments, struct board *board, unsigned job, double end);

/* All jobs, to their end. */
void run_jobs(const struct arguments *arguments, struct board *board);

#endif
