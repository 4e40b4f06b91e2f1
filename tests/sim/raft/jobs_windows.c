/* tests/sim/raft/jobs_windows.c – without fork(): one process does the work of all jobs, and a seed that kills it ends the run. */
#include "base/mem.h"
#include "tests/sim/raft/jobs.h"

struct board *board_new(void)
{
    return mem_alloc(sizeof(struct board));
}

void run_jobs(const struct arguments *arguments, struct board *board)
{
    work(arguments, board, 0, seconds() + (double)arguments->soak_seconds);
}
