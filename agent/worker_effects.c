/* What a task asks for, done: through the image source and the runtime. Every answer goes back to the machine and marks the entry. */
#include <stdlib.h>
#include <string.h>

#include "agent/task_files.h"
#include "agent/worker_inside.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/reference.h"

static void answer(struct entry *entry, enum task_effect effect, const struct error *err)
{
    task_done(&entry->task, effect, err, worker_now(entry->worker));
    worker_mark(entry);
}

/* --- images --- */

static bool is_image_id(const char *reference)
{
    const char *hex = text_starts(reference, "sha256:") ? reference + 7 : reference;
    return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

static const char *registry_auth(const struct entry *entry)
{
    const Docker__Swarmkit__V1__ContainerSpec__PullOptions *options = entry->proto->spec->container->pull_options;
    return options && !text_empty(options->registry_auth) ? options->registry_auth : NULL;
}

static int find_image(const struct entry *entry, struct image *out, struct error *err)
{
    const struct image_source *images = &entry->worker->options.images;
    if (!container_spec(entry->proto)) /* an update, or a record, that is no container any more */
        return error_set(err, ERR_INVALID, "the task's spec is not a container's");
    return images->find(images->self, entry->proto->spec->container->image, out, err);
}

/* After the pull, however it went: what counts is whether the image is here. */
static void settle_pull(struct entry *entry, const struct error *pull_err)
{
    cleanup_image struct image image = {0};
    struct error err = {0};
    cleanup_arena struct arena arena = {0};
    int result = find_image(entry, &image, &err);
    if (result == 0 && pull_err)
        log_with(LOG_WARN, ROOM, LOG_FIELDS({"task", entry->proto->id}), "pull failed, the image is here already: %s", pull_err->message);
    if (result < 0 && pull_err)
        error_set(&err, ERR_NOT_FOUND, "No such image: %s: %s", container_image_name(entry->proto, &arena), pull_err->message);
    answer(entry, TASK_DO_PULL, result < 0 ? &err : NULL);
}

void worker_pull_done(void *ctx, const struct error *err)
{
    struct entry *entry = ctx;
    entry->pull = NULL;
    settle_pull(entry, err);
}

void worker_pull_progress(void *ctx)
{
    struct entry *entry = ctx;
    task_progress(&entry->task, worker_now(entry->worker));
}

/* A bare id cannot be pulled; what a digest names does not change. swarmkit-wire §8.7. */
static bool needs_no_pull(const struct entry *entry)
{
    const char *reference = container_spec(entry->proto) ? container_spec(entry->proto)->image : NULL;
    cleanup_image struct image image = {0};
    struct error ignored = {0};
    if (!reference || entry->worker->options.prefers_offline || is_image_id(reference))
        return true;
    return strchr(reference, '@') && find_image(entry, &image, &ignored) == 0;
}

static void pull(struct entry *entry)
{
    struct worker *worker = entry->worker;
    struct error outcome = {0};
    if (needs_no_pull(entry)) {
        settle_pull(entry, NULL);
        return;
    }
    entry->pull =
        pulls_want(worker->pulls, entry->proto->spec->container->image, registry_auth(entry), worker_now(worker), entry, &outcome);
    if (!entry->pull)
        settle_pull(entry, outcome.code ? &outcome : NULL);
}

int worker_pin(struct entry *entry, const char *image_id, struct error *err)
{
    const struct image_source *images = &entry->worker->options.images;
    if (entry->image_id || text_empty(image_id))
        return 0;
    if (images->pin(images->self, image_id, err) < 0)
        return err->code;
    entry->image_id = mem_string(image_id);
    return 0;
}

/* --- create, start and remove, a bounded number at once --- */

static void on_done(void *ctx, const struct error *err)
{
    struct operation *operation = ctx;
    enum task_effect effect = operation->effect;
    struct worker *worker = operation->worker;
    struct entry *entry = worker_end(operation);
    if (worker && (effect == TASK_DO_CREATE || effect == TASK_DO_START || effect == TASK_DO_REMOVE))
        worker->line.running--;
    if (!entry || !worker) /* nobody waits any more */
        return;
    if (!err && effect == TASK_DO_START && worker->options.listener.on_started)
        worker->options.listener.on_started(worker->options.listener.ctx, entry->proto->id);
    if (err)
        log_with(LOG_DEBUG, ROOM, LOG_FIELDS({"task", entry->proto->id}), "%s: %s", task_effect_name(effect), err->message);
    answer(entry, effect, err);
}

void worker_set_container(struct entry *entry, const char *id)
{
    struct worker *worker = entry->worker;
    if (entry->container_id[0])
        HASH_DELETE(hh_container, worker->by_container, entry);
    (void)snprintf(entry->container_id, sizeof entry->container_id, "%s", id);
    HASH_ADD(hh_container, worker->by_container, container_id, strlen(entry->container_id), entry);
}

/* dockerd's check at create, in its words. */
static int check_binds(const cJSON *document, struct error *err)
{
    const cJSON *mount = NULL;
    cJSON_ArrayForEach (mount, json_array(json_object(document, "Skep"), "Mounts")) {
        const char *source = json_string(mount, "Source", "");
        bool must_be = text_equal(json_string(mount, "Type", ""), "bind") && !json_bool(mount, "CreateMountpoint", false);
        if (must_be && !file_exists(source))
            return error_set(err, ERR_INVALID, "invalid mount config for type \"bind\": bind source path does not exist: %s", source);
    }
    return 0;
}

static int choose_isolation(const struct entry *entry, const struct image *image, enum isolation *out, struct error *err)
{
    const struct worker *worker = entry->worker;
    struct hcs_host host;
    hcs_probe(worker->options.hcs, &host);
    const struct isolation_host facts = {.node = worker->hostname,
                                         .os = host.os,
                                         .architecture = host.architecture,
                                         .os_version = host.os_version,
                                         .offers_process = host.offers_process,
                                         .offers_hyperv = host.offers_hyperv,
                                         .process_missing = host.process_missing,
                                         .hyperv_missing = host.hyperv_missing,
                                         .preferred = worker->options.default_isolation};
    const struct isolation_image wants = {image->os, image->architecture, image->os_version};
    enum isolation wish = ISOLATION_DEFAULT;
    if (entry->proto->spec->container->isolation == DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS)
        wish = ISOLATION_PROCESS;
    if (entry->proto->spec->container->isolation == DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV)
        wish = ISOLATION_HYPERV;
    return isolation_choose(&facts, &wants, wish, out, err);
}

/* Everything that a create needs. A COMPLETE set has come before: task_release(). */
static int prepare(struct entry *entry, cJSON **document, struct task_files *files, struct error *err)
{
    struct worker *worker = entry->worker;
    cleanup_image struct image image = {0};
    const struct container_node node = worker_node(worker);
    struct container_facts facts = {.node = &node, .created_wall_ns = clock_wall_ns(&worker->options.clock)};
    int result = find_image(entry, &image, err);
    if (result == 0)
        result = choose_isolation(entry, &image, &facts.isolation, err);
    if (result < 0)
        return result;
    char id[CONTAINER_ID_SIZE_CHARS + 1];
    if (!entry->container_id[0]) {
        id_make_container(&worker->options.random, id);
        worker_set_container(entry, id);
    }
    facts.container_id = entry->container_id;
    result = container_document(entry->proto, &image, &facts, document, err);
    if (result == 0)
        result = check_binds(*document, err);
    if (result == 0)
        result = task_files_collect(entry->proto, *document, worker->assignments, &node, files, err);
    if (result == 0)
        result = task_credential_spec(entry->proto, worker->assignments, *document, err);
    if (result == 0)
        result = worker_pin(entry, image.id, err);
    return result;
}

static void create(struct entry *entry)
{
    cleanup_json cJSON *document = NULL;
    struct task_files files = {0};
    struct error err = {0};
    if (prepare(entry, &document, &files, &err) < 0) {
        task_files_deinit(&files);
        entry->worker->line.running--;
        answer(entry, TASK_DO_CREATE, &err);
        return;
    }
    cJSON_Delete(entry->health_json);
    entry->health_json = cJSON_Duplicate(json_object(json_object(document, "Skep"), "Health"), true);
    hcs_system_create(entry->worker->options.hcs, entry->container_id, document, files.items, files.count, on_done,
                      worker_begin(entry, TASK_DO_CREATE));
    task_files_deinit(&files);
}

static bool is_held_back(struct entry *entry)
{
    const struct entry *copy = entry->line_effect == TASK_DO_START ? worker_copy_before(entry) : NULL;
    if (copy && !entry->is_held_back)
        log_with(LOG_INFO, ROOM, LOG_FIELDS({"task", entry->proto->id}), "it starts when task %s of the same slot has stopped (%s)",
                 copy->proto->id, WORKER_STOP_AFTER_LABEL);
    entry->is_held_back = copy != NULL;
    return copy != NULL;
}

static struct entry *next_in_line(struct worker *worker)
{
    for (struct entry *entry = worker->line.first; entry; entry = entry->line_next)
        if (!is_held_back(entry))
            return entry;
    return NULL;
}

void worker_serve_line(struct worker *worker)
{
    struct entry *entry;
    while (worker->line.running < CONTAINER_STARTS_PARALLEL_COUNT && (entry = next_in_line(worker)) != NULL) {
        enum task_effect effect = entry->line_effect;
        worker_leave_line(entry, false);
        worker->line.running++;
        if (effect == TASK_DO_CREATE)
            create(entry);
        else if (effect == TASK_DO_REMOVE)
            hcs_system_remove(worker->options.hcs, entry->container_id, true, on_done, worker_begin(entry, effect));
        else
            hcs_system_start(worker->options.hcs, entry->container_id, on_done, worker_begin(entry, effect));
    }
}

static void stand_in_line(struct entry *entry, enum task_effect effect)
{
    entry->line_effect = effect;
    DL_APPEND2(entry->worker->line.first, entry, line_prev, line_next);
}

void worker_leave_line(struct entry *entry, bool is_answered)
{
    const struct error canceled = {ERR_CANCELED, "not wanted any more"};
    enum task_effect effect = entry->line_effect;
    if (effect == TASK_DO_NOTHING)
        return;
    entry->line_effect = TASK_DO_NOTHING;
    DL_DELETE2(entry->worker->line.first, entry, line_prev, line_next);
    if (is_answered)
        answer(entry, effect, &canceled);
}

/* --- the rest --- */

static void on_properties(void *ctx, const struct hcs_properties *properties, const struct error *err)
{
    struct entry *entry = worker_end(ctx);
    if (!entry)
        return;
    if (!err)
        worker_observe_properties(entry, properties);
    answer(entry, TASK_DO_QUERY, err);
}

static void query(struct entry *entry)
{
    const struct error none = {ERR_NOT_FOUND, "it has no container"};
    if (entry->container_id[0])
        hcs_system_properties(entry->worker->options.hcs, entry->container_id, false, on_properties, worker_begin(entry, TASK_DO_QUERY));
    else
        answer(entry, TASK_DO_QUERY, &none);
}

void worker_carry_out(struct entry *entry, enum task_effect effect)
{
    struct worker *worker = entry->worker;
    struct hcs *hcs = worker->options.hcs;
    switch (effect) {
    case TASK_DO_NOTHING:
        break;
    case TASK_DO_REPORT:
        worker_write_status(entry);
        break;
    case TASK_DO_PERSIST:
        worker_write_task(entry);
        break;
    case TASK_DO_PULL:
        pull(entry);
        break;
    case TASK_DO_CANCEL_PULL:
        if (entry->pull)
            pulls_cancel(worker->pulls, entry->pull, worker_now(worker));
        entry->pull = NULL;
        break;
    case TASK_DO_CREATE:
    case TASK_DO_START:
        stand_in_line(entry, effect);
        break;
    case TASK_DO_WATCH_HEALTH:
        worker_watch_health(entry);
        break;
    case TASK_DO_STOP:
        worker_stop_health(entry);
        hcs_system_shutdown(hcs, entry->container_id, NULL, container_stop_grace_ms(entry->proto), on_done, worker_begin(entry, effect));
        break;
    case TASK_DO_TERMINATE:
        worker_stop_health(entry);
        hcs_system_terminate(hcs, entry->container_id, on_done, worker_begin(entry, effect));
        break;
    case TASK_DO_QUERY:
        query(entry);
        break;
    case TASK_DO_REMOVE:
        worker_stop_health(entry);
        stand_in_line(entry, effect);
        break;
    case TASK_DO_FORGET:
        entry->forget_sequence = task_store_delete(worker->store, entry->proto->id);
        break;
    }
}
