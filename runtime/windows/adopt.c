/* runtime/windows/adopt.c – what a new daemon finds: systems as its predecessor left them, with all that happened since.
 *
 * Our records say what there should be, HCS what there is: a system of ours at HCS without a record is terminated, a record without a
 * system has ended. Others' systems are never touched. hcs.md §9.7, §9.8. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"

enum { EXIT_UNKNOWN = -1, ENUMERATE_MS = 10000 };

static void end_here(struct windows_system *s, int exit_code, const char *why)
{
    struct error err = {0};

    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "%s", why);
    if (windows_end_system(s, false, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "Windows holds it: %s", err.message);
    else
        windows_undo_run(s, &s->run);
    windows_keeper_finish(s);
    s->base.state = HCS_STOPPED;
    s->outcome.exit_code = exit_code;
    s->outcome.finished_wall_ns = clock_wall_ns(&s->host->clock);
    free(s->outcome.error);
    s->outcome.error = mem_string(why);
    windows_record_write(s, WINDOWS_PHASE_STOPPED, &s->run, &s->outcome, &err);
}

/* Its process may have ended meanwhile: the first look tells, as long as HCS has the system. */
static void adopt_running(struct windows_system *s, bool is_paused)
{
    struct error err = {0};

    if (windows_open_watches(s, s->run.pid, &s->watches, &err) == 0) {
        s->base.state = is_paused ? HCS_PAUSED : HCS_RUNNING;
    } else if (err.code == ERR_NOT_FOUND) {
        cleanup_free char *why = mem_format("it ended while skepd did not run, and Windows no longer knows how: %s", err.message);
        end_here(s, EXIT_UNKNOWN, why);
    } else { /* nothing is known of it: it is looked at again and again */
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "it cannot be watched yet: %s", err.message);
        s->base.state = is_paused ? HCS_PAUSED : HCS_RUNNING;
        s->is_watch_lost = true;
    }
}

static int adopt(struct windows_system *s, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\document.json", s->dir);
    enum windows_phase phase = WINDOWS_PHASE_CREATED;

    if (compute_read_document(path, &s->json, &s->arena, &s->document, err) < 0 || windows_system_choose(s, err) < 0 ||
        windows_record_read(s, &phase, err) < 0)
        return err->code;
    s->base.is_made = true;
    switch (phase) {
    case WINDOWS_PHASE_CREATED:
        s->base.state = HCS_CREATED;
        break;
    case WINDOWS_PHASE_STARTING:
        end_here(s, 128, "its start was interrupted: what there was of it is ended");
        break;
    case WINDOWS_PHASE_RUNNING:
    case WINDOWS_PHASE_PAUSED:
        adopt_running(s, phase == WINDOWS_PHASE_PAUSED);
        break;
    case WINDOWS_PHASE_STOPPED:
        s->base.state = HCS_STOPPED;
        break;
    }
    return 0;
}

static void discard(struct windows_system *s, const struct error *why)
{
    struct error err = {0};

    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "half made, removed: %s", why->message);
    windows_end_system(s, false, &err);
    windows_undo_run(s, &s->run);
    if (windows_layers_destroy(s, &err) < 0 || file_remove_tree(s->dir, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "something of it stays: %s", err.message);
    HASH_DEL(s->host->base.systems, &s->base);
    windows_system_free(s);
}

/* Its directory holds no whole system. Any other failure says nothing of the system, which may run. */
static bool is_half_made(const struct error *why)
{
    return why->code == ERR_NOT_FOUND || why->code == ERR_INVALID || why->code == ERR_CORRUPT;
}

static int adopt_dir(struct windows_host *host, const char *name, struct error *err)
{
    struct windows_system *s;

    if (name[0] == '.' || !id_is_safe(name))
        return 0;
    s = windows_system_new(host, name);
    if (adopt(s, err) == 0)
        return 0;
    if (is_half_made(err)) {
        discard(s, err);
        *err = (struct error){0};
        return 0;
    }
    return error_wrap(err, "container %s", name);
}

/* Is there a record of it, or does it host a container that runs? */
static bool is_known(struct windows_host *host, const char *id)
{
    const char *suffix = strstr(id, WINDOWS_VM_SUFFIX);
    cleanup_free char *hosted = suffix ? mem_format("%.*s", (int)(suffix - id), id) : NULL;
    const struct windows_system *s = windows_find(host, suffix ? hosted : id);

    return s && (!suffix || (s->vm_id && compute_runs(&s->base)));
}

static void sweep(struct windows_host *host, const struct windows_service *service)
{
    cleanup_json cJSON *query = windows_encode_owner_query(host->owner);
    cleanup_free char *text = json_print(query);
    cleanup_arena struct arena arena = {0};
    struct windows_answer *all = NULL;
    struct error err = {0};
    size_t count = 0;
    cleanup_reply struct windows_reply reply = service->ops->enumerate(service, text, windows_at_most(host, ENUMERATE_MS));

    if (windows_failed(&reply) || windows_read_systems(reply.text, &arena, &all, &count, &err) < 0) {
        log_warn("runtime", "Windows does not tell which containers there are: 0x%08x %s", reply.code, err.message);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct windows_system stranger = {.host = host, .id = (char *)(uintptr_t)all[i].id, .service = service};
        if (strcmp(all[i].owner, host->owner) != 0 || is_known(host, all[i].id))
            continue;
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", all[i].id}), "of an earlier life, without a record: terminated");
        if (windows_end_system(&stranger, false, &err) < 0)
            log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", all[i].id}), "it stays: %s", err.message);
    }
}

int windows_adopt_all(struct windows_host *host, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\containers", host->state_dir);
    uv_dirent_t entry;
    uv_fs_t req;
    int result = uv_fs_scandir(NULL, &req, path, 0, NULL);

    if (result < 0) {
        uv_fs_req_cleanup(&req);
        return error_set_uv(err, result, "list %s", path);
    }
    result = 0;
    while (result == 0 && uv_fs_scandir_next(&req, &entry) == 0)
        result = adopt_dir(host, entry.name, err);
    uv_fs_req_cleanup(&req);
    compute_sort(&host->base);
    if (result == 0 && host->core.ops)
        sweep(host, &host->core);
    else if (result == 0 && host->legacy.ops)
        sweep(host, &host->legacy);
    if (result == 0) { /* what used them is gone by now */
        windows_network_sweep(host);
        windows_guards_sweep(host);
    }
    return result;
}
