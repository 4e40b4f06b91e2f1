/* The task machine. task_next() is one decision per situation; everything else only writes down what was seen. */
#include "agent/task.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define NEVER_NS UINT64_MAX

static const struct state_info infos[] = {
#define X(name, number, shown, next, deadline, reason) {#name, shown, next, deadline},
    TASK_STATES(X)
#undef X
};
const struct state_table task_states = {"task", infos, sizeof infos / sizeof infos[0]};

static const struct {
    int number;
    const char *reason;
} facts[] = {
#define X(name, number, shown, next, deadline, reason) {number, reason},
    TASK_STATES(X)
#undef X
};

static const char *const effect_names[] = {
#define X(name, shown) (shown),
    TASK_EFFECTS(X)
#undef X
};

int task_state_number(enum task_state state)
{
    return facts[state].number;
}

const char *task_state_reason(enum task_state state)
{
    return facts[state].reason;
}

const char *task_effect_name(enum task_effect effect)
{
    return effect_names[effect];
}

enum task_state task_state_of_number(int number)
{
    for (unsigned i = task_states.count; i-- > 0;)
        if (number == facts[i].number)
            return (enum task_state)i;
    return number < facts[TASK_ASSIGNED].number ? TASK_ASSIGNED : TASK_FAILED;
}

bool task_error_is_passing(int code)
{
    return code == ERR_AGAIN || code == ERR_UNAVAILABLE || code == ERR_DEADLINE || code == ERR_CANCELED;
}

enum task_state task_state(const struct task *task)
{
    return (enum task_state)task->machine.state;
}

bool task_is_final(const struct task *task)
{
    return task_states.states[task->machine.state].next == 0;
}

void task_begin(struct task *task, int state_number, int desired_number, const char *message, const char *err, bool is_new, uint64_t now_ns)
{
    *task = (struct task){.desired = desired_number, .progress_ns = now_ns};
    state_init(&task->machine, &task_states, task_state_of_number(state_number), now_ns);
    task->message = task->message_owned = mem_string(message ? message : "");
    task->err = text_empty(err) ? NULL : mem_string(err);
    task->container = is_new ? TASK_CONTAINER_NONE : TASK_CONTAINER_UNKNOWN;
    task->is_persisted = !is_new;
    task->is_held = !is_new;
}

void task_end(struct task *task)
{
    free(task->message_owned);
    free(task->err);
    free(task->container_error);
    free(task->failure);
    *task = (struct task){0};
}

static void move(struct task *task, enum task_state next, const char *message, uint64_t now_ns)
{
    struct error err = {0};
    int result = state_move(&task->machine, next, now_ns, &err);
    assert(result == 0);
    (void)result;
    if (message)
        task->message = message;
    task->wants_report = true;
    task->retries = 0;
    task->retry_ns = 0;
    task->exists_since_ns = 0;
    task->progress_ns = now_ns;
}

/* To its bad end: the message stays that of the step it was in. */
static void fail(struct task *task, const char *err, uint64_t now_ns)
{
    free(task->err);
    task->err = mem_string(err);
    move(task, task->machine.state < TASK_STARTING ? TASK_REJECTED : TASK_FAILED, NULL, now_ns);
}

static void fail_owned(struct task *task, char *err, uint64_t now_ns)
{
    fail(task, err, now_ns);
    free(err);
}

void task_refuse(struct task *task, const char *message, const char *err, uint64_t now_ns)
{
    task->message = message;
    fail(task, err, now_ns);
}

void task_desire(struct task *task, int desired_number)
{
    if (desired_number <= task->desired)
        return;
    task->desired = desired_number;
    if (desired_number >= TASK_NUMBER_SHUTDOWN)
        task->retry_ns = 0;
}

void task_leave(struct task *task)
{
    if (task->is_leaving)
        return;
    task->is_leaving = true;
    task->wants_report = false;
    task->retry_ns = 0;
}

void task_suspect(struct task *task)
{
    task->container = TASK_CONTAINER_UNKNOWN;
}

void task_progress(struct task *task, uint64_t now_ns)
{
    task->progress_ns = now_ns;
}

void task_set_health(struct task *task, enum task_health health)
{
    task->health = health;
}

void task_release(struct task *task, uint64_t now_ns)
{
    if (!task->is_held)
        return;
    task->is_held = false;
    task->progress_ns = now_ns;
}

static void set_text(char **place, const char *text)
{
    free(*place);
    *place = text_empty(text) ? NULL : mem_string(text);
}

static void forget_failure(struct task *task)
{
    set_text(&task->failure, NULL);
    task->failure_code = 0;
    task->failed = TASK_DO_NOTHING;
}

void task_observe(struct task *task, const struct task_observation *seen, uint64_t now_ns)
{
    bool is_stale = task->container == TASK_CONTAINER_STOPPED &&
                    (seen->container == TASK_CONTAINER_CREATED || seen->container == TASK_CONTAINER_RUNNING);
    if (is_stale || seen->container == TASK_CONTAINER_UNKNOWN)
        return;
    task->container = seen->container;
    task->progress_ns = now_ns;
    if (seen->container == TASK_CONTAINER_RUNNING)
        task->was_started = true;
    if (seen->container != TASK_CONTAINER_STOPPED)
        return;
    if (task->stops > 0) /* what was waited for */
        task->retry_ns = 0;
    task->was_started |= seen->was_started;
    task->exit_code = seen->exit_code;
    task->is_oom_killed = seen->is_oom_killed;
    set_text(&task->container_error, seen->error);
}

/* Wait before the next attempt: 1, 2, 4 … seconds. */
static void hold_off(struct task *task, uint64_t now_ns)
{
    uint64_t wait_ms = TASK_RETRY_MIN_MS;
    for (unsigned i = 0; i < task->retries && wait_ms < TASK_RETRY_MAX_MS; i++)
        wait_ms *= 2;
    task->retry_ns = now_ns + (wait_ms < TASK_RETRY_MAX_MS ? wait_ms : TASK_RETRY_MAX_MS) * NS_PER_MS;
    task->retries++;
}

static void note_failure(struct task *task, enum task_effect effect, const struct error *err)
{
    set_text(&task->failure, err->message[0] ? err->message : error_help(err->code));
    task->failure_code = err->code;
    task->failed = effect;
}

static void done_well(struct task *task, enum task_effect effect)
{
    if (effect != TASK_DO_QUERY) /* a query answers for the operation that failed before it */
        forget_failure(task);
    switch (effect) {
    case TASK_DO_PERSIST:
        task->is_persisted = true;
        break;
    case TASK_DO_PULL:
        task->has_image = true;
        break;
    case TASK_DO_CREATE:
        if (task->container == TASK_CONTAINER_NONE)
            task->container = TASK_CONTAINER_CREATED;
        break;
    case TASK_DO_START:
        if (task->container == TASK_CONTAINER_CREATED)
            task->container = TASK_CONTAINER_RUNNING;
        task->was_started = true;
        break;
    case TASK_DO_STOP:
    case TASK_DO_TERMINATE:
        if (task->container == TASK_CONTAINER_RUNNING)
            task->container = TASK_CONTAINER_UNKNOWN;
        task->is_stop_answered = true;
        break;
    case TASK_DO_REMOVE:
        task->container = TASK_CONTAINER_NONE;
        break;
    default:
        break;
    }
}

void task_done(struct task *task, enum task_effect effect, const struct error *err, uint64_t now_ns)
{
    if (task->doing != effect)
        return;
    task->doing = TASK_DO_NOTHING;
    task->progress_ns = now_ns;
    if (!err) {
        done_well(task, effect);
        return;
    }
    if (effect == TASK_DO_QUERY && err->code == ERR_NOT_FOUND) {
        task->container = TASK_CONTAINER_NONE;
        return;
    }
    bool touches_container = effect == TASK_DO_CREATE || effect == TASK_DO_START || effect == TASK_DO_STOP || effect == TASK_DO_TERMINATE ||
                             effect == TASK_DO_REMOVE;
    if (touches_container && task->container != TASK_CONTAINER_STOPPED)
        task->container = TASK_CONTAINER_UNKNOWN;
    if (effect == TASK_DO_QUERY || effect == TASK_DO_FORGET || effect == TASK_DO_PERSIST || effect == TASK_DO_STOP ||
        effect == TASK_DO_TERMINATE || effect == TASK_DO_REMOVE)
        hold_off(task, now_ns);
    if (effect != TASK_DO_QUERY)
        note_failure(task, effect, err);
}

static enum task_effect begin(struct task *task, enum task_effect effect)
{
    task->doing = effect;
    return effect;
}

/* The operation that failed and, as the query showed, did not happen: again after a while, or the end. Returns true when it is settled. */
static bool settle_failure(struct task *task, enum task_effect effect, const char *prefix, uint64_t now_ns)
{
    if (task->failed != effect)
        return false;
    bool is_passing = task_error_is_passing(task->failure_code) && task->retries < TASK_RETRIES_COUNT;
    if (is_passing)
        hold_off(task, now_ns);
    else
        fail_owned(task, mem_format("%s%s", prefix, task->failure), now_ns);
    forget_failure(task);
    return true;
}

/* The id is taken: the runtime goes on with a create that was given up. That is as good as prepared (swarmkit-wire §8.7) as soon as a
 * query finds it. Returns true when it is settled. */
static bool settle_existing(struct task *task, uint64_t now_ns)
{
    if (task->failed != TASK_DO_CREATE || task->failure_code != ERR_EXISTS)
        return false;
    if (task->exists_since_ns == 0)
        task->exists_since_ns = now_ns;
    if (now_ns >= task->exists_since_ns + TASK_PREPARE_STALL_MS * NS_PER_MS) {
        fail_owned(task, mem_format("the runtime has not finished creating the container in 5m0s: %s", task->failure), now_ns);
    } else {
        hold_off(task, now_ns);
        task->container = TASK_CONTAINER_UNKNOWN;
    }
    forget_failure(task);
    return true;
}

/* Ask it to stop; the second time without asking. One that was stopped, they say, and runs on gets a moment. */
static enum task_effect stop(struct task *task, uint64_t now_ns)
{
    if (task->is_stop_answered) {
        task->is_stop_answered = false;
        task->container = TASK_CONTAINER_UNKNOWN;
        hold_off(task, now_ns);
        return TASK_DO_NOTHING;
    }
    return begin(task, task->stops++ == 0 ? TASK_DO_STOP : TASK_DO_TERMINATE);
}

static enum task_effect next_leaving(struct task *task, uint64_t now_ns)
{
    switch (task->container) {
    case TASK_CONTAINER_UNKNOWN:
        return begin(task, TASK_DO_QUERY);
    case TASK_CONTAINER_RUNNING:
        return stop(task, now_ns);
    case TASK_CONTAINER_CREATED:
    case TASK_CONTAINER_STOPPED:
        return begin(task, TASK_DO_REMOVE);
    case TASK_CONTAINER_NONE:
        break;
    }
    return begin(task, TASK_DO_FORGET);
}

static enum task_effect next_stopping(struct task *task, uint64_t now_ns)
{
    if (task->container == TASK_CONTAINER_UNKNOWN)
        return begin(task, TASK_DO_QUERY);
    if (task->container == TASK_CONTAINER_RUNNING)
        return stop(task, now_ns);
    move(task, TASK_SHUTDOWN, "shutdown", now_ns);
    return TASK_DO_NOTHING;
}

static bool is_overdue(const struct task *task, uint64_t now_ns)
{
    uint32_t deadline_ms = task_states.states[task->machine.state].deadline_ms;
    return deadline_ms != 0 && now_ns >= task->progress_ns + deadline_ms * NS_PER_MS;
}

static uint64_t persist_deadline_ns(const struct task *task)
{
    return task->machine.entered_ns + TASK_PERSIST_MS * NS_PER_MS;
}

static enum task_effect next_assigned(struct task *task, uint64_t now_ns)
{
    if (task->is_persisted) {
        move(task, TASK_ACCEPTED, "accepted", now_ns);
        return TASK_DO_NOTHING;
    }
    if (now_ns >= persist_deadline_ns(task)) {
        fail_owned(task, mem_format("the node cannot keep the task: %s", task->failure ? task->failure : "its disk does not answer"),
                   now_ns);
        return TASK_DO_NOTHING;
    }
    return begin(task, TASK_DO_PERSIST);
}

static enum task_effect next_preparing(struct task *task, uint64_t now_ns)
{
    if (task->container == TASK_CONTAINER_UNKNOWN)
        return begin(task, TASK_DO_QUERY);
    if (task->container != TASK_CONTAINER_NONE) { /* "already prepared" */
        forget_failure(task);
        move(task, TASK_READY, "prepared", now_ns);
        return TASK_DO_NOTHING;
    }
    if (task->is_held)
        return TASK_DO_NOTHING;
    if (settle_existing(task, now_ns) || settle_failure(task, TASK_DO_PULL, "", now_ns) || settle_failure(task, TASK_DO_CREATE, "", now_ns))
        return TASK_DO_NOTHING;
    if (is_overdue(task, now_ns)) {
        fail(task, "preparing made no progress for 5m0s", now_ns);
        return TASK_DO_NOTHING;
    }
    return begin(task, task->has_image ? TASK_DO_CREATE : TASK_DO_PULL);
}

static enum task_effect next_ready(struct task *task, uint64_t now_ns)
{
    if (task->container == TASK_CONTAINER_UNKNOWN)
        return begin(task, TASK_DO_QUERY);
    if (task->container == TASK_CONTAINER_NONE)
        fail(task, "dockerexec: container destroyed", now_ns);
    else if (task->desired > TASK_NUMBER_READY)
        move(task, TASK_STARTING, "starting", now_ns);
    return TASK_DO_NOTHING;
}

static char *exit_text(const struct task *task)
{
    const char *cause = task->health == TASK_HEALTH_UNHEALTHY ? "dockerexec: unhealthy container"
                        : task->is_oom_killed                 ? "OOMKilled: the container ran out of memory"
                                                              : task->container_error;
    if (cause && task->exit_code == 0)
        return mem_string(cause);
    return cause ? mem_format("task: non-zero exit (%d): %s", task->exit_code, cause)
                 : mem_format("task: non-zero exit (%d)", task->exit_code);
}

/* Its container ended while it was wanted: well only with exit code 0, and not for failing its health check. */
static void end_by_exit(struct task *task, uint64_t now_ns)
{
    if (task->exit_code == 0 && task->health != TASK_HEALTH_UNHEALTHY)
        move(task, TASK_COMPLETE, "finished", now_ns);
    else
        fail_owned(task, exit_text(task), now_ns);
}

static void end_of_start(struct task *task, uint64_t now_ns)
{
    if (!task->was_started) {
        const char *cause = task->container_error ? task->container_error : task->failure ? task->failure : "the container did not start";
        fail_owned(task, mem_format("starting container failed: %s", cause), now_ns);
    } else if (task->health == TASK_HEALTH_UNHEALTHY) {
        fail(task, "dockerexec: unhealthy container", now_ns);
    } else if (task->exit_code != 0 && task->is_watched && task->health == TASK_HEALTH_STARTING) {
        fail_owned(task, exit_text(task), now_ns);
    } else {
        move(task, TASK_RUNNING, "started", now_ns);
    }
    forget_failure(task);
}

static enum task_effect watch(struct task *task)
{
    task->is_watched = true;
    return TASK_DO_WATCH_HEALTH;
}

static enum task_effect next_starting(struct task *task, uint64_t now_ns)
{
    switch (task->container) {
    case TASK_CONTAINER_UNKNOWN:
        return begin(task, TASK_DO_QUERY);
    case TASK_CONTAINER_NONE:
        fail(task, "dockerexec: container destroyed", now_ns);
        return TASK_DO_NOTHING;
    case TASK_CONTAINER_CREATED:
        return settle_failure(task, TASK_DO_START, "starting container failed: ", now_ns) ? TASK_DO_NOTHING : begin(task, TASK_DO_START);
    case TASK_CONTAINER_STOPPED:
        end_of_start(task, now_ns);
        return TASK_DO_NOTHING;
    case TASK_CONTAINER_RUNNING:
        break;
    }
    if (task->failed == TASK_DO_START)
        forget_failure(task); /* it did start */
    if (!task->is_watched)
        return watch(task);
    if (task->health == TASK_HEALTH_UNHEALTHY)
        return stop(task, now_ns);
    if (task->health == TASK_HEALTH_NONE || task->health == TASK_HEALTH_HEALTHY)
        move(task, TASK_RUNNING, "started", now_ns);
    return TASK_DO_NOTHING;
}

static enum task_effect next_running(struct task *task, uint64_t now_ns)
{
    switch (task->container) {
    case TASK_CONTAINER_UNKNOWN:
        return begin(task, TASK_DO_QUERY);
    case TASK_CONTAINER_NONE:
    case TASK_CONTAINER_CREATED: /* not the one that ran */
        fail(task, "dockerexec: container destroyed", now_ns);
        return TASK_DO_NOTHING;
    case TASK_CONTAINER_STOPPED:
        end_by_exit(task, now_ns);
        return TASK_DO_NOTHING;
    case TASK_CONTAINER_RUNNING:
        break;
    }
    if (!task->is_watched)
        return watch(task);
    return task->health == TASK_HEALTH_UNHEALTHY ? stop(task, now_ns) : TASK_DO_NOTHING;
}

static enum task_effect next_wanted(struct task *task, uint64_t now_ns)
{
    switch (task_state(task)) {
    case TASK_ASSIGNED:
        return next_assigned(task, now_ns);
    case TASK_ACCEPTED:
        move(task, TASK_PREPARING, "preparing", now_ns);
        return TASK_DO_NOTHING;
    case TASK_PREPARING:
        return next_preparing(task, now_ns);
    case TASK_READY:
        return next_ready(task, now_ns);
    case TASK_STARTING:
        return next_starting(task, now_ns);
    case TASK_RUNNING:
        return next_running(task, now_ns);
    default:
        return TASK_DO_NOTHING;
    }
}

static bool is_unwanted(const struct task *task)
{
    return task->is_leaving || task->desired >= TASK_NUMBER_SHUTDOWN;
}

/* A pull is given up when the task is not wanted any more, or when nothing comes. In the second case the image may be here all the same. */
static enum task_effect next_pulling(struct task *task, uint64_t now_ns)
{
    if (!is_unwanted(task) && !is_overdue(task, now_ns))
        return TASK_DO_NOTHING;
    task->doing = TASK_DO_NOTHING;
    if (!is_unwanted(task)) {
        set_text(&task->failure, "the registry sent nothing for 5m0s");
        task->failure_code = ERR_INTERNAL; /* not a passing one: the swarm shall try another node */
        task->failed = TASK_DO_PULL;
    }
    return TASK_DO_CANCEL_PULL;
}

enum task_effect task_next(struct task *task, uint64_t now_ns)
{
    if (task->doing == TASK_DO_PERSIST && now_ns >= persist_deadline_ns(task)) /* its answer counts no more */
        task->doing = TASK_DO_NOTHING;
    for (;;) {
        if (task->wants_report && !task->is_leaving) {
            task->wants_report = false;
            return TASK_DO_REPORT;
        }
        if (task->doing == TASK_DO_PULL)
            return next_pulling(task, now_ns);
        if (task->doing != TASK_DO_NOTHING || now_ns < task->retry_ns)
            return TASK_DO_NOTHING;
        task->retry_ns = 0; /* a wait that is over wakes nobody any more */
        unsigned before = task->machine.state;
        enum task_effect effect = TASK_DO_NOTHING;
        if (task->is_leaving)
            effect = next_leaving(task, now_ns);
        else if (task_is_final(task))
            effect = TASK_DO_NOTHING;
        else if (is_unwanted(task))
            effect = next_stopping(task, now_ns);
        else
            effect = next_wanted(task, now_ns);
        if (effect != TASK_DO_NOTHING || task->machine.state == before)
            return effect;
    }
}

uint64_t task_wake_ns(const struct task *task)
{
    if (task->wants_report)
        return 0;
    if (task->doing == TASK_DO_PULL)
        return task->progress_ns + TASK_PREPARE_STALL_MS * NS_PER_MS;
    if (task->doing == TASK_DO_PERSIST)
        return persist_deadline_ns(task);
    if (task->doing != TASK_DO_NOTHING || (!task->is_leaving && task_is_final(task)))
        return NEVER_NS;
    return task->retry_ns ? task->retry_ns : NEVER_NS;
}
