/* The document's frame: names and labels, limits, network, log; and the small answers about a task that others need too. */
#include "agent/container_document.h"

#include <stdlib.h>
#include <string.h>

#include "agent/container_build.h"
#include "agent/health.h"
#include "base/clock.h"
#include "base/isolation.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/image/reference.h"

typedef Docker__Swarmkit__V1__TaskSpec TaskSpec;

static const char *service_name(const Task *task)
{
    return task->service_annotations ? task->service_annotations->name : "";
}

const char *container_name(const Task *task, struct arena *arena)
{
    if (task->annotations && !text_empty(task->annotations->name))
        return arena_string(arena, task->annotations->name);
    if (task->slot == 0)
        return arena_format(arena, "%s.%s.%s", service_name(task), task->node_id, task->id);
    return arena_format(arena, "%s.%llu.%s", service_name(task), (unsigned long long)task->slot, task->id);
}

const ContainerSpec *container_spec(const Task *task)
{
    bool has_one = task->spec && task->spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    return has_one ? task->spec->container : NULL;
}

const char *container_image_name(const Task *task, struct arena *arena)
{
    const ContainerSpec *spec = container_spec(task);
    const char *text = spec ? spec->image : "";
    struct image_reference reference;
    struct error ignored = {0};
    if (strlen(text) >= IMAGE_NAME_SIZE_CHARS || image_reference_parse(text, &reference, &ignored) < 0)
        return arena_string_n(arena, text, strnlen(text, IMAGE_NAME_SIZE_CHARS));
    cleanup_free char *familiar = image_reference_familiar(&reference);
    return arena_string(arena, familiar);
}

int64_t container_stop_grace_ms(const Task *task)
{
    const ContainerSpec *spec = container_spec(task);
    const Google__Protobuf__Duration *grace = spec ? spec->stop_grace_period : NULL;
    if (!grace)
        return TASK_STOP_GRACE_MS;
    if (grace->seconds < 0 || grace->nanos < 0)
        return 0;
    if (grace->seconds >= TASK_STOP_GRACE_MAX_MS / 1000)
        return TASK_STOP_GRACE_MAX_MS;
    return grace->seconds * 1000 + grace->nanos / 1000000;
}

void container_template_context(const Task *task, const struct container_node *node, struct arena *arena, struct template_context *out)
{
    *out = (struct template_context){.service_id = task->service_id,
                                     .service_name = service_name(task),
                                     .node_id = node->id,
                                     .node_hostname = node->hostname,
                                     .node_architecture = node->architecture,
                                     .node_os = node->os,
                                     .task_id = task->id,
                                     .task_name = container_name(task, arena),
                                     .task_slot = task->slot ? arena_format(arena, "%llu", (unsigned long long)task->slot) : task->node_id};
    if (!task->service_annotations)
        return;
    size_t count = task->service_annotations->n_labels;
    struct template_pair *labels = arena_alloc(arena, (count + 1) * sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (struct template_pair){task->service_annotations->labels[i]->key, task->service_annotations->labels[i]->value};
    out->service_labels = labels;
    out->service_label_count = count;
}

int container_expand(struct container_build *build, const char *text, const char *field, const char **out, struct error *err)
{
    cleanup_buf struct buf expanded = {0};
    int result = template_expand(bytes_of_string(text), &build->placeholders, &expanded, err);
    if (result < 0)
        return error_wrap(err, "%s", field);
    if (expanded.size > 0 && memchr(expanded.data, 0, expanded.size))
        return error_set(err, ERR_INVALID, "%s: a zero byte", field);
    *out = arena_string_n(&build->arena, (const char *)expanded.data, expanded.size);
    return 0;
}

/* --- names --- */

static void set_label(cJSON *labels, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(labels, key);
    json_add_string(labels, key, value ? value : "");
}

/* Each is looked for among those before it, so their number is judged first. The document's own limit holds for what becomes of them. */
static int check_counts(const struct container_build *build, struct error *err)
{
    const Task *task = build->task;
    size_t labels = build->spec->n_labels + (task->annotations ? task->annotations->n_labels : 0) +
                    (build->image ? build->image->config.label_count : 0);
    if (labels > CONTAINER_LIST_COUNT)
        return error_set(err, ERR_LIMIT, "labels: %zu of them, at most %d", labels, CONTAINER_LIST_COUNT);
    if (build->spec->n_sysctls > CONTAINER_LIST_COUNT)
        return error_set(err, ERR_LIMIT, "sysctls: %zu of them, at most %d", build->spec->n_sysctls, CONTAINER_LIST_COUNT);
    return 0;
}

static void add_labels(struct container_build *build, cJSON *skep)
{
    const Task *task = build->task;
    cJSON *labels = cJSON_AddObjectToObject(skep, "Labels");
    for (size_t i = 0; build->image && i < build->image->config.label_count; i++)
        set_label(labels, build->image->config.labels[i].key, build->image->config.labels[i].value);
    for (size_t i = 0; i < build->spec->n_labels; i++)
        set_label(labels, build->spec->labels[i]->key, build->spec->labels[i]->value);
    for (size_t i = 0; task->annotations && i < task->annotations->n_labels; i++)
        set_label(labels, task->annotations->labels[i]->key, task->annotations->labels[i]->value);
    set_label(labels, "com.docker.swarm.task", "");
    set_label(labels, CONTAINER_LABEL_TASK, task->id);
    set_label(labels, "com.docker.swarm.task.name", build->placeholders.task_name);
    set_label(labels, "com.docker.swarm.node.id", task->node_id);
    set_label(labels, "com.docker.swarm.service.id", task->service_id);
    set_label(labels, "com.docker.swarm.service.name", service_name(task));
}

/* --- limits and privileges --- */

static void add_limits(const TaskSpec *spec, cJSON *json)
{
    const Docker__Swarmkit__V1__ResourceRequirements *resources = spec->resources;
    const Docker__Swarmkit__V1__Resources *limits = resources ? resources->limits : NULL;
    int64_t memory = limits && limits->memory_bytes > 0 ? limits->memory_bytes : 0;
    if (memory > 0)
        json_add_int(json, "MemoryBytes", memory);
    if (memory > 0 && resources->swap_bytes) {
        int64_t swap = resources->swap_bytes->value;
        json_add_int(json, "MemorySwapBytes", swap < 0 ? -1 : swap > INT64_MAX - memory ? INT64_MAX : memory + swap);
    }
    if (resources && resources->memory_swappiness)
        json_add_int(json, "MemorySwappiness", resources->memory_swappiness->value);
    if (limits && limits->nano_cpus > 0)
        json_add_int(json, "CpuNano", limits->nano_cpus);
}

static int add_privileges(const ContainerSpec *spec, cJSON *json, struct error *err)
{
    const Docker__Swarmkit__V1__Privileges *privileges = spec->privileges;
    if (!privileges)
        return 0;
    cJSON_AddBoolToObject(json, "NoNewPrivileges", privileges->no_new_privileges != 0);
    const Docker__Swarmkit__V1__Privileges__SeccompOpts *seccomp = privileges->seccomp;
    if (!seccomp || seccomp->mode == DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__DEFAULT)
        return 0;
    if (seccomp->mode == DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__UNCONFINED) {
        json_add_string(json, "Seccomp", "unconfined");
        return 0;
    }
    cJSON *profile = NULL;
    if (json_parse(bytes_of(seccomp->profile.data, seccomp->profile.len), CONTAINER_DOCUMENT_SIZE_BYTES, &profile, err) < 0)
        return error_wrap(err, "privileges.seccomp.profile");
    cJSON_AddItemToObject(json, "Seccomp", profile);
    return 0;
}

static int add_ulimits(const ContainerSpec *spec, cJSON *json, struct error *err)
{
    if (spec->n_ulimits == 0)
        return 0;
    cJSON *ulimits = cJSON_AddArrayToObject(json, "Ulimits");
    for (size_t i = 0; i < spec->n_ulimits; i++) {
        const Docker__Swarmkit__V1__ContainerSpec__Ulimit *ulimit = spec->ulimits[i];
        if (text_empty(ulimit->name))
            return error_set(err, ERR_INVALID, "ulimits[%zu]: it has no name", i);
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(ulimits, entry);
        json_add_string(entry, "Name", ulimit->name);
        json_add_int(entry, "Soft", ulimit->soft);
        json_add_int(entry, "Hard", ulimit->hard);
    }
    return 0;
}

static int add_linux(const struct container_build *build, cJSON *skep, struct error *err)
{
    const ContainerSpec *spec = build->spec;
    cJSON *json = cJSON_AddObjectToObject(skep, "Linux");
    add_limits(build->task->spec, json);
    if (spec->pidslimit > 0)
        json_add_int(json, "PidsLimit", spec->pidslimit);
    if (spec->n_capability_add)
        json_add_strings(json, "CapabilitiesAdd", spec->capability_add, spec->n_capability_add);
    if (spec->n_capability_drop)
        json_add_strings(json, "CapabilitiesDrop", spec->capability_drop, spec->n_capability_drop);
    if (spec->n_groups)
        json_add_strings(json, "Groups", spec->groups, spec->n_groups);
    cJSON_AddBoolToObject(json, "ReadOnlyRoot", spec->read_only != 0);
    cJSON_AddBoolToObject(json, "Init", spec->init && spec->init->value);
    if (spec->oom_score_adj)
        json_add_int(json, "OomScoreAdj", spec->oom_score_adj);
    cJSON *sysctls = spec->n_sysctls ? cJSON_AddObjectToObject(json, "Sysctls") : NULL;
    for (size_t i = 0; i < spec->n_sysctls; i++)
        set_label(sysctls, spec->sysctls[i]->key, spec->sysctls[i]->value);
    int result = add_ulimits(spec, json, err);
    return result == 0 ? add_privileges(spec, json, err) : result;
}

/* --- Windows --- */

/* Where a group managed service account's credential spec is, in Docker's words; a config's content takes the place of its name before the
 * container is made: task_files.h. */
static int add_credential_spec(const struct container_build *build, cJSON *skep, struct error *err)
{
    const Docker__Swarmkit__V1__Privileges *privileges = build->spec->privileges;
    const Docker__Swarmkit__V1__Privileges__CredentialSpec *spec = privileges ? privileges->credential_spec : NULL;
    const char *scheme, *where;

    if (!spec || spec->source_case == DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE__NOT_SET)
        return 0;
    if (!container_is_for_windows(build))
        return error_set(err, ERR_UNSUPPORTED,
                         "privileges.credential_spec: credential specs are for containers of Windows, and this node runs those of Linux; "
                         "place the service with the constraint node.platform.os==windows");
    switch (spec->source_case) {
    case DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_FILE:
        scheme = "file://", where = spec->file;
        break;
    case DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_REGISTRY:
        scheme = "registry://", where = spec->registry;
        break;
    default:
        scheme = "config://", where = spec->config;
        break;
    }
    cJSON *windows = cJSON_GetObjectItemCaseSensitive(skep, "Windows");
    windows = windows ? windows : cJSON_AddObjectToObject(skep, "Windows");
    cleanup_free char *text = mem_format("%s%s", scheme, where);
    json_add_string(windows, "CredentialSpec", text);
    return 0;
}

/* --- network --- */

static bool is_predefined(const Docker__Swarmkit__V1__Network *network)
{
    const Docker__Swarmkit__V1__Annotations *annotations = network && network->spec ? network->spec->annotations : NULL;
    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (text_equal(annotations->labels[i]->key, "com.docker.swarm.predefined"))
            return text_equal(annotations->labels[i]->value, "true");
    return false;
}

/* The local network that the task is on. Those of the swarm (overlay, ingress) are not here: the node does not offer their driver, and a
 * manager places their tasks elsewhere. */
static int find_mode(const Task *task, const char **out, struct error *err)
{
    *out = "bridge";
    for (size_t i = 0; i < task->n_networks; i++) {
        const Docker__Swarmkit__V1__Network *network = task->networks[i]->network;
        const char *name = network && network->spec && network->spec->annotations ? network->spec->annotations->name : "";
        bool is_here = strcmp(name, "host") == 0 || strcmp(name, "none") == 0 || strcmp(name, "bridge") == 0;
        if (!is_predefined(network) || !is_here)
            return error_set(err, ERR_UNSUPPORTED,
                             "network %s: this node has only the networks host, none and bridge: it cannot take part in the swarm's own "
                             "(publish ports with mode=host)",
                             text_empty(name) ? "without a name" : name);
        if (i > 0)
            return error_set(err, ERR_UNSUPPORTED, "network %s: this node attaches a task to one network only", name);
        *out = name;
    }
    return 0;
}

static int add_ports(const Task *task, cJSON *network, struct error *err)
{
    if (!task->endpoint)
        return 0;
    if (task->endpoint->n_ports > CONTAINER_PORTS_COUNT)
        return error_set(err, ERR_LIMIT, "ports: more than %d", CONTAINER_PORTS_COUNT);
    cJSON *ports = cJSON_AddArrayToObject(network, "Ports");
    for (size_t i = 0; i < task->endpoint->n_ports; i++) {
        const Docker__Swarmkit__V1__PortConfig *port = task->endpoint->ports[i];
        if (port->publish_mode != DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__HOST)
            continue;
        if (port->protocol != DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__TCP &&
            port->protocol != DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP)
            return error_set(err, ERR_UNSUPPORTED, "ports[%zu]: only tcp and udp are published on this node", i);
        if (port->target_port == 0 || port->target_port > UINT16_MAX || port->published_port > UINT16_MAX)
            return error_set(err, ERR_INVALID, "ports[%zu]: invalid port: %u:%u", i, port->published_port, port->target_port);
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(ports, entry);
        json_add_string(entry, "Protocol", port->protocol == DOCKER__SWARMKIT__V1__PORT_CONFIG__PROTOCOL__UDP ? "udp" : "tcp");
        json_add_int(entry, "TargetPort", port->target_port);
        json_add_int(entry, "PublishedPort", port->published_port);
    }
    return 0;
}

/* "10.0.0.1 db db.local" as "db:10.0.0.1": the first name only, as dockerd does. */
static int add_hosts(struct container_build *build, cJSON *network, struct error *err)
{
    if (build->spec->n_hosts == 0)
        return 0;
    cJSON *hosts = cJSON_AddArrayToObject(network, "Hosts");
    for (size_t i = 0; i < build->spec->n_hosts; i++) {
        const char *entry = build->spec->hosts[i] + strspn(build->spec->hosts[i], " \t");
        size_t ip_size = strcspn(entry, " \t");
        const char *name = entry + ip_size + strspn(entry + ip_size, " \t");
        size_t name_size = strcspn(name, " \t");
        if (ip_size == 0 || name_size == 0)
            return error_set(err, ERR_INVALID, "hosts[%zu]: not \"IP name\": \"%s\"", i, build->spec->hosts[i]);
        const char *text = arena_format(&build->arena, "%.*s:%.*s", (int)name_size, name, (int)ip_size, entry);
        cJSON_AddItemToArray(hosts, cJSON_CreateString(text));
    }
    return 0;
}

static int add_network(struct container_build *build, cJSON *skep, struct error *err)
{
    const char *mode = NULL;
    int result = find_mode(build->task, &mode, err);
    if (result < 0)
        return result;
    cJSON *network = cJSON_AddObjectToObject(skep, "Network");
    json_add_string(network, "Mode", mode);
    if (strcmp(mode, "bridge") == 0 && (result = add_ports(build->task, network, err)) < 0)
        return result;
    const Docker__Swarmkit__V1__ContainerSpec__DNSConfig *dns = build->spec->dns_config;
    if (dns) {
        cJSON *json = cJSON_AddObjectToObject(network, "Dns");
        json_add_strings(json, "Nameservers", dns->nameservers, dns->n_nameservers);
        json_add_strings(json, "Search", dns->search, dns->n_search);
        json_add_strings(json, "Options", dns->options, dns->n_options);
    }
    return add_hosts(build, network, err);
}

/* --- log --- */

/* "10m", "1g", "512" as Docker's units: powers of 1024. */
static int parse_size(const char *text, int64_t *out, struct error *err)
{
    char *end = NULL;
    long long n = strtoll(text, &end, 10);
    int shift = *end == 'k' || *end == 'K' ? 10 : *end == 'm' || *end == 'M' ? 20 : *end == 'g' || *end == 'G' ? 30 : 0;
    const char *rest = shift ? end + 1 : end;
    if (*rest == 'b' || *rest == 'B')
        rest++;
    if (end == text || *rest != '\0' || n <= 0 || n > (INT64_MAX >> 31))
        return error_set(err, ERR_INVALID, "log_driver: max-size: invalid size: '%s'", text);
    *out = n << shift;
    return 0;
}

static int add_log_option(cJSON *log, const char *key, const char *value, struct error *err)
{
    static const char *const harmless[] = {"labels", "labels-regex", "env", "env-regex", "tag", "compress", "mode", "max-buffer-size"};
    int64_t number = 0;
    if (strcmp(key, "max-size") == 0) {
        if (parse_size(value, &number, err) < 0)
            return ERR_INVALID;
        json_add_int(log, "MaxSizeBytes", number);
        return 0;
    }
    if (strcmp(key, "max-file") == 0) {
        if (text_parse_i64(value, 1, 100, &number, err) < 0)
            return error_wrap(err, "log_driver: max-file");
        json_add_int(log, "MaxFiles", number);
        return 0;
    }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(key, harmless[i]) == 0)
            return 0;
    return error_set(err, ERR_INVALID, "unknown log opt '%s' for json-file log driver", key);
}

static int add_log(const Task *task, cJSON *skep, struct error *err)
{
    const Docker__Swarmkit__V1__Driver *driver = task->log_driver ? task->log_driver : task->spec->log_driver;
    if (!driver || text_empty(driver->name))
        return 0;
    bool is_none = strcmp(driver->name, "none") == 0;
    if (!is_none && strcmp(driver->name, "json-file") != 0 && strcmp(driver->name, "local") != 0)
        return error_set(err, ERR_UNSUPPORTED, "logger: no log driver named '%s' is registered", driver->name);
    cJSON *log = cJSON_AddObjectToObject(skep, "Log");
    json_add_string(log, "Driver", is_none ? "none" : "json-file");
    int result = 0;
    for (size_t i = 0; !is_none && result == 0 && i < driver->n_options; i++)
        result = add_log_option(log, driver->options[i]->key, driver->options[i]->value, err);
    return result;
}

/* --- the whole --- */

static int add_health(const struct container_build *build, cJSON *skep, struct error *err)
{
    const struct image_config *config = build->image ? &build->image->config : NULL;
    cJSON *health = NULL;
    int result = health_document(build->spec->healthcheck, config ? &config->healthcheck : NULL, config ? config->shell.items : NULL,
                                 config ? config->shell.count : 0, &health, err);
    if (health)
        cJSON_AddItemToObject(skep, "Health", health);
    return result;
}

static int add_container(struct container_build *build, cJSON *document, struct error *err)
{
    const char *hostname = NULL;
    int result = container_expand(build, build->spec->hostname, "hostname", &hostname, err);
    if (result < 0)
        return result;
    cJSON *container = cJSON_AddObjectToObject(document, "Container");
    if (hostname[0])
        json_add_string(cJSON_AddObjectToObject(container, "GuestOs"), "HostName", hostname);
    cJSON *layers = cJSON_AddArrayToObject(cJSON_AddObjectToObject(container, "Storage"), "Layers");
    for (size_t i = 0; build->image && i < build->image->layer_count; i++) {
        const struct image_layer *layer = &build->image->layers[i];
        if (!layer->path)
            return error_set(err, ERR_UNSUPPORTED, "image %s is for another operating system", build->image->id);
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(layers, entry);
        json_add_string(entry, "Id", layer->id);
        json_add_string(entry, "Path", layer->path);
    }
    return 0;
}

bool container_is_for_windows(const struct container_build *build)
{
    return text_equal(build->facts->node->os, "windows");
}

static void add_identity(struct container_build *build, cJSON *skep)
{
    if (container_is_for_windows(build))
        json_add_string(skep, "Os", "windows");
    json_add_string(skep, "Name", build->placeholders.task_name);
    add_labels(build, skep);
    cJSON *image = cJSON_AddObjectToObject(skep, "Image");
    json_add_string(image, "Reference", container_image_name(build->task, &build->arena));
    json_add_string(image, "Id", build->image ? build->image->id : "");
    if (container_is_for_windows(build) && build->image && !text_empty(build->image->os_version))
        json_add_string(image, "OsVersion", build->image->os_version);
    json_add_string(skep, "Isolation", isolation_name(build->facts->isolation));
    json_add_int(skep, "CreatedWallNs", build->facts->created_wall_ns);
    const char *image_signal = build->image ? build->image->config.stop_signal : NULL;
    const char *signal = text_empty(build->spec->stop_signal) ? image_signal : build->spec->stop_signal;
    if (!text_empty(signal))
        json_add_string(skep, "StopSignal", signal);
    json_add_int(skep, "StopGraceNs", container_stop_grace_ms(build->task) * (int64_t)NS_PER_MS);
}

static int check_runtime(const Task *task, struct error *err)
{
    if (!task->spec)
        return error_set(err, ERR_INVALID, "the task has no spec");
    switch (task->spec->runtime_case) {
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER:
        return text_empty(task->spec->container->image) ? error_set(err, ERR_INVALID, "dockerexec: image required") : 0;
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_ATTACHMENT:
        return error_set(err, ERR_UNSUPPORTED, "unsupported runtime type: \"attachment\"");
    case DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_GENERIC:
        return error_set(err, ERR_UNSUPPORTED, "unsupported runtime type: \"%s\"", task->spec->generic->kind);
    default:
        return error_set(err, ERR_UNSUPPORTED, "unsupported runtime: the task's spec has none");
    }
}

static int add_parts(struct container_build *build, cJSON *document, struct error *err)
{
    static int (*const parts[])(struct container_build *, cJSON *, struct error *) = {
        container_add_process,
        container_add_mounts,
        container_add_files,
        add_network,
    };
    int result = add_container(build, document, err);
    cJSON *skep = cJSON_AddObjectToObject(document, "Skep");
    add_identity(build, skep);
    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof parts[0]; i++)
        result = parts[i](build, skep, err);
    if (result == 0)
        result = add_linux(build, skep, err);
    if (result == 0)
        result = add_credential_spec(build, skep, err);
    if (result == 0)
        result = add_log(build->task, skep, err);
    return result == 0 ? add_health(build, skep, err) : result;
}

/* As whoever reads it from text would have it: large numbers stand in what was built as raw text. */
static int normalise(cJSON **document, struct error *err)
{
    cleanup_free char *text = json_print(*document);
    cJSON_Delete(steal(document));
    return json_parse(bytes_of_string(text), CONTAINER_DOCUMENT_SIZE_BYTES, document, err);
}

static int build_document(const Task *task, const struct image *image, const struct container_facts *facts, cJSON **out, struct error *err)
{
    int result = check_runtime(task, err);
    if (result < 0)
        return result;
    struct container_build build = {.task = task, .spec = task->spec->container, .image = image, .facts = facts};
    result = check_counts(&build, err);
    if (result < 0)
        return result;
    container_template_context(task, facts->node, &build.arena, &build.placeholders);
    cJSON *document = cJSON_CreateObject();
    json_add_string(document, "Owner", CONTAINER_OWNER);
    cJSON *version = cJSON_AddObjectToObject(document, "SchemaVersion");
    json_add_int(version, "Major", 2);
    json_add_int(version, "Minor", 1);
    cJSON_AddBoolToObject(document, "ShouldTerminateOnLastHandleClosed", false);
    result = add_parts(&build, document, err);
    arena_deinit(&build.arena);
    if (result == 0)
        result = normalise(&document, err);
    if (result < 0)
        cJSON_Delete(document);
    else
        *out = document;
    return result;
}

int container_document(const Task *task, const struct image *image, const struct container_facts *facts, cJSON **out, struct error *err)
{
    return build_document(task, image, facts, out, err);
}

int container_check(const Task *task, const struct container_node *node, struct error *err)
{
    const struct container_facts facts = {.node = node, .container_id = "", .isolation = ISOLATION_DEFAULT};
    cleanup_json cJSON *document = NULL;
    return build_document(task, NULL, &facts, &document, err);
}
