/* runtime/document.c – see document.h. */
#include "runtime/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "runtime/document_mounts.h"
#include "runtime/document_reader.h"

#define DEFAULT_STOP_GRACE_NS  10000000000 /* Docker's */
#define DEFAULT_SHM_SIZE_BYTES (64 * MIB)  /* Docker's */
#define MAX_INT                INT64_MAX

static int fail_code(const struct reader *r)
{
    return r->err->code;
}

bool document_path_is_absolute(const char *path, bool is_windows)
{
    if (!is_windows)
        return path[0] == '/';
    bool has_drive = ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z')) && path[1] == ':';

    return (has_drive && (path[2] == '\\' || path[2] == '/')) || text_starts(path, "\\\\");
}

/* --- Container --- */

static int read_layers(const struct reader *container, struct document *out)
{
    struct reader storage, layer;
    const cJSON *item;
    const char *unused;

    if (reader_object(container, "Storage", &storage) < 0 || reader_only(&storage, (const char *const[]){"Layers", "Path", NULL}) < 0 ||
        reader_string(&storage, "Path", "", &unused) < 0 ||
        reader_array(&storage, "Layers", CONTAINER_LAYERS_COUNT, &out->layers.count, &item) < 0)
        return fail_code(container);
    if (out->layers.count == 0)
        return reader_fail(&storage, ERR_INVALID, "Layers", "none given");
    out->layers.items = arena_alloc(container->arena, out->layers.count * sizeof *out->layers.items);
    for (size_t i = 0; i < out->layers.count; i++, item = item->next) {
        if (reader_item(&storage, "Layers", i, item, &layer) < 0 || reader_only(&layer, (const char *const[]){"Id", "Path", NULL}) < 0 ||
            reader_string(&layer, "Id", "", &unused) < 0 || reader_string(&layer, "Path", "", &out->layers.items[i]) < 0)
            return fail_code(container);
        /* of the host, which may be one that only stands in for Windows */
        if (out->layers.items[i][0] != '/' && reader_path(&layer, "Path", out->layers.items[i]) < 0)
            return fail_code(container);
    }
    return 0;
}

static int read_mapped_directories(const struct reader *container, struct document *out)
{
    struct reader r;
    const cJSON *item;
    size_t count;

    if (reader_array(container, "MappedDirectories", CONTAINER_MOUNTS_COUNT, &count, &item) < 0)
        return fail_code(container);
    out->mounts = arena_alloc(container->arena, 2 * (size_t)CONTAINER_MOUNTS_COUNT * sizeof *out->mounts);
    for (size_t i = 0; i < count; i++, item = item->next) {
        struct document_mount *m = &out->mounts[out->mount_count++];
        if (reader_item(container, "MappedDirectories", i, item, &r) < 0 ||
            reader_only(&r, (const char *const[]){"HostPath", "ContainerPath", "ReadOnly", NULL}) < 0 ||
            reader_string(&r, "HostPath", "", &m->source) < 0 || reader_path(&r, "HostPath", m->source) < 0 ||
            reader_string(&r, "ContainerPath", "", &m->target) < 0 || reader_path(&r, "ContainerPath", m->target) < 0 ||
            reader_bool(&r, "ReadOnly", false, &m->is_read_only) < 0)
            return fail_code(container);
        m->propagation = "rprivate";
        m->options = "";
    }
    return 0;
}

static int read_container(const struct reader *top, struct document *out)
{
    struct reader container, os, memory, processor;
    int64_t megabytes, hundredths;

    if (reader_object(top, "Container", &container) < 0 ||
        reader_only(&container, (const char *const[]){"GuestOs", "Storage", "MappedDirectories", "Memory", "Processor", NULL}) < 0 ||
        reader_object(&container, "GuestOs", &os) < 0 || reader_only(&os, (const char *const[]){"HostName", NULL}) < 0 ||
        reader_string(&os, "HostName", "", &out->hostname) < 0 || read_layers(&container, out) < 0 ||
        read_mapped_directories(&container, out) < 0 || reader_object(&container, "Memory", &memory) < 0 ||
        reader_only(&memory, (const char *const[]){"SizeInMB", NULL}) < 0 ||
        reader_int(&memory, "SizeInMB", 0, MAX_INT / (int64_t)MIB, 0, &megabytes) < 0 ||
        reader_object(&container, "Processor", &processor) < 0 ||
        reader_only(&processor, (const char *const[]){"Maximum", "Count", "Weight", NULL}) < 0 ||
        reader_int(&processor, "Maximum", 0, 10000, 0, &hundredths) < 0)
        return fail_code(top);
    if (strlen(out->hostname) > 63)
        return reader_fail(&os, ERR_INVALID, "HostName", "longer than 63 characters: \"%s\"", out->hostname);
    out->linux_.memory_bytes = megabytes * (int64_t)MIB;
    out->processor_hundredths = (int)hundredths;
    return 0;
}

/* --- Skep --- */

static int read_process(const struct reader *r, struct document_process *out)
{
    const char *root = r->is_windows ? "C:\\" : "/";

    if (reader_only(r, (const char *const[]){"CommandArgs", "WorkingDirectory", "Environment", "User", "EmulateConsole", "CreateStdInPipe",
                                             NULL}) < 0 ||
        reader_strings(r, "CommandArgs", &out->args) < 0 || reader_string(r, "WorkingDirectory", root, &out->working_dir) < 0 ||
        reader_pairs(r, "Environment", &out->environment) < 0 || reader_string(r, "User", "", &out->user) < 0 ||
        reader_bool(r, "EmulateConsole", false, &out->has_tty) < 0 || reader_bool(r, "CreateStdInPipe", false, &out->has_stdin) < 0)
        return fail_code(r);
    if (out->args.count == 0)
        return reader_fail(r, ERR_INVALID, "CommandArgs", "no command given");
    if (out->working_dir[0] == '\0')
        out->working_dir = root;
    for (size_t i = 0; i < out->environment.count; i++)
        if (out->environment.items[i].key[0] == '\0' || strchr(out->environment.items[i].key, '='))
            return reader_fail(r, ERR_INVALID, "Environment", "not a name: \"%s\"", out->environment.items[i].key);
    return reader_path(r, "WorkingDirectory", out->working_dir);
}

static int read_seccomp(const struct reader *r, struct document_linux *out)
{
    static const char *const words[] = {"default", "unconfined", NULL};
    const cJSON *item = r->object ? cJSON_GetObjectItemCaseSensitive(r->object, "Seccomp") : NULL;
    unsigned word = SECCOMP_DEFAULT;

    if (cJSON_IsObject(item)) {
        out->seccomp = SECCOMP_CUSTOM;
        out->seccomp_profile = item;
        return 0;
    }
    if (reader_word(r, "Seccomp", words, &word) < 0)
        return fail_code(r);
    out->seccomp = word == 0 ? SECCOMP_DEFAULT : SECCOMP_UNCONFINED;
    return 0;
}

static int read_ulimits(const struct reader *r, struct document_linux *out)
{
    static const char *const names[] = {"core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
                                        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL};
    struct reader u;
    const cJSON *item;
    unsigned word;

    if (reader_array(r, "Ulimits", 32, &out->ulimit_count, &item) < 0)
        return fail_code(r);
    out->ulimits = arena_alloc(r->arena, (out->ulimit_count + 1) * sizeof *out->ulimits);
    for (size_t i = 0; i < out->ulimit_count; i++, item = item->next) {
        struct document_ulimit *l = &out->ulimits[i];
        if (reader_item(r, "Ulimits", i, item, &u) < 0 || reader_only(&u, (const char *const[]){"Name", "Soft", "Hard", NULL}) < 0 ||
            reader_string(&u, "Name", "", &l->name) < 0 || reader_word(&u, "Name", names, &word) < 0 ||
            reader_int(&u, "Soft", -1, MAX_INT, -1, &l->soft) < 0 || reader_int(&u, "Hard", -1, MAX_INT, -1, &l->hard) < 0)
            return fail_code(r);
        if (l->hard >= 0 && (l->soft < 0 || l->soft > l->hard))
            return reader_fail(&u, ERR_INVALID, "Soft", "above the hard limit");
    }
    return 0;
}

static int read_linux(const struct reader *skep, struct document *doc)
{
    struct document_linux *out = &doc->linux_;
    struct reader r;

    if (reader_object(skep, "Linux", &r) < 0 ||
        reader_only(&r, (const char *const[]){"MemoryBytes", "MemorySwapBytes", "MemorySwappiness", "CpuNano", "PidsLimit",
                                              "CapabilitiesAdd", "CapabilitiesDrop", "Seccomp", "NoNewPrivileges", "ReadOnlyRoot", "Init",
                                              "Sysctls", "Ulimits", "Groups", "OomScoreAdj", "ShmSizeBytes", NULL}) < 0 ||
        reader_int(&r, "MemoryBytes", 0, MAX_INT, out->memory_bytes, &out->memory_bytes) < 0 ||
        reader_int(&r, "MemorySwapBytes", -1, MAX_INT, 0, &out->memory_swap_bytes) < 0 ||
        reader_int(&r, "MemorySwappiness", -1, 100, -1, &out->memory_swappiness) < 0 ||
        reader_int(&r, "CpuNano", 0, MAX_INT, 0, &out->cpu_nano) < 0 || reader_int(&r, "PidsLimit", -1, MAX_INT, 0, &out->pids_limit) < 0 ||
        reader_strings(&r, "CapabilitiesAdd", &out->capabilities_add) < 0 ||
        reader_strings(&r, "CapabilitiesDrop", &out->capabilities_drop) < 0 || reader_strings(&r, "Groups", &out->groups) < 0 ||
        read_seccomp(&r, out) < 0 || reader_bool(&r, "NoNewPrivileges", false, &out->no_new_privileges) < 0 ||
        reader_bool(&r, "ReadOnlyRoot", false, &out->is_root_read_only) < 0 || reader_bool(&r, "Init", false, &out->has_init) < 0 ||
        reader_pairs(&r, "Sysctls", &out->sysctls) < 0 || read_ulimits(&r, out) < 0 ||
        reader_int(&r, "OomScoreAdj", -1000, 1000, 0, &out->oom_score_adj) < 0 ||
        reader_int(&r, "ShmSizeBytes", 0, MAX_INT, DEFAULT_SHM_SIZE_BYTES, &out->shm_size_bytes) < 0)
        return fail_code(skep);
    if (out->memory_bytes > 0 && out->memory_bytes < (int64_t)(6 * MIB))
        return reader_fail(&r, ERR_INVALID, "MemoryBytes", "Minimum memory limit allowed is 6MB");
    if (out->memory_swap_bytes > 0 && out->memory_swap_bytes < out->memory_bytes)
        return reader_fail(&r, ERR_INVALID, "MemorySwapBytes", "smaller than MemoryBytes");
    if (out->memory_swap_bytes > 0 && out->memory_bytes == 0)
        return reader_fail(&r, ERR_INVALID, "MemorySwapBytes", "given without MemoryBytes");
    return 0;
}

static int read_windows(const struct reader *skep, struct document_windows *out)
{
    struct reader r;

    if (reader_object(skep, "Windows", &r) < 0 ||
        reader_only(&r, (const char *const[]){"CredentialSpec", "ProcessorCount", "ProcessorWeight", "IopsMaximum", "BandwidthMaximumBytes",
                                              "StorageSizeBytes", "ArgsEscaped", NULL}) < 0 ||
        reader_string(&r, "CredentialSpec", NULL, &out->credential_spec) < 0 ||
        reader_int(&r, "ProcessorCount", 0, 4096, 0, &out->processor_count) < 0 ||
        reader_int(&r, "ProcessorWeight", 0, 10000, 0, &out->processor_weight) < 0 ||
        reader_int(&r, "IopsMaximum", 0, MAX_INT, 0, &out->iops_maximum) < 0 ||
        reader_int(&r, "BandwidthMaximumBytes", 0, MAX_INT, 0, &out->bandwidth_maximum_bytes) < 0 ||
        reader_int(&r, "StorageSizeBytes", 0, MAX_INT, 0, &out->storage_size_bytes) < 0 ||
        reader_bool(&r, "ArgsEscaped", false, &out->is_command_line) < 0)
        return fail_code(skep);
    if (r.object && !r.is_windows)
        return reader_fail(&r, ERR_INVALID, "", "given for a container of Linux");
    return 0;
}

static int read_ports(const struct reader *network, struct document_network *out)
{
    static const char *const protocols[] = {"tcp", "udp", NULL};
    struct reader r;
    const cJSON *item;

    if (reader_array(network, "Ports", CONTAINER_PORTS_COUNT, &out->port_count, &item) < 0)
        return fail_code(network);
    out->ports = arena_alloc(network->arena, (out->port_count + 1) * sizeof *out->ports);
    for (size_t i = 0; i < out->port_count; i++, item = item->next) {
        unsigned protocol = 0;
        int64_t target, published;
        if (reader_item(network, "Ports", i, item, &r) < 0 ||
            reader_only(&r, (const char *const[]){"Protocol", "TargetPort", "PublishedPort", NULL}) < 0 ||
            reader_word(&r, "Protocol", protocols, &protocol) < 0 || reader_int(&r, "TargetPort", 1, 65535, 0, &target) < 0 ||
            reader_int(&r, "PublishedPort", 0, 65535, 0, &published) < 0)
            return fail_code(network);
        if (target == 0)
            return reader_fail(&r, ERR_INVALID, "TargetPort", "missing");
        out->ports[i] = (struct document_port){protocol == 1, (uint16_t)target, (uint16_t)published};
    }
    return 0;
}

/* These end up in lines of /etc/hosts and /etc/resolv.conf, one word each. */
static int check_words(const struct reader *r, const char *key, const struct document_strings *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (words->items[i][0] == '\0' || words->items[i][strcspn(words->items[i], " \t\r\n#")] != '\0')
            return reader_fail(r, ERR_INVALID, key, "\"%s\" is not one word", words->items[i]);
    return 0;
}

static int read_network(const struct reader *skep, struct document *doc)
{
    static const char *const modes[] = {"bridge", "host", "none", NULL};
    struct document_network *out = &doc->network;
    struct reader r, dns;
    unsigned mode = 0;

    if (reader_object(skep, "Network", &r) < 0 || reader_only(&r, (const char *const[]){"Mode", "Ports", "Dns", "Hosts", NULL}) < 0 ||
        reader_word(&r, "Mode", modes, &mode) < 0 || read_ports(&r, out) < 0 || reader_object(&r, "Dns", &dns) < 0 ||
        reader_only(&dns, (const char *const[]){"Nameservers", "Search", "Options", NULL}) < 0 ||
        reader_strings(&dns, "Nameservers", &out->nameservers) < 0 || reader_strings(&dns, "Search", &out->searches) < 0 ||
        reader_strings(&dns, "Options", &out->dns_options) < 0 || reader_strings(&r, "Hosts", &out->hosts) < 0 ||
        check_words(&dns, "Nameservers", &out->nameservers) < 0 || check_words(&dns, "Search", &out->searches) < 0 ||
        check_words(&dns, "Options", &out->dns_options) < 0 || check_words(&r, "Hosts", &out->hosts) < 0)
        return fail_code(skep);
    out->mode = (enum document_network_mode)mode;
    for (size_t i = 0; i < out->hosts.count; i++)
        if (strchr(out->hosts.items[i], ':') == NULL)
            return reader_fail(&r, ERR_INVALID, "Hosts", "not name:address: \"%s\"", out->hosts.items[i]);
    return 0;
}

static int read_log(const struct reader *skep, struct document *doc)
{
    static const char *const drivers[] = {"json-file", "none", NULL};
    struct reader r;
    unsigned driver = 0;

    if (reader_object(skep, "Log", &r) < 0 || reader_only(&r, (const char *const[]){"Driver", "MaxSizeBytes", "MaxFiles", NULL}) < 0 ||
        reader_word(&r, "Driver", drivers, &driver) < 0 ||
        reader_int(&r, "MaxSizeBytes", 4096, (int64_t)GIB, CONTAINER_LOG_FILE_SIZE_BYTES, &doc->log.max_size_bytes) < 0 ||
        reader_int(&r, "MaxFiles", 1, 100, CONTAINER_LOG_FILES_COUNT, &doc->log.max_files) < 0)
        return fail_code(skep);
    doc->log.is_kept = driver == 0;
    return 0;
}

static int read_image(const struct reader *skep, struct document *out)
{
    struct reader r;

    if (reader_object(skep, "Image", &r) < 0 || reader_only(&r, (const char *const[]){"Reference", "Id", "OsVersion", NULL}) < 0 ||
        reader_string(&r, "Reference", "", &out->image_reference) < 0 || reader_string(&r, "Id", "", &out->image_id) < 0 ||
        reader_string(&r, "OsVersion", "", &out->image_os_version) < 0)
        return fail_code(skep);
    return 0;
}

static int read_stop(const struct reader *skep, struct document *out)
{
    if (reader_string(skep, "StopSignal", "SIGTERM", &out->stop_signal) < 0 ||
        reader_int(skep, "StopGraceNs", 0, MAX_INT, DEFAULT_STOP_GRACE_NS, &out->stop_grace_ns) < 0)
        return fail_code(skep);
    if (out->stop_signal[0] == '\0')
        out->stop_signal = "SIGTERM";
    out->stop_signal_number = document_signal_number(out->stop_signal);
    if (out->stop_signal_number < 0)
        return reader_fail(skep, ERR_INVALID, "StopSignal", "Invalid signal: %s", out->stop_signal);
    return 0;
}

static int read_skep(const struct reader *top, struct document *out)
{
    static const char *const isolations[] = {"default", "process", "hyperv", NULL};
    struct reader skep, process, health;
    unsigned isolation = 0;

    if (reader_object(top, "Skep", &skep) < 0 ||
        reader_only(&skep,
                    (const char *const[]){"Os", "Name", "Labels", "Image", "Isolation", "CreatedWallNs", "Process", "Linux", "Windows",
                                          "Mounts", "Files", "Network", "StopSignal", "StopGraceNs", "Health", "Log", NULL}) < 0 ||
        reader_string(&skep, "Name", "", &out->name) < 0 || reader_pairs(&skep, "Labels", &out->labels) < 0 || read_image(&skep, out) < 0 ||
        reader_word(&skep, "Isolation", isolations, &isolation) < 0 ||
        reader_int(&skep, "CreatedWallNs", 0, MAX_INT, 0, &out->created_wall_ns) < 0 || reader_object(&skep, "Process", &process) < 0 ||
        read_process(&process, &out->process) < 0 || read_linux(&skep, out) < 0 || read_windows(&skep, &out->windows) < 0 ||
        document_read_mounts(&skep, out) < 0 || document_read_files(&skep, out) < 0 || read_network(&skep, out) < 0 ||
        read_stop(&skep, out) < 0 || reader_object(&skep, "Health", &health) < 0 || read_log(&skep, out) < 0)
        return fail_code(top);
    out->isolation = (enum isolation)isolation;
    return 0;
}

static int read_version(const struct reader *top)
{
    struct reader r;
    int64_t major, minor;

    if (reader_object(top, "SchemaVersion", &r) < 0 || reader_only(&r, (const char *const[]){"Major", "Minor", NULL}) < 0 ||
        reader_int(&r, "Major", 2, 2, 2, &major) < 0 || reader_int(&r, "Minor", 0, 100, 1, &minor) < 0)
        return fail_code(top);
    return 0;
}

/* Whose paths the rest speaks of: looked up before anything else is read. */
static int read_os(const struct reader *top, bool *is_windows)
{
    static const char *const systems[] = {"linux", "windows", NULL};
    struct reader skep;
    unsigned os = 0;

    if (reader_object(top, "Skep", &skep) < 0 || reader_word(&skep, "Os", systems, &os) < 0)
        return fail_code(top);
    *is_windows = os == 1;
    return 0;
}

int document_parse(const cJSON *json, struct arena *arena, struct document *out, struct error *err)
{
    struct error scratch;
    struct reader top = {arena, "", json, err ? err : &scratch, false};
    bool unused;

    memset(out, 0, sizeof *out);
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "the document is not a JSON object");
    if (read_os(&top, &out->is_windows) < 0)
        return top.err->code;
    top.is_windows = out->is_windows;
    if (reader_only(&top, (const char *const[]){"Owner", "SchemaVersion", "ShouldTerminateOnLastHandleClosed", "Container", "Skep", NULL}) <
            0 ||
        reader_string(&top, "Owner", "", &out->owner) < 0 || read_version(&top) < 0 ||
        reader_bool(&top, "ShouldTerminateOnLastHandleClosed", false, &unused) < 0 || read_container(&top, out) < 0 ||
        read_skep(&top, out) < 0)
        return top.err->code;
    return 0;
}

int document_parse_process(const cJSON *json, bool is_windows, struct arena *arena, struct document_process *out, struct error *err)
{
    struct error scratch;
    struct reader r = {arena, "Process", json, err ? err : &scratch, is_windows};

    memset(out, 0, sizeof *out);
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "Process: not a JSON object");
    return read_process(&r, out);
}

int document_normalise(const cJSON *json, cJSON **out, struct error *err)
{
    cleanup_free char *text = json_print(json);

    return json_parse(bytes_of_string(text), CONTAINER_DOCUMENT_SIZE_BYTES, out, err);
}
