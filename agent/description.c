/* A NodeDescription built in an arena, in one fixed order, so that two of the same content have the same bytes. */
#include "agent/description.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/isolation.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/swarmkit/types.pb-c.h"
#include "runtime/hcs.h"

typedef Docker__Swarmkit__V1__NodeDescription Description;
typedef Docker__Swarmkit__V1__EngineDescription Engine;
typedef Docker__Swarmkit__V1__EngineDescription__LabelsEntry Label;
typedef Docker__Swarmkit__V1__PluginDescription Plugin;
typedef Docker__Swarmkit__V1__NodeTLSInfo TlsInfo;

#define OWN_LABELS_COUNT 5
#define OWN_LABEL_PREFIX "skep."

/* In SwarmKit's order: type, then name. No overlay: the manager then keeps tasks on overlay networks away, and schedules by it. */
static const struct {
    const char *os, *type, *name;
} plugins[] = {
    {"linux", "Log", "json-file"}, {"linux", "Network", "bridge"}, {"linux", "Network", "host"},
    {"linux", "Network", "null"},  {"linux", "Volume", "local"},   {"windows", "Log", "json-file"},
    {"windows", "Network", "nat"}, {"windows", "Network", "null"}, {"windows", "Volume", "local"},
};
#define PLUGINS_COUNT (sizeof plugins / sizeof plugins[0])

void host_facts_pretend(struct host_facts *facts, const struct hcs_host *host)
{
    const char *version = host->os_version ? host->os_version : "";

    if (!text_equal(host->back_end, "emulated"))
        return;
    (void)snprintf(facts->os, sizeof facts->os, "%s", host->os);
    (void)snprintf(facts->os_build, sizeof facts->os_build, "%s", text_starts(version, "10.0.") ? version + strlen("10.0.") : version);
    if (!text_equal(isolation_architecture_normal(facts->architecture), isolation_architecture_normal(host->architecture)))
        (void)snprintf(facts->architecture, sizeof facts->architecture, "%s",
                       text_equal(host->architecture, "arm64")   ? "aarch64"
                       : text_equal(host->architecture, "amd64") ? "x86_64"
                                                                 : host->architecture);
}

/* Labels. */

static void put_label(Engine *engine, struct arena *arena, const char *key, const char *value)
{
    Label *label = NULL;

    for (size_t i = 0; i < engine->n_labels; i++)
        if (strcmp(engine->labels[i]->key, key) == 0)
            label = engine->labels[i];
    if (!label) {
        label = arena_alloc(arena, sizeof *label);
        docker__swarmkit__v1__engine_description__labels_entry__init(label);
        label->key = arena_string(arena, key);
        engine->labels[engine->n_labels++] = label;
    }
    label->value = arena_string(arena, value);
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp((*(Label *const *)a)->key, (*(Label *const *)b)->key);
}

static void add_operators_labels(Engine *engine, struct arena *arena, const struct description_inputs *in)
{
    for (size_t i = 0; i < in->label_count; i++) {
        int length = text_key_length(in->labels[i]);
        if (length > 0 && !text_starts(in->labels[i], OWN_LABEL_PREFIX))
            put_label(engine, arena, arena_string_n(arena, in->labels[i], (size_t)length), in->labels[i] + length + 1);
    }
}

static void add_labels(Engine *engine, struct arena *arena, const struct description_inputs *in)
{
    engine->labels = arena_alloc(arena, (in->label_count + OWN_LABELS_COUNT) * sizeof(Label *));
    add_operators_labels(engine, arena, in);
    put_label(engine, arena, "skep.version", SKEP_VERSION);
    put_label(engine, arena, "skep.isolation.process", in->has_process ? "true" : "false");
    put_label(engine, arena, "skep.isolation.hyperv", in->has_hyperv ? "true" : "false");
    put_label(engine, arena, "skep.isolation.default", in->default_isolation);
    if (in->host->os_build[0])
        put_label(engine, arena, "skep.os.build", in->host->os_build);
    qsort((void *)engine->labels, engine->n_labels, sizeof(Label *), compare_labels);
}

static void add_plugins(Engine *engine, struct arena *arena, const char *os)
{
    engine->plugins = arena_alloc(arena, PLUGINS_COUNT * sizeof(Plugin *));
    for (size_t i = 0; i < PLUGINS_COUNT; i++) {
        if (strcmp(plugins[i].os, os) != 0)
            continue;
        Plugin *plugin = arena_alloc(arena, sizeof *plugin);
        docker__swarmkit__v1__plugin_description__init(plugin);
        plugin->type = arena_string(arena, plugins[i].type);
        plugin->name = arena_string(arena, plugins[i].name);
        engine->plugins[engine->n_plugins++] = plugin;
    }
}

static ProtobufCBinaryData copy_data(struct arena *arena, struct bytes bytes)
{
    return (ProtobufCBinaryData){bytes.size, arena_copy(arena, bytes.data, bytes.size)};
}

static TlsInfo *make_tls_info(struct arena *arena, const struct description_inputs *in)
{
    TlsInfo *info = arena_alloc(arena, sizeof *info);

    docker__swarmkit__v1__node_tlsinfo__init(info);
    info->trust_root = copy_data(arena, in->root_pem);
    info->cert_issuer_subject = copy_data(arena, in->issuer_subject_der);
    info->cert_issuer_public_key = copy_data(arena, in->issuer_public_key_der);
    return info;
}

Description *description_build(const struct description_inputs *inputs, struct arena *arena)
{
    Description *description = arena_alloc(arena, sizeof *description);
    Engine *engine = arena_alloc(arena, sizeof *engine);

    docker__swarmkit__v1__node_description__init(description);
    docker__swarmkit__v1__engine_description__init(engine);
    description->hostname = arena_string(arena, inputs->hostname);
    description->platform = arena_alloc(arena, sizeof *description->platform);
    docker__swarmkit__v1__platform__init(description->platform);
    description->platform->architecture = arena_string(arena, inputs->host->architecture);
    description->platform->os = arena_string(arena, inputs->host->os);
    description->resources = arena_alloc(arena, sizeof *description->resources);
    docker__swarmkit__v1__resources__init(description->resources);
    description->resources->nano_cpus = inputs->host->nano_cpus;
    description->resources->memory_bytes = inputs->host->memory_bytes;
    description->engine = engine;
    engine->engine_version = arena_string(arena, DESCRIPTION_ENGINE_VERSION);
    add_labels(engine, arena, inputs);
    add_plugins(engine, arena, inputs->host->os);
    if (inputs->issuer_public_key_der.size > 0)
        description->tls_info = make_tls_info(arena, inputs);
    return description;
}

bool description_equal(const Description *a, const Description *b)
{
    size_t size = docker__swarmkit__v1__node_description__get_packed_size(a);
    uint8_t *both;
    bool is_equal;

    if (size != docker__swarmkit__v1__node_description__get_packed_size(b))
        return false;
    both = mem_array(2, size + 1);
    docker__swarmkit__v1__node_description__pack(a, both);
    docker__swarmkit__v1__node_description__pack(b, both + size);
    is_equal = memcmp(both, both + size, size) == 0;
    free(both);
    return is_equal;
}
