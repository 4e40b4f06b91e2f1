/* cli/service_wait.c – see service_wait.h. */
#include "cli/service_wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "base/text.h"

enum { LOOK_INTERVAL_MS = 200, STABLE_LOOKS = 10 };

/* --- what a look says --- */

static void count(struct service_progress *progress, const cJSON *service)
{
    const cJSON *status = json_object(service, "ServiceStatus"), *mode = json_object(json_object(service, "Spec"), "Mode");
    const cJSON *job = json_object(mode, "ReplicatedJob");
    int64_t completed = json_int(status, "CompletedTasks", 0), desired = json_int(status, "DesiredTasks", 0);
    progress->is_job = job || json_object(mode, "GlobalJob");
    progress->done = progress->is_job ? completed : json_int(status, "RunningTasks", 0);
    progress->wanted = job ? json_int(job, "TotalCompletions", desired) : progress->is_job ? desired + completed : desired;
}

int service_progress_step(struct service_progress *progress, const cJSON *service, struct error *err)
{
    const cJSON *update = json_object(service, "UpdateStatus");
    const char *state = json_string(update, "State", ""), *name = json_string(json_object(service, "Spec"), "Name", "");
    count(progress, service);
    if (text_equal(state, "paused") || text_equal(state, "rollback_paused"))
        return error_set(err, ERR_PRECONDITION, "service %s: %s: %s", name,
                         text_equal(state, "paused") ? "update paused" : "rollback paused", json_string(update, "Message", ""));
    bool is_changing = text_equal(state, "updating") || text_equal(state, "rollback_started");
    bool is_enough = progress->is_job ? progress->done >= progress->wanted : progress->done == progress->wanted;
    progress->stable = is_enough && !is_changing ? progress->stable + 1 : 0;
    if (progress->stable == 0 || (!progress->is_job && progress->stable < STABLE_LOOKS))
        return 0;
    if (text_equal(state, "rollback_completed"))
        return error_set(err, ERR_PRECONDITION, "service %s: rolled back: %s", name, json_string(update, "Message", ""));
    return 1;
}

/* --- looking --- */

struct waiting {
    struct cli *cli;
    const char *id;
    bool is_quiet;
    struct service_progress progress;
    int64_t shown_done, shown_wanted; /* -1: nothing yet */
    char shown_error[ERROR_MESSAGE_SIZE_BYTES];
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

static void show_counts(struct waiting *w)
{
    const struct service_progress *progress = &w->progress;
    if (w->is_quiet || (w->shown_done == progress->done && w->shown_wanted == progress->wanted))
        return;
    fprintf(w->cli->out, "%s%" PRId64 " of %" PRId64 " tasks %s%s", w->cli->is_tty ? "\r" : "", progress->done, progress->wanted,
            progress->is_job ? "complete" : "running", w->cli->is_tty ? "   " : "\n");
    fflush(w->cli->out);
    w->shown_done = progress->done;
    w->shown_wanted = progress->wanted;
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

static int look_once(struct waiting *w, struct error *err)
{
    cleanup_json cJSON *list = NULL;
    const cJSON *service = NULL;
    if (look(w, &list, &service, err) < 0)
        return err->code;
    int done = service_progress_step(&w->progress, service, err);
    show_counts(w);
    if (done == 0 && w->progress.stable == 0 && show_error(w, err) < 0)
        return err->code;
    return done;
}

int service_wait(struct cli *cli, const char *id, bool is_quiet, struct error *err)
{
    struct waiting w = {.cli = cli, .id = id, .is_quiet = is_quiet, .shown_done = -1, .shown_wanted = -1};
    int done;
    while ((done = look_once(&w, err)) == 0)
        uv_sleep(LOOK_INTERVAL_MS);
    if (!is_quiet && cli->is_tty)
        fputc('\n', cli->out);
    if (done > 0 && !is_quiet)
        fputs("Service converged\n", cli->out);
    return done < 0 ? done : 0;
}
