/* runtime/windows/encode.c – what both forms share: what Windows has no word for, limits, directories; and which form it is. */
#include "runtime/windows/encode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/windows/credential_spec.h"
#include "runtime/windows/encode_parts.h"

/* --- what Windows cannot do --- */

struct refusal {
    bool is_asked;
    const char *member, *why;
};

static int refuse_first(const struct refusal *refusals, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (refusals[i].is_asked)
            return error_set(err, ERR_UNSUPPORTED, "%s: %s", refusals[i].member, refusals[i].why);
    return 0;
}

static bool has_tmpfs(const struct document *d)
{
    for (size_t i = 0; i < d->mount_count; i++)
        if (d->mounts[i].type == MOUNT_TMPFS)
            return true;
    return false;
}

static bool has_pipe(const struct document *d)
{
    size_t index = 0;
    const char *host, *name;

    return windows_pipe_next(d, &index, &host, &name);
}

/* hcs.md §8.1 and §8.3: what Windows' containers have not. */
static int check_linux_members(const struct document *d, struct error *err)
{
    const struct document_linux *l = &d->linux_;
    const struct refusal refusals[] = {
        {l->pids_limit > 0, "Skep.Linux.PidsLimit", "Windows has no limit on a container's processes; leave --limit-pids away"},
        {l->memory_swap_bytes != 0, "Skep.Linux.MemorySwapBytes", "Windows has no limit on a container's swap"},
        {l->memory_swappiness >= 0, "Skep.Linux.MemorySwappiness", "Windows has no swappiness"},
        {l->capabilities_add.count > 0, "Skep.Linux.CapabilitiesAdd", "capabilities are Linux' own"},
        {l->capabilities_drop.count > 0, "Skep.Linux.CapabilitiesDrop", "capabilities are Linux' own"},
        {l->groups.count > 0, "Skep.Linux.Groups", "further groups are Linux' own"},
        {l->seccomp == SECCOMP_CUSTOM, "Skep.Linux.Seccomp", "seccomp is Linux' own"},
        {l->is_root_read_only, "Skep.Linux.ReadOnlyRoot", "Windows has no container whose root is read-only"},
        {l->has_init, "Skep.Linux.Init", "an init process is Linux' own"},
        {l->sysctls.count > 0, "Skep.Linux.Sysctls", "sysctls are Linux' own"},
        {l->ulimit_count > 0, "Skep.Linux.Ulimits", "ulimits are Linux' own"},
        {l->oom_score_adj != 0, "Skep.Linux.OomScoreAdj", "Windows has no OOM score"},
        {has_tmpfs(d), "Skep.Mounts", "Windows has no mount in memory: a tmpfs mount cannot be given"},
    };

    return refuse_first(refusals, sizeof refusals / sizeof refusals[0], err);
}

int windows_check(const struct document *d, const struct windows_schema *schema, enum isolation isolation, struct error *err)
{
    const struct refusal refusals[] = {
        {!d->is_windows, "Skep.Os",
         "a container of Linux: this node runs containers of Windows only; place it with the constraint node.platform.os==linux"},
        {d->network.mode == NETWORK_HOST, "Skep.Network.Mode", "Windows has no host network for containers: use bridge or none"},
        {d->network.hosts.count > 0, "Skep.Network.Hosts", "extra hosts cannot be given to a container of Windows"},
        {d->network.dns_options.count > 0, "Skep.Network.Dns.Options", "options of the resolver are Linux' own"},
        {has_pipe(d) && !schema->has_pipes, "Skep.Mounts", "named pipes need a host of build 16299 or later"},
        {isolation == ISOLATION_DEFAULT, "Skep.Isolation", "neither process nor hyperv"},
    };

    enum windows_credential_source source;
    const char *rest;

    if (refuse_first(refusals, sizeof refusals / sizeof refusals[0], err) < 0 || check_linux_members(d, err) < 0)
        return err->code;
    if (d->windows.credential_spec && windows_credential_spec_parse(d->windows.credential_spec, &source, &rest, err) < 0)
        return error_wrap(err, "Skep.Windows.CredentialSpec");
    return windows_check_files(d, err);
}

/* --- limits --- */

static int64_t at_least(int64_t value, int64_t low)
{
    return value < low ? low : value;
}

static int64_t at_most(int64_t value, int64_t high)
{
    return value > high ? high : value;
}

/* hcs.md §8.3: a process-isolated container takes one of the three only, count before weight before maximum. */
static void keep_one(struct windows_limits *limits)
{
    if (limits->processor_count > 0)
        limits->processor_weight = limits->processor_maximum = 0;
    else if (limits->processor_weight > 0)
        limits->processor_maximum = 0;
}

struct windows_limits windows_limits_of(const struct document *d, const struct windows_place *place)
{
    int64_t host = place->processor_count ? place->processor_count : 1, nano = d->linux_.cpu_nano;
    struct windows_limits limits = {.memory_mb = d->linux_.memory_bytes / (int64_t)MIB,
                                    .processor_count = at_most(d->windows.processor_count, host),
                                    .processor_weight = d->windows.processor_weight,
                                    .processor_maximum = d->processor_hundredths};

    if (nano > 0 && place->isolation == ISOLATION_HYPERV) {
        limits.processor_count = at_most((nano + 999999999) / 1000000000, host);
        limits.processor_maximum = nano % 1000000000 ? at_most(at_least(nano / limits.processor_count / 100000, 1), 10000) : 0;
    } else if (nano > 0) {
        limits.processor_maximum = at_most(at_least(nano / host / 100000, 1), 10000);
    }
    if (place->isolation == ISOLATION_PROCESS)
        keep_one(&limits);
    return limits;
}

/* --- what is mounted --- */

void windows_directory_deinit(struct windows_directory *directory)
{
    free(directory->host);
    free(directory->container);
}

bool windows_directory_at(const struct document *d, const struct windows_place *place, size_t index, struct windows_directory *out)
{
    size_t left = index;
    bool is_secret;

    for (size_t i = 0; i < d->mount_count; i++) {
        const struct document_mount *m = &d->mounts[i];
        if (m->type == MOUNT_PIPE || m->type == MOUNT_TMPFS || left-- > 0)
            continue;
        const char *source = place->mount_sources ? place->mount_sources[i] : NULL;
        *out = (struct windows_directory){mem_string(source ? source : m->source), mem_string(m->target), m->is_read_only};
        return true;
    }
    if (!windows_files_directory(d, left, &is_secret))
        return false;
    *out = (struct windows_directory){mem_format("%s\\%s", place->files_dir, windows_files_name(is_secret)),
                                      mem_string(windows_files_container(is_secret)), true};
    return true;
}

bool windows_pipe_next(const struct document *d, size_t *index, const char **host, const char **name)
{
    for (; *index < d->mount_count; (*index)++) {
        const struct document_mount *m = &d->mounts[*index];
        if (m->type != MOUNT_PIPE)
            continue;
        *host = m->source;
        *name = m->target + sizeof WINDOWS_PIPE_PREFIX - 1;
        (*index)++;
        return true;
    }
    return false;
}

char *windows_search_list(const struct document *d)
{
    cleanup_buf struct buf list = {0};

    for (size_t i = 0; i < d->network.searches.count; i++)
        buf_append_format(&list, "%s%s", i ? "," : "", d->network.searches.items[i]);
    return list.size ? buf_steal_string(&list) : NULL;
}

int windows_encode_container(const struct document *d, const struct windows_place *place, cJSON **out, struct error *err)
{
    if (windows_check(d, place->schema, place->isolation, err) < 0)
        return err->code;
    if (place->layer_count == 0)
        return error_set(err, ERR_INVALID,
                         "the image has no layer: an image of Windows begins with a base layer, there is no FROM scratch");
    return place->form == WINDOWS_FORM_1 ? windows_encode_form_1(d, place, out, err) : windows_encode_form_2(d, place, out, err);
}
