/* runtime/emulated/hcs_emulated.h – an emulator of a host's compute service: it runs nothing, keeps everything in memory, and does what a
 * script says.
 *
 * It has no clock, thread or loop of its own. Time is what hcs_emulated_step says; chance is the random source given. From one seed and one
 * sequence of calls it always gives the same callbacks in the same order. It stands in for a host in tests and behind
 * `skepd --runtime emulated`, and its hcs_host names it "emulated". */
#ifndef SKEP_RUNTIME_EMULATED_HCS_EMULATED_H
#define SKEP_RUNTIME_EMULATED_HCS_EMULATED_H

#include <uv.h>

#include "base/random.h"
#include "runtime/hcs.h"

struct hcs_emulated_options {
    struct random random;
    uint64_t operation_min_ns, operation_max_ns; /* how long an operation takes, drawn anew for each; 0, 0: done at the next step */
    const char *os, *architecture, *os_version;  /* what it pretends to be; NULL: "linux", "amd64", "" */
    bool offers_hyperv, lacks_process;           /* which isolations it gives; zeroed: process alone */
    const char *memory_path;                     /* where the systems are kept over a restart of the process; NULL: nowhere */
};

/* What a script may ask for. A rule applies to the next @count calls of @operation on a system whose name contains @name. */
#define HCS_EMULATED_FAULTS(X)                                                                                                             \
    X(HANG, "hang")                   /* never answers: the deadline of the operation passes */                                            \
    X(SLOW, "slow")                   /* answers @delay_ns later */                                                                        \
    X(FAIL, "fail")                   /* answers with @code and @message; nothing happened */                                              \
    X(FAIL_BUT_DONE, "fail-but-done") /* answers with an error although it was done: the spurious failure */                               \
    X(EXIT_FIRST, "exit-first")       /* start: the system exits with @exit_code before start answers */                                   \
    X(LOSE_EXIT, "lose-exit")         /* start: this system's exit is never announced; properties show it */                               \
    X(LATE_EXIT, "late-exit")         /* terminate, shutdown: it stops @delay_ns after the operation was answered */

enum hcs_emulated_fault {
#define X(name, text) HCS_EMULATED_##name,
    HCS_EMULATED_FAULTS(X)
#undef X
};

struct hcs_emulated_rule {
    enum hcs_operation operation;
    enum hcs_emulated_fault fault;
    const char *name; /* copied; NULL or "": any system */
    unsigned count;   /* 0: until it is cleared */
    uint64_t delay_ns;
    int code, exit_code;
    const char *message; /* copied */
};

int hcs_emulated_new(const struct hcs_emulated_options *options, uint64_t now_ns, int64_t wall_ns, struct hcs **out, struct error *err);

/* Time goes on to @now_ns (@wall_ns on the wall): everything due up to then happens, in order; callbacks come from inside this call. */
void hcs_emulated_step(struct hcs *hcs, uint64_t now_ns, int64_t wall_ns);
uint64_t hcs_emulated_next_ns(const struct hcs *hcs); /* when something is due; UINT64_MAX: nothing is */

void hcs_emulated_add_rule(struct hcs *hcs, const struct hcs_emulated_rule *rule);
void hcs_emulated_clear_rules(struct hcs *hcs);

/* The same rules as text, a line each: "start hang name=web count=1", "start slow delay=5s", "start fail code=ERR_IO message=no luck".
 * Lines may be empty or start with '#'. ERR_INVALID naming the line. */
int hcs_emulated_script(struct hcs *hcs, const char *script, struct error *err);

/* The first process of a running system ends now, as if by itself. ERR_NOT_FOUND, ERR_PRECONDITION. */
int hcs_emulated_exit(struct hcs *hcs, const char *id, int exit_code, bool is_oom_killed, struct error *err);

/* What a process in a system answers (health checks): @name as in a rule. The default is exit code 0 and no output. */
void hcs_emulated_set_process_result(struct hcs *hcs, const char *name, int exit_code, const char *output);

/* Forget all pending answers and listeners as a killed process does, keep the systems: returns what a restarted one would find. @hcs is
 * gone. */
struct hcs *hcs_emulated_restart(struct hcs *hcs, uint64_t now_ns, int64_t wall_ns);

/* Step it by a loop's own clock: what `skepd --runtime emulated` does. The loop is borrowed until hcs_close has answered. */
void hcs_emulated_run_on(struct hcs *hcs, uv_loop_t *loop);

/* A command that such a host "runs": `exit N` or `sleep S` as CommandArgs end by themselves after a step or S seconds; all others run until
 * they are stopped. */

#endif
