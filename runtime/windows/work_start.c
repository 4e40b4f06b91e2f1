/* runtime/windows/work_start.c – starting a system: layers, network, its utility VM where it has one, HCS's create and start, the first
 * process, its output's keeper. On a thread of the pool.
 *
 * Whatever fails, all that was made is taken apart again, and HCS is asked what it has rather than believed: a create or a start that was
 * not answered in time may have been carried out, or may be yet (hcs.md §2.7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"

enum { EXIT_NOT_STARTED = 128 };

struct start {
    struct windows_op *op;
    struct windows_system *s;
    struct arena arena;
    struct windows_place place;
    char *volume, *document, *vm_document;
    cJSON *guard; /* what HCS says of its credential guard */
    bool is_at_hcs;
    int exit_code; /* where it fails */
};

/* --- what it stands on --- */

/* The nearest layer that has a utility VM. */
static const char *find_utility_vm(struct start *start)
{
    for (size_t i = 0; i < start->place.layer_count; i++) {
        const char *path = arena_format(&start->arena, "%s\\UtilityVM", start->place.layers[i].path);
        if (file_exists(path))
            return path;
    }
    return NULL;
}

static void place_mounts(struct start *start)
{
    const struct windows_system *s = start->s;
    const char **sources = arena_alloc(&start->arena, (s->document.mount_count + 1) * sizeof *sources);

    for (size_t i = 0; i < s->document.mount_count; i++) {
        const struct document_mount *m = &s->document.mounts[i];
        if (m->type == MOUNT_VOLUME)
            sources[i] = m->source[0] ? arena_format(&start->arena, "%s\\volumes\\%s", s->host->state_dir, m->source)
                                      : arena_format(&start->arena, "%s\\volumes\\%zu", s->dir, i);
    }
    start->place.mount_sources = sources;
}

static int prepare(struct start *start, struct error *err)
{
    struct windows_system *s = start->s;
    struct windows_run *run = &start->op->run;
    struct windows_layer *layers = NULL;

    if (windows_layers_read(s, &start->arena, &layers, &start->place.layer_count, err) < 0)
        return err->code;
    start->place.layers = layers;
    if (windows_layers_mount(s, &start->volume, err) < 0)
        return err->code;
    if (s->isolation == ISOLATION_HYPERV)
        start->place.utility_vm_dir = find_utility_vm(start);
    else
        start->place.scratch_volume = start->volume;
    place_mounts(start);
    start->place.files_dir = arena_format(&start->arena, "%s\\files", s->dir);
    if (windows_credentials_begin(s, &start->arena, &start->place, &start->guard, err) < 0)
        return err->code;
    if (s->document.network.mode == NETWORK_NONE)
        return 0;
    if (windows_network_attach(s, &run->endpoint, err) < 0)
        return err->code;
    const char **ids = arena_alloc(&start->arena, sizeof *ids);
    ids[0] = run->endpoint.id;
    start->place.endpoint_ids = ids;
    start->place.endpoint_count = 1;
    start->place.namespace_id = run->endpoint.namespace_id[0] ? run->endpoint.namespace_id : NULL;
    start->place.allows_unqualified_dns = true;
    return 0;
}

static void complete_place(struct start *start)
{
    struct windows_system *s = start->s;

    start->place.id = s->id;
    start->place.schema = s->host->schema;
    start->place.isolation = s->isolation;
    start->place.form = s->form;
    start->place.scratch_dir = s->scratch_dir;
    start->place.processor_count = s->host->processor_count;
    start->place.is_first_start = true; /* a system is started once */
    if (s->vm_id)
        windows_shares_of(&s->document, &start->place, &start->arena, &start->place.shares, &start->place.share_count);
}

static int encode(struct start *start, struct error *err)
{
    struct windows_system *s = start->s;
    cleanup_json cJSON *json = NULL;

    complete_place(start);
    if ((s->vm_id ? windows_encode_hosted(&s->document, &start->place, s->vm_id, &json, err)
                  : windows_encode_container(&s->document, &start->place, &json, err)) < 0)
        return err->code;
    if (s->vm_id && windows_vm_prepare(s, &start->place, &start->vm_document, err) < 0)
        return err->code;
    cJSON_ReplaceItemInObjectCaseSensitive(json, "Owner", cJSON_CreateString(s->host->owner));
    start->document = json_print(json);
    return 0;
}

/* --- at HCS --- */

static int fail(struct start *start, const char *what, const struct windows_reply *reply, struct error *err)
{
    start->exit_code = windows_exit_code_of(reply->code);
    return windows_error(err, what, reply->code, reply->text);
}

/* A system of our id that we know nothing of: ours from an earlier life, or somebody else's. hcs.md §9.6. */
static int clear_leftover(struct start *start, const char *id, struct error *err)
{
    struct windows_system *s = start->s;
    const struct windows_service *service = s->service;
    cleanup_arena struct arena arena = {0};
    struct windows_handle *handle = NULL;
    struct windows_answer answer = {.owner = ""};
    cleanup_reply struct windows_reply opened = service->ops->open(service, id, NULL, &handle);

    if (windows_failed(&opened))
        return windows_is_gone(opened.code) ? 0 : fail(start, "create", &opened, err);
    cleanup_reply struct windows_reply reply = service->ops->properties(handle, NULL, windows_left_ms(start->op));
    service->ops->close(handle);
    if (windows_failed(&reply) || windows_read_properties(reply.text, &arena, &answer, err) < 0)
        return windows_failed(&reply) ? fail(start, "create", &reply, err) : err->code;
    if (strcmp(answer.owner, s->host->owner) != 0)
        return error_set(err, ERR_EXISTS, "create: HCS has a container %s that belongs to %s: it is left alone", id, answer.owner);
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "HCS has one of this id from an earlier life: terminated");
    return windows_end_one(s, id, false, err);
}

static int create_at_hcs(struct start *start, enum windows_watched what, struct error *err)
{
    struct windows_system *s = start->s;
    struct windows_watch watch = windows_watch_of(s, what);
    struct windows_watches *watches = &start->op->watches;
    bool is_vm = what == WINDOWS_WATCHED_VM;
    const char *id = is_vm ? s->vm_id : s->id, *document = is_vm ? start->vm_document : start->document;
    struct windows_handle **out = is_vm ? &watches->vm : &watches->system;

    for (int tries = 0;; tries++) {
        cleanup_reply struct windows_reply reply =
            s->service->ops->create(s->service, id, document, &watch, windows_left_ms(start->op), out);
        if (!windows_failed(&reply)) {
            start->is_at_hcs = true;
            return 0;
        }
        if (!windows_is_hcs(reply.code, HCS_E_SYSTEM_ALREADY_EXISTS) || tries > 0) {
            start->is_at_hcs = start->is_at_hcs || !windows_is_hcs(reply.code, HCS_E_SYSTEM_ALREADY_EXISTS);
            return fail(start, is_vm ? "create its utility VM" : "create", &reply, err);
        }
        s->service->ops->close(steal(out));
        if (clear_leftover(start, id, err) < 0)
            return err->code;
    }
}

static int start_at_hcs(struct start *start, enum windows_watched what, struct error *err)
{
    const struct windows_watches *watches = &start->op->watches;
    bool is_vm = what == WINDOWS_WATCHED_VM;
    cleanup_reply struct windows_reply reply =
        start->s->service->ops->start(is_vm ? watches->vm : watches->system, windows_left_ms(start->op));

    return windows_failed(&reply) ? fail(start, is_vm ? "start its utility VM" : "start", &reply, err) : 0;
}

/* Before there can be a container in it, it has to run and to have all that the container's document speaks of. */
static int start_vm(struct start *start, struct error *err)
{
    if (!start->s->vm_id)
        return 0;
    if (create_at_hcs(start, WINDOWS_WATCHED_VM, err) < 0 || start_at_hcs(start, WINDOWS_WATCHED_VM, err) < 0 ||
        windows_vm_fill(start->op, &start->place, err) < 0)
        return err->code;
    return 0;
}

static int create_process(struct start *start, struct error *err)
{
    struct windows_system *s = start->s;
    struct windows_watch watch = windows_watch_of(s, WINDOWS_WATCHED_PROCESS);
    struct windows_streams streams = {0};
    cleanup_json cJSON *json = NULL;

    if (windows_encode_process(&s->document.process, NULL, s->document.windows.is_command_line, &json, err) < 0)
        return err->code;
    cleanup_free char *text = json_print(json);
    cleanup_reply struct windows_reply reply = s->service->ops->process_create(
        start->op->watches.system, text, &watch, windows_left_ms(start->op), &start->op->run.pid, &streams, &start->op->watches.process);
    if (windows_failed(&reply))
        return fail(start, "run the command", &reply, err);
    if (s->document.log.is_kept || streams.out || streams.err)
        return windows_keeper_start(s, &streams, err);
    return 0;
}

/* An exit before there was anybody to be told of it is no event: asked for once, after the watch is there. */
static void look_once(struct start *start)
{
    struct windows_system *s = start->s;
    cleanup_reply struct windows_reply reply = s->service->ops->process_properties(start->op->watches.process, windows_left_ms(start->op));

    if (!windows_failed(&reply) && windows_read_process_status(reply.text).has_exited)
        windows_tell_exit(s, reply.text);
}

/* --- the whole --- */

static void undo(struct start *start)
{
    struct windows_system *s = start->s;
    struct error err = {0};

    if (start->is_at_hcs && windows_end_system(s, false, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "its failed start cannot be undone: %s", err.message);
    windows_close_watches(s, &start->op->watches);
    windows_keeper_finish(s);
    if (err.code == 0) /* what HCS may still hold is not taken from under it: a remove tries again */
        windows_undo_run(s, &start->op->run);
}

static void note_failure(struct start *start)
{
    struct windows_op *op = start->op;
    struct error err = {0};

    free(op->outcome.error);
    op->outcome.error = mem_string(op->base.err.message);
    op->outcome.exit_code = start->exit_code;
    op->outcome.finished_wall_ns = clock_wall_ns(&windows_system_of(op)->host->clock);
    windows_record_write(start->s, WINDOWS_PHASE_STOPPED, &op->run, &op->outcome, &err);
}

static int run(struct start *start, struct error *err)
{
    struct windows_op *op = start->op;

    if (windows_record_write(start->s, WINDOWS_PHASE_STARTING, &op->run, &op->outcome, err) < 0 || prepare(start, err) < 0 ||
        encode(start, err) < 0 || windows_record_write(start->s, WINDOWS_PHASE_STARTING, &op->run, &op->outcome, err) < 0 ||
        start_vm(start, err) < 0 || create_at_hcs(start, WINDOWS_WATCHED_SYSTEM, err) < 0 ||
        start_at_hcs(start, WINDOWS_WATCHED_SYSTEM, err) < 0 || create_process(start, err) < 0)
        return err->code;
    op->outcome.started_wall_ns = clock_wall_ns(&windows_system_of(op)->host->clock);
    look_once(start);
    return windows_record_write(start->s, WINDOWS_PHASE_RUNNING, &op->run, &op->outcome, err);
}

void windows_work_start(struct windows_op *op)
{
    struct start start = {.op = op, .s = windows_system_of(op), .exit_code = EXIT_NOT_STARTED};

    windows_give_up = &windows_system_of(op)->is_given_up;
    if (run(&start, &op->base.err) < 0) {
        windows_give_up = NULL;
        undo(&start);
        note_failure(&start);
    }
    windows_give_up = NULL;
    free(start.volume);
    free(start.document);
    free(start.vm_document);
    cJSON_Delete(start.guard);
    arena_deinit(&start.arena);
}
