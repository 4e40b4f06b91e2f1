/* runtime/windows/vm.c – the utility VM of a container with hyperv isolation, in schema 2: its disk and document, and what it is given for
 * the container while it runs. On a thread of the pool.
 *
 * One VM hosts one container and goes with it, so nothing is ever taken back from it. Order of the requests: hcs.md §4.5. */
#include <combaseapi.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/codes.h"
#include "runtime/windows/host.h"

/* --- its disk and document --- */

/* A file that a VM uses must be its own to read, by its id. hcs.md §3.4. */
static int grant(const struct windows_system *s, const char *path, struct error *err)
{
    const struct windows_api *api = &s->host->api;
    HRESULT(WINAPI * call)(PCWSTR, PCWSTR) = api->core.HcsGrantVmAccess ? api->core.HcsGrantVmAccess : api->vm.GrantVmAccess;
    cleanup_free WCHAR *id = wide_from_utf8(s->vm_id), *wide = wide_from_utf8(path);

    if (windows_api_need((const void *)(uintptr_t)call, "computecore.dll", "HcsGrantVmAccess", "give a utility VM its disks", err) < 0)
        return err->code;
    HRESULT code = call(id, wide);
    return FAILED(code) ? windows_error(err, "let the utility VM read its disk", (uint32_t)code, NULL) : 0;
}

static int copy_scratch(const struct windows_place *place, const char *target, struct error *err)
{
    cleanup_free char *template = mem_format("%s\\SystemTemplate.vhdx", place->utility_vm_dir);
    cleanup_free char *files = mem_format("%s\\Files", place->utility_vm_dir);
    cleanup_free WCHAR *from = wide_from_utf8(template), *to = wide_from_utf8(target);

    if (!file_exists(files) || !file_exists(template))
        return error_set(err, ERR_UNSUPPORTED,
                         "%s is not whole: it has no Files or no SystemTemplate.vhdx; remove the image and pull it again, or use process "
                         "isolation",
                         place->utility_vm_dir);
    if (!CopyFileW(from, to, FALSE))
        return error_set_windows(err, GetLastError(), "copy %s", template);
    return 0;
}

static char *vm_dir(const struct windows_system *s)
{
    return mem_format("%s\\vm", s->dir);
}

int windows_vm_prepare(struct windows_system *s, const struct windows_place *place, char **document, struct error *err)
{
    cleanup_free char *dir = vm_dir(s), *scratch = mem_format("%s\\sandbox.vhdx", dir);
    cleanup_json cJSON *json = NULL;

    if (windows_encode_utility_vm(&s->document, place, scratch, &json, err) < 0)
        return err->code;
    if (file_make_dirs(dir, 0700, err) < 0 || copy_scratch(place, scratch, err) < 0 || grant(s, scratch, err) < 0)
        return err->code;
    cJSON_ReplaceItemInObjectCaseSensitive(json, "Owner", cJSON_CreateString(s->host->owner));
    *document = json_print(json);
    return 0;
}

void windows_vm_discard(const struct windows_system *s)
{
    cleanup_free char *dir = vm_dir(s);
    struct error err = {0};

    if (s->vm_id && file_remove_tree(dir, &err) < 0)
        log_with(LOG_ERROR, "runtime", LOG_FIELDS({"container", s->id}), "its utility VM's disk stays: %s", err.message);
}

/* --- what it is given --- */

/* @request taken. */
static int give(struct windows_op *op, cJSON *request, const char *what, struct error *err)
{
    cleanup_json cJSON *json = request;
    cleanup_free char *text = json_print(json);
    cleanup_reply struct windows_reply reply = windows_system_of(op)->service->ops->modify(op->watches.vm, text, windows_left_ms(op));

    return windows_failed(&reply) ? windows_error(err, what, reply.code, reply.text) : 0;
}

/* A guest that says nothing of itself is taken for one that can. */
static int ask_guest(struct windows_op *op, struct windows_guest *out, struct error *err)
{
    static const char *const types[] = {"GuestConnection", NULL};
    cleanup_json cJSON *query = windows_encode_query(types);
    cleanup_free char *text = json_print(query);
    cleanup_reply struct windows_reply reply = windows_system_of(op)->service->ops->properties(op->watches.vm, text, windows_left_ms(op));

    if (windows_failed(&reply))
        return windows_error(err, "ask the utility VM's guest", reply.code, reply.text);
    *out = windows_read_guest(reply.text);
    if (!out->has_schema_2)
        return error_set(err, ERR_UNSUPPORTED,
                         "the utility VM of the image %s does not understand HCS's schema 2: use an image of build %d or later",
                         windows_system_of(op)->document.image_reference, WINDOWS_BUILD_COMPUTECORE);
    return 0;
}

static int give_shares(struct windows_op *op, const struct windows_place *place, bool wants_layers, struct error *err)
{
    for (size_t i = 0; i < place->share_count; i++) {
        const struct windows_share *share = &place->shares[i];
        bool is_layer = share->kind == WINDOWS_SHARE_LAYER;
        if (is_layer == wants_layers && give(op, windows_encode_share(share), is_layer ? "share a layer" : "share a directory", err) < 0)
            return error_wrap(err, "%s", share->path);
    }
    return 0;
}

static int give_storage(struct windows_op *op, const struct windows_place *place, struct error *err)
{
    cleanup_free char *scratch = mem_format("%s\\sandbox.vhdx", place->scratch_dir);

    if (give_shares(op, place, true, err) < 0 || grant(windows_system_of(op), scratch, err) < 0 ||
        give(op, windows_encode_scratch(scratch), "attach the container's scratch", err) < 0 ||
        give(op, windows_encode_combined_layers(place), "lay the image's layers over the scratch", err) < 0)
        return err->code;
    return 0;
}

static int give_network(struct windows_op *op, const struct windows_guest *guest, struct error *err)
{
    const struct windows_endpoint *endpoint = &op->run.endpoint;
    cleanup_json cJSON *space = NULL, *hns = NULL;
    char adapter[37];
    GUID guid;

    if (!endpoint->id[0])
        return 0;
    if (windows_network_describe(windows_system_of(op), endpoint, &space, &hns, err) < 0)
        return err->code;
    CoCreateGuid(&guid);
    windows_guid_text(&guid, adapter);
    if ((guest->takes_namespaces && give(op, windows_encode_guest_namespace(space), "give the guest its namespace", err) < 0) ||
        give(op, windows_encode_guest_endpoint(adapter, hns), "announce the endpoint", err) < 0 ||
        give(op, windows_encode_adapter(adapter, endpoint->id, endpoint->mac), "attach the endpoint", err) < 0)
        return err->code;
    return 0;
}

static int give_mounts(struct windows_op *op, const struct windows_place *place, struct error *err)
{
    const struct document *d = &windows_system_of(op)->document;

    if (give_shares(op, place, false, err) < 0)
        return err->code;
    for (size_t i = 0; i < d->mount_count; i++)
        if (d->mounts[i].type == MOUNT_PIPE && give(op, windows_encode_vm_pipe(d->mounts[i].source), "share a named pipe", err) < 0)
            return error_wrap(err, "%s", d->mounts[i].source);
    return 0;
}

int windows_vm_fill(struct windows_op *op, const struct windows_place *place, struct error *err)
{
    struct windows_guest guest;

    if (ask_guest(op, &guest, err) < 0 || give_storage(op, place, err) < 0 || give_network(op, &guest, err) < 0 ||
        give_mounts(op, place, err) < 0)
        return err->code;
    return 0;
}
