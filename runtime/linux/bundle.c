/* runtime/linux/bundle.c – see bundle.h. */
#include "runtime/linux/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/linux/seccomp.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INIT_TARGET  "/sbin/docker-init"

enum { CPU_PERIOD_US = 100000 };

static void add_text(cJSON *array, const char *text)
{
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

static void add_texts(cJSON *object, const char *key, const char *const *texts)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);

    for (; *texts; texts++)
        add_text(array, *texts);
}

/* --- process --- */

static bool sets_variable(const struct document_pairs *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++)
        if (strcmp(environment->items[i].key, name) == 0)
            return true;
    return false;
}

static void add_variables(cJSON *env, const struct document_pairs *environment, const struct document_pairs *over)
{
    for (size_t i = 0; i < environment->count; i++) {
        cleanup_free char *line = mem_format("%s=%s", environment->items[i].key, environment->items[i].value);
        if (!over || !sets_variable(over, environment->items[i].key))
            add_text(env, line);
    }
}

static void add_environment(cJSON *json, const struct bundle *b, const struct document_process *process)
{
    const struct document_pairs *own = &b->document->process.environment;
    cJSON *env = cJSON_AddArrayToObject(json, "env");
    cleanup_free char *hostname = mem_format("HOSTNAME=%s", b->hostname), *home = mem_format("HOME=%s", b->account.home);
    bool is_first = process == &b->document->process;

#define SETS(name) (sets_variable(own, name) || sets_variable(&process->environment, name))
    if (!SETS("PATH"))
        add_text(env, DEFAULT_PATH);
    if (!SETS("HOSTNAME"))
        add_text(env, hostname);
    if (process->has_tty && !SETS("TERM"))
        add_text(env, "TERM=xterm");
    if (!SETS("HOME"))
        add_text(env, home);
#undef SETS
    if (!is_first)
        add_variables(env, own, &process->environment);
    add_variables(env, &process->environment, NULL);
}

static void add_capabilities(cJSON *process, const struct bundle *b)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    cJSON *json = cJSON_AddObjectToObject(process, "capabilities");

    /* Without the root user only the bound counts: a program with file capabilities may still reach it. */
    for (size_t i = 0; i < (b->account.uid == 0 ? 3 : 1); i++) {
        cJSON *set = cJSON_AddArrayToObject(json, sets[i]);
        for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
            if (b->capabilities & (UINT64_C(1) << c))
                add_text(set, capability_name((enum capability)c));
    }
}

static void add_ulimits(cJSON *process, const struct document_linux *l)
{
    cJSON *limits = cJSON_AddArrayToObject(process, "rlimits");

    for (size_t i = 0; i < l->ulimit_count; i++) {
        cJSON *limit = cJSON_CreateObject();
        cleanup_free char *type = mem_format("RLIMIT_%s", l->ulimits[i].name);
        for (char *c = type; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        cJSON_AddStringToObject(limit, "type", type);
        if (l->ulimits[i].soft < 0)
            cJSON_AddRawToObject(limit, "soft", "18446744073709551615");
        else
            json_add_int(limit, "soft", l->ulimits[i].soft);
        if (l->ulimits[i].hard < 0)
            cJSON_AddRawToObject(limit, "hard", "18446744073709551615");
        else
            json_add_int(limit, "hard", l->ulimits[i].hard);
        cJSON_AddItemToArray(limits, limit);
    }
}

static void add_user(cJSON *process, const struct account *account)
{
    cJSON *user = cJSON_AddObjectToObject(process, "user"), *groups;

    json_add_int(user, "uid", account->uid);
    json_add_int(user, "gid", account->gid);
    /* Its own group too, as dockerd: else a file that denies that group would grant what it grants to others. */
    groups = cJSON_AddArrayToObject(user, "additionalGids");
    cJSON_AddItemToArray(groups, cJSON_CreateNumber(account->gid));
    for (size_t i = 0; i < account->group_count; i++)
        if (account->groups[i] != account->gid)
            cJSON_AddItemToArray(groups, cJSON_CreateNumber(account->groups[i]));
}

cJSON *bundle_process(const struct bundle *b, const struct document_process *process)
{
    const struct document_linux *l = &b->document->linux_;
    cJSON *json = cJSON_CreateObject(), *args;
    bool has_init = b->init_path && l->has_init && process == &b->document->process;

    cJSON_AddBoolToObject(json, "terminal", process->has_tty);
    add_user(json, &b->account);
    args = cJSON_AddArrayToObject(json, "args");
    if (has_init) {
        add_text(args, INIT_TARGET);
        add_text(args, "--");
    }
    for (size_t i = 0; i < process->args.count; i++)
        add_text(args, process->args.items[i]);
    add_environment(json, b, process);
    cJSON_AddStringToObject(json, "cwd", process->working_dir);
    add_capabilities(json, b);
    add_ulimits(json, l);
    cJSON_AddBoolToObject(json, "noNewPrivileges", l->no_new_privileges);
    json_add_int(json, "oomScoreAdj", l->oom_score_adj);
    json_add_string(json, "apparmorProfile", b->apparmor_profile);
    return json;
}

/* --- mounts --- */

static cJSON *add_mount(cJSON *mounts, const char *destination, const char *type, const char *source, const char *const *options)
{
    cJSON *mount = cJSON_CreateObject();

    cJSON_AddStringToObject(mount, "destination", destination);
    cJSON_AddStringToObject(mount, "type", type);
    cJSON_AddStringToObject(mount, "source", source);
    if (options)
        add_texts(mount, "options", options);
    cJSON_AddItemToArray(mounts, mount);
    return mount;
}

static void add_system_mounts(cJSON *mounts, const struct bundle *b)
{
    cleanup_free char *size = mem_format("size=%lld", (long long)b->document->linux_.shm_size_bytes);

    add_mount(mounts, "/proc", "proc", "proc", (const char *const[]){"nosuid", "noexec", "nodev", NULL});
    add_mount(mounts, "/dev", "tmpfs", "tmpfs", (const char *const[]){"nosuid", "strictatime", "mode=755", "size=65536k", NULL});
    add_mount(mounts, "/dev/pts", "devpts", "devpts",
              (const char *const[]){"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", NULL});
    add_mount(mounts, "/sys", "sysfs", "sysfs", (const char *const[]){"nosuid", "noexec", "nodev", "ro", NULL});
    add_mount(mounts, "/sys/fs/cgroup", "cgroup", "cgroup", (const char *const[]){"ro", "nosuid", "noexec", "nodev", NULL});
    add_mount(mounts, "/dev/mqueue", "mqueue", "mqueue", (const char *const[]){"nosuid", "noexec", "nodev", NULL});
    add_mount(mounts, "/dev/shm", "tmpfs", "shm", (const char *const[]){"nosuid", "noexec", "nodev", "mode=1777", size, NULL});
}

static void add_tmpfs(cJSON *mounts, const struct document_mount *m)
{
    cJSON *options, *mount = add_mount(mounts, m->target, "tmpfs", "tmpfs", NULL);
    char option[64];

    add_texts(mount, "options", (const char *const[]){"nosuid", "nodev", "noexec", NULL});
    options = cJSON_GetObjectItem(mount, "options");
    if (m->is_read_only)
        add_text(options, "ro");
    if (m->size_bytes > 0) {
        snprintf(option, sizeof option, "size=%lld", (long long)m->size_bytes);
        add_text(options, option);
    }
    snprintf(option, sizeof option, "mode=%o", m->mode ? (unsigned)m->mode : 01777);
    add_text(options, option);
    for (const char *rest = m->options; *rest;) {
        size_t length = strcspn(rest, ",");
        if (length > 0 && length < sizeof option) {
            snprintf(option, sizeof option, "%.*s", (int)length, rest);
            add_text(options, option);
        }
        rest += length + (rest[length] == ',');
    }
}

static void add_bind(cJSON *mounts, const char *source, const struct document_mount *m)
{
    add_mount(mounts, m->target, "bind", source,
              (const char *const[]){m->is_non_recursive ? "bind" : "rbind", m->propagation, m->is_read_only ? "ro" : "rw", NULL});
}

/* A mount over another's target must come after it: by depth, else in the order given. */
static size_t depth(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += path[0] == '/' && path[1] != '/' && path[1] != '\0';
    return n;
}

static void add_document_mounts(cJSON *mounts, const struct bundle *b)
{
    size_t added = 0;

    for (size_t level = 0; added < b->mount_count; level++)
        for (size_t i = 0; i < b->mount_count; i++) {
            const struct document_mount *m = b->mounts[i].mount;
            if (depth(m->target) != level)
                continue;
            if (m->type == MOUNT_TMPFS)
                add_tmpfs(mounts, m);
            else
                add_bind(mounts, b->mounts[i].source, m);
            added++;
        }
}

static bool has_mount(const struct bundle *b, const char *target)
{
    for (size_t i = 0; i < b->mount_count; i++)
        if (strcmp(b->mounts[i].mount->target, target) == 0)
            return true;
    return false;
}

static void add_etc(cJSON *mounts, const struct bundle *b, const char *target, const char *source)
{
    const char *const options[] = {"rbind", "rprivate", b->document->linux_.is_root_read_only ? "ro" : "rw", NULL};

    if (source && !has_mount(b, target))
        add_mount(mounts, target, "bind", source, options);
}

static void add_files(cJSON *mounts, const struct bundle *b)
{
    for (size_t i = 0; b->files_dir && i < b->document->file_count; i++) {
        cleanup_free char *source = mem_format("%s/%zu", b->files_dir, i);
        add_mount(mounts, b->document->files[i].target, "bind", source,
                  (const char *const[]){"bind", "rprivate", "ro", "nosuid", "nodev", "noexec", NULL});
    }
}

static void add_mounts(cJSON *config, const struct bundle *b)
{
    cJSON *mounts = cJSON_AddArrayToObject(config, "mounts");

    add_system_mounts(mounts, b);
    add_etc(mounts, b, "/etc/resolv.conf", b->resolv_conf_path);
    add_etc(mounts, b, "/etc/hostname", b->hostname_path);
    add_etc(mounts, b, "/etc/hosts", b->hosts_path);
    if (b->init_path && b->document->linux_.has_init)
        add_mount(mounts, INIT_TARGET, "bind", b->init_path, (const char *const[]){"bind", "ro", NULL});
    add_document_mounts(mounts, b);
    add_files(mounts, b);
}

/* --- linux --- */

static void add_device(cJSON *devices, bool is_allowed, const char *type, int major, int minor, const char *access)
{
    cJSON *device = cJSON_CreateObject();

    cJSON_AddBoolToObject(device, "allow", is_allowed);
    json_add_string(device, "type", type);
    if (major >= 0)
        json_add_int(device, "major", major);
    if (minor >= 0)
        json_add_int(device, "minor", minor);
    cJSON_AddStringToObject(device, "access", access);
    cJSON_AddItemToArray(devices, device);
}

/* Any node may be made; only these may be used: null, zero, full, tty, urandom, random, console, ptmx, pts. */
static void add_devices(cJSON *resources)
{
    static const struct {
        int major, minor;
    } usable[] = {{1, 3}, {1, 5}, {1, 7}, {5, 0}, {1, 9}, {1, 8}, {5, 1}, {5, 2}, {136, -1}};
    cJSON *devices = cJSON_AddArrayToObject(resources, "devices");

    add_device(devices, false, NULL, -1, -1, "rwm");
    add_device(devices, true, "c", -1, -1, "m");
    add_device(devices, true, "b", -1, -1, "m");
    for (size_t i = 0; i < sizeof usable / sizeof usable[0]; i++)
        add_device(devices, true, "c", usable[i].major, usable[i].minor, "rwm");
}

static void add_memory(cJSON *resources, const struct bundle *b)
{
    const struct document_linux *l = &b->document->linux_;
    cJSON *memory;

    if (l->memory_bytes == 0 && l->memory_swappiness < 0)
        return;
    memory = cJSON_AddObjectToObject(resources, "memory");
    if (l->memory_bytes > 0) {
        json_add_int(memory, "limit", l->memory_bytes);
        if (b->has_swap_limit && l->memory_swap_bytes == 0)
            json_add_int(memory, "swap", l->memory_bytes > INT64_MAX / 2 ? -1 : 2 * l->memory_bytes);
        else if (b->has_swap_limit)
            json_add_int(memory, "swap", l->memory_swap_bytes);
    }
    if (l->memory_swappiness >= 0 && !b->is_cgroup_v2)
        json_add_int(memory, "swappiness", l->memory_swappiness);
}

static void add_cpu(cJSON *resources, const struct bundle *b)
{
    int64_t nano = b->document->linux_.cpu_nano, quota_us;
    cJSON *cpu;

    if (nano == 0)
        nano = (int64_t)b->document->processor_hundredths * 100000 * b->cpu_count;
    if (nano == 0)
        return;
    quota_us = nano / (1000000000 / CPU_PERIOD_US);
    cpu = cJSON_AddObjectToObject(resources, "cpu");
    json_add_int(cpu, "quota", quota_us < 1000 ? 1000 : quota_us); /* the kernel takes no less than 1 ms */
    json_add_int(cpu, "period", CPU_PERIOD_US);
}

static void add_resources(cJSON *linux_json, const struct bundle *b)
{
    cJSON *resources = cJSON_AddObjectToObject(linux_json, "resources");

    add_devices(resources);
    add_memory(resources, b);
    add_cpu(resources, b);
    if (b->document->linux_.pids_limit > 0)
        json_add_int(cJSON_AddObjectToObject(resources, "pids"), "limit", b->document->linux_.pids_limit);
}

static void add_namespaces(cJSON *linux_json, const struct bundle *b)
{
    static const char *const types[] = {"mount", "uts", "ipc", "pid", "network", "cgroup"};
    size_t count = b->is_cgroup_v2 ? 6 : 5;
    cJSON *namespaces = cJSON_AddArrayToObject(linux_json, "namespaces");

    for (size_t i = 0; i < count; i++) {
        bool is_network = strcmp(types[i], "network") == 0;
        cJSON *ns;
        if (is_network && !b->netns_path)
            continue;
        ns = cJSON_CreateObject();
        cJSON_AddStringToObject(ns, "type", types[i]);
        if (is_network)
            cJSON_AddStringToObject(ns, "path", b->netns_path);
        cJSON_AddItemToArray(namespaces, ns);
    }
}

static void add_sysctls(cJSON *linux_json, const struct bundle *b)
{
    cJSON *sysctls = cJSON_AddObjectToObject(linux_json, "sysctl");
    const struct document_pairs *own = &b->document->linux_.sysctls;

    if (b->document->network.mode != NETWORK_HOST) {
        if (!sets_variable(own, "net.ipv4.ip_unprivileged_port_start"))
            cJSON_AddStringToObject(sysctls, "net.ipv4.ip_unprivileged_port_start", "0");
        if (!sets_variable(own, "net.ipv4.ping_group_range"))
            cJSON_AddStringToObject(sysctls, "net.ipv4.ping_group_range", "0 2147483647");
    }
    for (size_t i = 0; i < own->count; i++)
        cJSON_AddStringToObject(sysctls, own->items[i].key, own->items[i].value);
}

static void add_seccomp(cJSON *linux_json, const struct bundle *b)
{
    switch (b->document->linux_.seccomp) {
    case SECCOMP_DEFAULT:
        cJSON_AddItemToObject(linux_json, "seccomp", seccomp_profile(b->capabilities));
        break;
    case SECCOMP_CUSTOM:
        cJSON_AddItemToObject(linux_json, "seccomp", cJSON_Duplicate(b->document->linux_.seccomp_profile, true));
        break;
    case SECCOMP_UNCONFINED:
        break;
    }
}

static void add_linux(cJSON *config, const struct bundle *b)
{
    cJSON *json = cJSON_AddObjectToObject(config, "linux");

    cJSON_AddStringToObject(json, "cgroupsPath", b->cgroup_path);
    add_namespaces(json, b);
    add_resources(json, b);
    add_sysctls(json, b);
    add_seccomp(json, b);
    add_texts(json, "maskedPaths",
              (const char *const[]){"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                                    "/sys/devices/virtual/powercap", NULL});
    add_texts(json, "readonlyPaths", (const char *const[]){"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL});
}

cJSON *bundle_config(const struct bundle *b)
{
    cJSON *config = cJSON_CreateObject(), *root;

    cJSON_AddStringToObject(config, "ociVersion", "1.0.2");
    cJSON_AddItemToObject(config, "process", bundle_process(b, &b->document->process));
    root = cJSON_AddObjectToObject(config, "root");
    cJSON_AddStringToObject(root, "path", b->root_path);
    cJSON_AddBoolToObject(root, "readonly", b->document->linux_.is_root_read_only);
    cJSON_AddStringToObject(config, "hostname", b->hostname);
    add_mounts(config, b);
    add_linux(config, b);
    return config;
}
