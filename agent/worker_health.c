/* Health checks: the schedule is agent/health.h's, the probe a process in the container. */
#include "agent/worker_inside.h"

#include "base/json.h"
#include "base/log.h"

static void tell_task(struct entry *entry)
{
    static const enum task_health of[] = {
        [HEALTH_NONE] = TASK_HEALTH_NONE,
        [HEALTH_STARTING] = TASK_HEALTH_STARTING,
        [HEALTH_HEALTHY] = TASK_HEALTH_HEALTHY,
        [HEALTH_UNHEALTHY] = TASK_HEALTH_UNHEALTHY,
    };
    task_set_health(&entry->task, of[entry->health.status]);
    worker_mark(entry);
}

void worker_watch_health(struct entry *entry)
{
    struct health_config config;
    health_config_read(entry->health_json, &config);
    health_init(&entry->health, &config, worker_now(entry->worker));
    tell_task(entry);
}

void worker_stop_health(struct entry *entry)
{
    if (entry->probe)
        hcs_process_close(entry->probe);
    entry->probe = NULL;
    if (entry->probe_operation)
        entry->probe_operation->entry = NULL; /* a process that is being made is closed when it comes */
    entry->probe_operation = NULL;
    entry->health.config.is_on = false;
}

static void finish_probe(struct entry *entry, bool is_success)
{
    if (entry->probe)
        hcs_process_close(entry->probe);
    entry->probe = NULL;
    if (health_result(&entry->health, is_success, worker_now(entry->worker))) {
        log_with(LOG_INFO, ROOM, LOG_FIELDS({"task", entry->proto->id}), "its container is %s", health_status_text(entry->health.status));
        tell_task(entry);
    }
    worker_mark(entry); /* the next probe is planned */
}

static void on_probe_exit(void *ctx, const struct hcs_process_exit *exit, const struct error *err)
{
    finish_probe(ctx, !err && exit->exit_code == 0);
}

static void on_probe(void *ctx, struct hcs_process *process, const struct error *err)
{
    struct operation *operation = ctx;
    struct entry *entry = worker_end(operation);
    if (!entry) {
        if (!err)
            hcs_process_close(process);
        return;
    }
    entry->probe_operation = NULL;
    if (err) {
        finish_probe(entry, false);
        return;
    }
    uint64_t timeout_ms = entry->health.config.timeout_ns / NS_PER_MS;
    entry->probe = process;
    hcs_process_wait(process, timeout_ms < UINT32_MAX ? (uint32_t)(timeout_ms ? timeout_ms : 1) : UINT32_MAX, on_probe_exit, entry);
}

void worker_step_health(struct entry *entry, uint64_t now_ns)
{
    if (entry->health.config.is_on && entry->task.container != TASK_CONTAINER_RUNNING && entry->task.container != TASK_CONTAINER_UNKNOWN)
        worker_stop_health(entry);
    if (!health_is_due(&entry->health, now_ns))
        return;
    cleanup_json cJSON *parameters = cJSON_CreateObject();
    cJSON_AddItemToObject(parameters, "CommandArgs", cJSON_Duplicate(json_array(entry->health_json, "Command"), true));
    health_probe_started(&entry->health);
    entry->probe_operation = worker_begin(entry, TASK_DO_WATCH_HEALTH);
    hcs_process_create(entry->worker->options.hcs, entry->container_id, parameters, HEALTH_OUTPUT_BYTES, on_probe, entry->probe_operation);
}
