/* tests/sim/raft/jobs_posix.c – each job is a process, and outlived when a seed kills it. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/raft/jobs.h"

struct board *board_new(void)
{
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED ? NULL : board;
}

static pid_t start_job(const struct arguments *arguments, struct board *board, unsigned job, double end)
{
    fflush(stdout);
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (arguments->must_catch && !freopen("/dev/null", "w", stderr)) /* what a mutant's assertions say is expected */
        _exit(70);
    work(arguments, board, job, end);
    fflush(stdout);
    _exit(0);
}

/* A job that died died of its seed: an assertion in the core, or a sanitizer. */
static void bury(const struct arguments *arguments, struct board *board, unsigned job, int status)
{
    uint64_t seed = board->running[job];

    if (seed == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return;
    if (arguments->must_catch) {
        printf("caught by seed %" PRIu64 ": an assertion of the core\n", seed);
    } else {
        printf("seed %" PRIu64 ": FAILED: the process ended with %s %d\n", seed, WIFSIGNALED(status) ? "signal" : "code",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        print_replay(arguments, seed, stdout);
    }
    fflush(stdout);
    note_failure(board, seed);
    board->running[job] = 0;
}

static unsigned job_of(const pid_t *pids, unsigned jobs, pid_t pid)
{
    unsigned job = 0;

    while (job < jobs && pids[job] != pid)
        job++;
    return job;
}

void run_jobs(const struct arguments *arguments, struct board *board)
{
    pid_t pids[JOBS_MOST];
    double began = seconds(), end = began + (double)arguments->soak_seconds, said = began;
    unsigned running = arguments->jobs;

    for (unsigned job = 0; job < arguments->jobs; job++)
        pids[job] = start_job(arguments, board, job, end);
    while (running > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        } else if (pid > 0) {
            unsigned job = job_of(pids, arguments->jobs, pid);
            bool is_done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            bury(arguments, board, job, status);
            if (is_done || board->failed >= FAILURES_MOST || arguments->must_catch)
                running--;
            else
                pids[job] = start_job(arguments, board, job, end);
        }
        if (seconds() - said >= 10 && !arguments->is_quiet) {
            said = seconds();
            print_progress(board, began);
        }
    }
}
