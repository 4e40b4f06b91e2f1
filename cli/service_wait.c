/* cli/service_wait.c – see service_wait.h. */
#include "cli/service_wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "base/text.h"

enum { LOOK_INTERVAL_MS = 200, STABLE_LOOKS = 10 };

struct waiting {
    struct cli *cli;
    const char *id;
    bool is_quiet;
    int64_t shown_running, shown_wanted; /* -1: nothing yet */
    char shown_error[ERROR_MESSAGE_SIZE_BYTES];
    int stable;
};

struct counts {
    int64_t running, wanted, completed;
    bool is_job;
};

/* The service with its status. */
static int look(struct waiting *w, cJSON **list, const cJSON **service, struct error *err)
{
    cleanup_free char *filter = mem_format("id=%s", w->id);
    cleanup_buf struct buf path = {0};
    const struct option_values filters = {.items = {filter}, .count = 1};
    const cJSON *item;
    buf_append_string(&path, API_PREFIX "/services?status=true");
    if (cli_append_filters(&filters, &path, err) < 0 || cli_get_json(w->cli, (const char *)path.data, list, err) < 0)
        return err->code;
    cJSON_ArrayForEach (item, *list) {
        if (!text_equal(json_string(item, "ID", ""), w->id))
            continue;
        *service = item;
        return 0;
    }
    return error_set(err, ERR_NOT_FOUND, "service %s was removed", w->id);
}

static struct counts counts_of(const cJSON *service)
{
    const cJSON *status = json_object(service, "ServiceStatus"), *mode = json_object(json_object(service, "Spec"), "Mode");
    const cJSON *job = json_object(mode, "ReplicatedJob");
    struct counts counts = {.running = json_int(status, "RunningTasks", 0),
                            .wanted = json_int(status, "DesiredTasks", 0),
                            .completed = json_int(status, "CompletedTasks", 0),
                            .is_job = job || json_object(mode, "GlobalJob")};
    if (job)
        counts.wanted = json_int(job, "TotalCompletions", counts.wanted);
    else if (counts.is_job)
        counts.wanted += counts.completed;
    return counts;
}

static void show_counts(struct waiting *w, const struct counts *counts)
{
    int64_t done = counts->is_job ? counts->completed : counts->running;
    if (w->is_quiet || (w->shown_running == done && w->shown_wanted == counts->wanted))
        return;
    fprintf(w->cli->out, "%s%" PRId64 " of %" PRId64 " tasks %s%s", w->cli->is_tty ? "\r" : "", done, counts->wanted,
            counts->is_job ? "complete" : "running", w->cli->is_tty ? "   " : "\n");
    fflush(w->cli->out);
    w->shown_running = done;
    w->shown_wanted = counts->wanted;
}

/* Of the newest task that has one. */
static int show_error(struct waiting *w, struct error *err)
{
    cleanup_free char *filter = mem_format("service=%s", w->id);
    cleanup_buf struct buf path = {0};
    cleanup_json cJSON *tasks = NULL;
    const struct option_values filters = {.items = {filter}, .count = 1};
    const cJSON *task;
    const char *newest = "", *message = "";
    if (w->is_quiet)
        return 0;
    buf_append_string(&path, API_PREFIX "/tasks?all=1");
    if (cli_append_filters(&filters, &path, err) < 0 || cli_get_json(w->cli, (const char *)path.data, &tasks, err) < 0)
        return err->code;
    cJSON_ArrayForEach (task, tasks) {
        const char *at = json_string(task, "UpdatedAt", ""), *text = json_string(json_object(task, "Status"), "Err", "");
        if (*text && strcmp(at, newest) >= 0) {
            newest = at;
            message = text;
        }
    }
    if (*message && strcmp(message, w->shown_error) != 0) {
        fprintf(w->cli->err_out, "%s%s\n", w->cli->is_tty ? "\n" : "", message);
        snprintf(w->shown_error, sizeof w->shown_error, "%s", message);
    }
    return 0;
}

/* 1: the service is as it shall be. */
static int is_done(struct waiting *w, const cJSON *service, const struct counts *counts, struct error *err)
{
    const cJSON *update = json_object(service, "UpdateStatus");
    const char *state = json_string(update, "State", "");
    if (text_equal(state, "paused") || text_equal(state, "rollback_paused"))
        return error_set(err, ERR_PRECONDITION, "service %s: %s: %s", w->id,
                         text_equal(state, "paused") ? "update paused" : "rollback paused", json_string(update, "Message", ""));
    bool is_changing = text_equal(state, "updating") || text_equal(state, "rollback_started");
    bool is_enough = counts->is_job ? counts->completed >= counts->wanted : counts->running == counts->wanted;
    w->stable = is_enough && !is_changing ? w->stable + 1 : 0;
    if (w->stable == 0 || (!counts->is_job && w->stable < STABLE_LOOKS))
        return 0;
    if (text_equal(state, "rollback_completed"))
        return error_set(err, ERR_PRECONDITION, "service %s: rolled back: %s", w->id, json_string(update, "Message", ""));
    return 1;
}

static int look_once(struct waiting *w, struct error *err)
{
    cleanup_json cJSON *list = NULL;
    const cJSON *service = NULL;
    if (look(w, &list, &service, err) < 0)
        return err->code;
    struct counts counts = counts_of(service);
    show_counts(w, &counts);
    int done = is_done(w, service, &counts, err);
    if (done == 0 && w->stable == 0 && show_error(w, err) < 0)
        return err->code;
    return done;
}

int service_wait(struct cli *cli, const char *id, bool is_quiet, struct error *err)
{
    struct waiting w = {.cli = cli, .id = id, .is_quiet = is_quiet, .shown_running = -1, .shown_wanted = -1};
    int done;
    while ((done = look_once(&w, err)) == 0)
        uv_sleep(LOOK_INTERVAL_MS);
    if (!is_quiet && cli->is_tty)
        fputc('\n', cli->out);
    if (done > 0 && !is_quiet)
        fputs("Service converged\n", cli->out);
    return done < 0 ? done : 0;
}
