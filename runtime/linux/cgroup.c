/* runtime/linux/cgroup.c – see cgroup.h. */
#include "runtime/linux/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

static const char *root = "/sys/fs/cgroup";

enum { CGROUP2_MAGIC = 0x63677270, FILE_BYTES = 64 * 1024, NETWORKS_MAX = 16, COUNTERS_MAX = 64 };

void cgroup_use_root(const char *path)
{
    root = path;
}

bool cgroup_is_v2(void)
{
    struct statfs fs;

    return statfs(root, &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}

bool cgroup_has_swap_limit(bool is_v2)
{
    cleanup_free char *path = mem_format("%s/memory/memory.memsw.limit_in_bytes", root);

    return is_v2 || file_exists(path);
}

static char *read_text(const char *path)
{
    struct buf text = {0};
    char chunk[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    while (fd >= 0 && text.size < FILE_BYTES && (n = read(fd, chunk, sizeof chunk)) > 0)
        buf_append(&text, chunk, (size_t)n);
    if (fd >= 0)
        close(fd);
    return buf_steal_string(&text);
}

static bool mount_v1(const char *controller)
{
    cleanup_free char *path = mem_format("%s/%s", root, controller);

    if ((mkdir(path, 0755) < 0 && errno != EEXIST) || mount(controller, path, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, controller) < 0) {
        log_warn("runtime", "cgroup controller %s cannot be mounted as version 1 (%s), and crun refuses this host as it is", controller,
                 strerror(errno));
        return false;
    }
    log_info("runtime", "cgroup controller %s mounted as version 1 at %s, for the whole host: crun refused version 2 beside version 1",
             controller, path);
    return true;
}

bool cgroup_settle_hybrid(const char *refusal)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* starts run on several workers */
    static bool is_settled, was_tried;
    cleanup_free char *file = mem_format("%s/unified/cgroup.controllers", root);
    char *rest = NULL;

    if (!strstr(refusal, "hybrid mode"))
        return false;
    pthread_mutex_lock(&mutex);
    if (!was_tried) {
        cleanup_free char *controllers = read_text(file);
        was_tried = true;
        for (char *name = strtok_r(controllers, " \n", &rest); name; name = strtok_r(NULL, " \n", &rest))
            is_settled = mount_v1(name) || is_settled;
    }
    pthread_mutex_unlock(&mutex);
    return is_settled;
}

/* The file of a controller; @v1 and @v2 are its names, NULL where there is none. */
static char *read_file(bool is_v2, const char *path, const char *controller, const char *name)
{
    cleanup_free char *file = is_v2 ? mem_format("%s%s/%s", root, path, name) : mem_format("%s/%s%s/%s", root, controller, path, name);

    return read_text(file);
}

static uint64_t read_number(bool is_v2, const char *path, const char *controller, const char *name)
{
    cleanup_free char *text = read_file(is_v2, path, controller, name);

    return strtoull(text, NULL, 10); /* "max" is 0: no limit */
}

/* "key value" on a line of its own. */
static uint64_t value_of(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    return 0;
}

static void memory_counters(const char *text, struct arena *arena, struct hcs_statistics *out)
{
    struct hcs_memory_counter *counters = arena_alloc(arena, COUNTERS_MAX * sizeof *counters);

    for (const char *line = text; *line && out->memory_count < COUNTERS_MAX; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, " \n");
        if (line[length] != ' ')
            continue;
        counters[out->memory_count++] =
            (struct hcs_memory_counter){arena_string_n(arena, line, length), strtoull(line + length + 1, NULL, 10)};
    }
    out->memory = counters;
}

/* blkio.throttle.io_service_bytes: "8:0 Read 4096"; io.stat: "8:0 rbytes=4096 wbytes=…". */
static void block_counters(const char *text, struct hcs_statistics *out)
{
    static const struct {
        const char *word;
        bool is_write;
    } words[] = {{" Read ", false}, {" Write ", true}, {" rbytes=", false}, {" wbytes=", true}};

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            const char *found = strstr(line, words[i].word);
            if (found && found < line + strcspn(line, "\n"))
                *(words[i].is_write ? &out->write_bytes : &out->read_bytes) += strtoull(found + strlen(words[i].word), NULL, 10);
        }
}

static void statistics_v1(const char *path, struct hcs_statistics *out)
{
    cleanup_free char *cpu = read_file(false, path, "cpu", "cpu.stat"),
                      *io = read_file(false, path, "blkio", "blkio.throttle.io_service_bytes");

    out->cpu_total_ns = read_number(false, path, "cpuacct", "cpuacct.usage");
    out->cpu_user_ns = read_number(false, path, "cpuacct", "cpuacct.usage_user");
    out->cpu_kernel_ns = read_number(false, path, "cpuacct", "cpuacct.usage_sys");
    out->periods = value_of(cpu, "nr_periods");
    out->throttled_periods = value_of(cpu, "nr_throttled");
    out->throttled_ns = value_of(cpu, "throttled_time");
    out->memory_usage_bytes = read_number(false, path, "memory", "memory.usage_in_bytes");
    out->memory_peak_bytes = read_number(false, path, "memory", "memory.max_usage_in_bytes");
    out->memory_limit_bytes = read_number(false, path, "memory", "memory.limit_in_bytes");
    if (out->memory_limit_bytes > INT64_MAX / 2)
        out->memory_limit_bytes = 0;
    block_counters(io, out);
}

static void statistics_v2(const char *path, struct hcs_statistics *out)
{
    cleanup_free char *cpu = read_file(true, path, NULL, "cpu.stat"), *io = read_file(true, path, NULL, "io.stat");

    out->cpu_total_ns = value_of(cpu, "usage_usec") * NS_PER_US;
    out->cpu_user_ns = value_of(cpu, "user_usec") * NS_PER_US;
    out->cpu_kernel_ns = value_of(cpu, "system_usec") * NS_PER_US;
    out->periods = value_of(cpu, "nr_periods");
    out->throttled_periods = value_of(cpu, "nr_throttled");
    out->throttled_ns = value_of(cpu, "throttled_usec") * NS_PER_US;
    out->memory_usage_bytes = read_number(true, path, NULL, "memory.current");
    out->memory_peak_bytes = read_number(true, path, NULL, "memory.peak");
    out->memory_limit_bytes = read_number(true, path, NULL, "memory.max");
    block_counters(io, out);
}

void cgroup_statistics(bool is_v2, const char *path, struct arena *arena, struct hcs_statistics *out)
{
    cleanup_free char *memory = read_file(is_v2, path, "memory", "memory.stat");

    if (is_v2)
        statistics_v2(path, out);
    else
        statistics_v1(path, out);
    memory_counters(memory, arena, out);
    out->pids = read_number(is_v2, path, "pids", "pids.current");
    out->pids_limit = read_number(is_v2, path, "pids", "pids.max");
}

bool cgroup_was_oom_killed(bool is_v2, const char *path)
{
    cleanup_free char *text = read_file(is_v2, path, "memory", is_v2 ? "memory.events" : "memory.oom_control");

    return value_of(text, "oom_kill") > 0;
}

void cgroup_thaw(bool is_v2, const char *path)
{
    cleanup_free char *file = is_v2 ? mem_format("%s%s/cgroup.freeze", root, path) : mem_format("%s/freezer%s/freezer.state", root, path);
    const char *word = is_v2 ? "0" : "THAWED";
    int fd = open(file, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, word, strlen(word)) < 0)
        log_warn("runtime", "could not thaw %s", file);
    if (fd >= 0)
        close(fd);
}

static void kill_listed(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        long pid = strtol(line, NULL, 10);
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
    }
}

/* crun puts a system's processes into every controller's hierarchy: these are there on any host of version 1. */
void cgroup_kill(bool is_v2, const char *path)
{
    static const char *const controllers[] = {"pids", "memory", "devices"};

    for (size_t i = 0; i < (is_v2 ? 1 : sizeof controllers / sizeof controllers[0]); i++) {
        cleanup_free char *text = read_file(is_v2, path, controllers[i], "cgroup.procs");
        kill_listed(text);
    }
}

void cgroup_remove(bool is_v2, const char *path)
{
    static const char *const controllers[] = {"blkio",   "cpu",      "cpuacct",    "cpuset", "devices", "freezer", "hugetlb", "memory",
                                              "net_cls", "net_prio", "perf_event", "pids",   "rdma",    "systemd", "unified", "misc"};

    for (size_t i = 0; i < (is_v2 ? 1 : sizeof controllers / sizeof controllers[0]); i++) {
        cleanup_free char *dir = is_v2 ? mem_format("%s%s", root, path) : mem_format("%s/%s%s", root, controllers[i], path);
        rmdir(dir);
    }
}

void cgroup_read_networks(const char *text, struct arena *arena, struct hcs_statistics *out)
{
    struct hcs_network_counter *networks = arena_alloc(arena, NETWORKS_MAX * sizeof *networks);

    for (const char *line = text; *line && out->network_count < NETWORKS_MAX; line += strcspn(line, "\n"), line += *line == '\n') {
        uint64_t numbers[12] = {0};
        size_t length = strcspn(line, ":\n");
        char name[32], *rest = (char *)line + length + 1;
        if (line[length] != ':' || sscanf(line, " %31[^:]", name) != 1 || strcmp(name, "lo") == 0)
            continue;
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
            numbers[i] = strtoull(rest, &rest, 10);
        networks[out->network_count++] = (struct hcs_network_counter){.name = arena_string(arena, name),
                                                                      .rx_bytes = numbers[0],
                                                                      .rx_packets = numbers[1],
                                                                      .rx_errors = numbers[2],
                                                                      .rx_dropped = numbers[3],
                                                                      .tx_bytes = numbers[8],
                                                                      .tx_packets = numbers[9],
                                                                      .tx_errors = numbers[10],
                                                                      .tx_dropped = numbers[11]};
    }
    out->networks = networks;
}

void cgroup_network_statistics(int pid, struct arena *arena, struct hcs_statistics *out)
{
    cleanup_free char *path = mem_format("/proc/%d/net/dev", pid), *text = read_text(path);

    cgroup_read_networks(text, arena, out);
}
