/* tests/sim/raft/main.c – the command line: one seed, many, or as many as there is time for; on several processes. */
#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/text.h"
#include "tests/sim/raft/jobs.h"

double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

void print_replay(const struct arguments *arguments, uint64_t seed, FILE *out)
{
    fprintf(out, "  replay: %s --profile %s", arguments->program, arguments->sim.profile);
    if (arguments->sim.steps != 0)
        fprintf(out, " --steps %u", arguments->sim.steps);
    if (arguments->mutant)
        fprintf(out, " --mutant %s", arguments->mutant);
    fprintf(out, " --seed %" PRIu64 " --trace\n", seed);
    fflush(out);
}

static bool run_one(const struct arguments *arguments, uint64_t seed, FILE *trace, struct board *board)
{
    struct sim_options options = arguments->sim;
    struct sim *sim = mem_alloc(sizeof *sim);
    uint64_t digest;

    options.seed = seed;
    options.trace = trace;
    sim_begin(sim, &options);
    sim_run(sim);
    digest = sim->digest;
    bool has_passed = !sim->has_failed;
    if (!has_passed && !arguments->must_catch) {
        printf("seed %" PRIu64 ": FAILED at %.3f s: %s: %s\n", seed, (double)sim->now_us / 1e6, sim->violated, sim->why);
        print_replay(arguments, seed, stdout);
    } else if (!has_passed) {
        printf("caught by seed %" PRIu64 ": %s\n", seed, sim->violated);
        fflush(stdout);
    } else if (arguments->is_single) {
        printf("seed %" PRIu64 ": passed: %.0f s of virtual time, %" PRIu64 " events, %" PRIu64
               " committed, %zu operations, digest %016" PRIx64 "\n",
               seed, (double)sim->now_us / 1e6, sim->events_done, sim->committed, sim->ops_count, sim->digest);
    }
    board->undecided += sim->undecided;
    board->events += sim->events_done;
    sim_end(sim);
    if (has_passed && arguments->is_repeated) {
        sim_begin(sim, &options);
        sim_run(sim);
        if (sim->digest != digest) {
            printf("seed %" PRIu64 ": FAILED: a second run went another way\n", seed);
            has_passed = false;
        }
        sim_end(sim);
    }
    free(sim);
    return has_passed;
}

/* --- many seeds --- */

void note_failure(struct board *board, uint64_t seed)
{
    uint_fast64_t none = 0;

    board->failed++;
    atomic_compare_exchange_strong(&board->first_failed, &none, seed);
}

void work(const struct arguments *arguments, struct board *board, unsigned job, double end)
{
    for (;;) {
        uint64_t seed = board->next++;
        bool is_over = seed > arguments->to || (arguments->soak_seconds > 0 && seconds() > end) || board->failed >= FAILURES_MOST ||
                       (arguments->must_catch && board->failed > 0);
        if (is_over)
            break;
        board->running[job] = seed;
        if (run_one(arguments, seed, NULL, board))
            board->passed++;
        else
            note_failure(board, seed);
        board->running[job] = 0;
    }
}

void print_progress(const struct board *board, double began)
{
    double took = seconds() - began;
    uint64_t done = board->passed + board->failed;

    fprintf(stderr, "%6.0f s: %" PRIu64 " passed, %" PRIu64 " failed, %.1f seeds/s\n", took, (uint64_t)board->passed,
            (uint64_t)board->failed, (double)done / took);
}

static void print_sum(const struct board *board, double began)
{
    printf("%" PRIu64 " passed, %" PRIu64 " failed (%.1f seeds/s, %" PRIu64 " events, %" PRIu64 " histories undecided)\n",
           (uint64_t)board->passed, (uint64_t)board->failed, (double)(board->passed + board->failed) / (seconds() - began),
           (uint64_t)board->events, (uint64_t)board->undecided);
}

/* --- the command line --- */

static void print_help(const char *program)
{
    printf("%s: %s\n"
           "\n"
           "  --seed N            one seed\n"
           "  --seeds FROM-TO     all of these (default 1-500)\n"
           "  --soak SECONDS      seeds from FROM on for so long\n"
           "  --jobs N            processes (default 1)\n"
           "  --steps N           ticks with faults (default: the profile's, 300)\n"
           "  --profile NAME      %s (default mixed)\n"
           "  --trace             with --seed: who did what and when\n"
           "  --twice             run each seed twice and compare\n"
           "  --quiet             no progress\n"
           "  --mutant NAME       with a rule taken away; only in the program for mutants: %s\n"
           "  --catch             stop at the first failing seed; succeed if there is one\n"
           "\n"
           "Prints `N passed, N failed`. Exit code: 0 all passed, 1 some failed, 64 a wrong argument.\n",
           program, sim_title, sim_profiles(), sim_mutant_names());
}

static int usage(const char *program, const char *what)
{
    fprintf(stderr, "%s: %s; see --help\n", program, what);
    return 64;
}

static bool read_range(const char *text, struct arguments *arguments)
{
    char *end;

    arguments->from = strtoull(text, &end, 10);
    arguments->to = *end == '-' ? strtoull(end + 1, &end, 10) : arguments->from;
    return *end == '\0' && arguments->from > 0 && arguments->to >= arguments->from;
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0';
}

/* 0: go on; 1: help was asked for; else what is wrong with it is said. */
static int read_flag(struct arguments *arguments, const char *flag)
{
    if (text_equal(flag, "--trace"))
        arguments->sim.trace = stdout;
    else if (text_equal(flag, "--twice"))
        arguments->is_repeated = true;
    else if (text_equal(flag, "--quiet"))
        arguments->is_quiet = true;
    else if (text_equal(flag, "--catch"))
        arguments->must_catch = true;
    else
        return text_equal(flag, "--help") ? 1 : -1;
    return 0;
}

static bool read_option(struct arguments *arguments, const char *option, const char *value)
{
    uint64_t number = 0;

    if (text_equal(option, "--profile")) {
        arguments->sim.profile = value;
        return sim_plan_is_known(value);
    }
    if (text_equal(option, "--mutant")) {
        arguments->mutant = value;
        return sim_mutant_choose(value);
    }
    if (text_equal(option, "--seeds"))
        return read_range(value, arguments);
    if (!read_number(value, &number))
        return false;
    if (text_equal(option, "--seed")) {
        arguments->from = arguments->to = number;
        arguments->is_single = true;
    } else if (text_equal(option, "--steps")) {
        arguments->sim.steps = (unsigned)number;
    } else if (text_equal(option, "--jobs")) {
        arguments->jobs = (unsigned)number;
        return number >= 1 && number <= JOBS_MOST;
    } else if (text_equal(option, "--soak")) {
        arguments->soak_seconds = (long)number;
        arguments->to = UINT64_MAX - JOBS_MOST;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.sim = {.profile = "mixed"}, .from = 1, .to = 500, .jobs = 1, .program = argv[0]};

    for (int i = 1; i < argc; i++) {
        int flag = read_flag(&arguments, argv[i]);
        if (flag == 1) {
            print_help(argv[0]);
            return 0;
        }
        if (flag == 0)
            continue;
        if (i + 1 == argc || !read_option(&arguments, argv[i], argv[i + 1]))
            return usage(argv[0], mem_format("%s %s", argv[i], i + 1 < argc ? argv[i + 1] : "without a value"));
        i++;
    }
    struct board *board = board_new();
    if (board == NULL)
        return usage(argv[0], "no shared memory");
    board->next = arguments.from;
    if (arguments.is_single)
        return run_one(&arguments, arguments.from, arguments.sim.trace, board) == arguments.must_catch;
    double began = seconds();
    run_jobs(&arguments, board);
    if (!arguments.must_catch)
        print_sum(board, began);
    if (arguments.must_catch && board->failed == 0)
        printf("not caught by %" PRIu64 " seeds\n", (uint64_t)board->passed);
    return (board->failed > 0) != arguments.must_catch;
}
