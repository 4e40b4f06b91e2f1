/* api/swarm/list_filters.c – see list_filters.h. */
#include "api/swarm/list_filters.h"

#include <string.h>
#include <strings.h>

#include "api/swarm/json_task.h"
#include "api/swarm/shape.h"
#include "base/text.h"

/* A key of Docker's that is a list of texts in the message. */
struct text_key {
    const char *key, *field;
};

static size_t count_of(const struct filters *filters, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < filters->count; i++)
        count += strcmp(filters->items[i].key, key) == 0;
    return count;
}

static void set_list(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *items, size_t count)
{
    memcpy((char *)message + field->offset, &items, sizeof items);
    memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
}

static void set_texts(ProtobufCMessage *message, const char *field, const struct filters *filters, const char *key, struct arena *arena)
{
    size_t count = count_of(filters, key), kept = 0;
    const char **texts = arena_alloc(arena, count * sizeof *texts);
    for (size_t i = 0; i < filters->count; i++)
        if (strcmp(filters->items[i].key, key) == 0)
            texts[kept++] = filters->items[i].value;
    set_list(message, shape_field(message->descriptor, field), texts, kept);
}

static bool same_key(const ProtobufCMessage *entry, const char *key, size_t length)
{
    const char *have;
    memcpy(&have, (const char *)entry + entry->descriptor->fields[0].offset, sizeof have);
    return strlen(have) == length && memcmp(have, key, length) == 0;
}

/* "k=v" and "k" into a map; of two values for one key the last counts. */
static void set_labels(ProtobufCMessage *message, const char *name, const struct filters *filters, const char *key, struct arena *arena)
{
    const ProtobufCFieldDescriptor *field = shape_field(message->descriptor, name);
    const ProtobufCMessageDescriptor *descriptor = field->descriptor;
    ProtobufCMessage **entries = arena_alloc(arena, count_of(filters, key) * sizeof *entries);
    size_t kept = 0;
    for (size_t i = 0; i < filters->count; i++) {
        if (strcmp(filters->items[i].key, key) != 0)
            continue;
        const char *text = filters->items[i].value, *equals = strchr(text, '=');
        size_t length = equals ? (size_t)(equals - text) : strlen(text), at = 0;
        const char *pair[] = {arena_string_n(arena, text, length), equals ? equals + 1 : ""};
        while (at < kept && !same_key(entries[at], text, length))
            at++;
        if (at == kept)
            entries[kept++] = shape_new(descriptor, arena);
        for (unsigned part = 0; part < 2; part++)
            memcpy((char *)entries[at] + descriptor->fields[part].offset, &pair[part], sizeof pair[part]);
    }
    set_list(message, field, entries, kept);
}

/* @known and @keys end with NULL; a message with a "labels" field takes the labels. */
static int read(const char *text, const char *const *known, const struct text_key *keys, struct arena *arena, struct filters *filters,
                ProtobufCMessage *message, struct error *err)
{
    int rc = filters_parse(text, known, arena, filters, err);
    if (rc < 0)
        return rc;
    for (; keys->key; keys++)
        set_texts(message, keys->field, filters, keys->key, arena);
    set_labels(message, "labels", filters, "label", arena);
    return 0;
}

static const struct text_key names_and_ids[] = {{"name", "name_prefixes"}, {"id", "id_prefixes"}, {0}};

/* Each value of @key as its number in @names. An empty one is no filter. */
static int set_numbers(ProtobufCMessage *message, const char *name, const struct filters *filters, const char *key,
                       const struct shape_name *names, struct arena *arena, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    int *numbers = arena_alloc(arena, count_of(filters, key) * sizeof *numbers);
    size_t kept = 0;
    for (size_t i = 0; i < filters->count; i++) {
        const char *text = filters->items[i].value;
        if (strcmp(filters->items[i].key, key) != 0 || *text == '\0')
            continue;
        const struct shape_name *found = names;
        while (found->text && strcasecmp(found->text, text) != 0)
            found++;
        if (found->text == NULL)
            return error_set(err, ERR_INVALID, "Invalid %s filter: '%s'", key, shape_quote(text, quoted));
        numbers[kept++] = found->value;
    }
    set_list(message, shape_field(message->descriptor, name), numbers, kept);
    return 0;
}

/* --- nodes --- */

int swarm_node_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListNodesRequest__Filters **out, struct error *err)
{
    static const char *const known[] = {"id", "label", "membership", "name", "node.label", "role", NULL};
    static const struct shape_name roles[] = {
        {"worker", DOCKER__SWARMKIT__V1__NODE_ROLE__WORKER}, {"manager", DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER}, {0}};
    static const struct shape_name memberships[] = {{"pending", DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__PENDING},
                                                    {"accepted", DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED},
                                                    {0}};
    Docker__Swarmkit__V1__ListNodesRequest__Filters *made =
        shape_new(&docker__swarmkit__v1__list_nodes_request__filters__descriptor, arena);
    struct filters filters;
    int rc = read(text, known, names_and_ids, arena, &filters, &made->base, err);
    if (rc < 0 || (rc = set_numbers(&made->base, "roles", &filters, "role", roles, arena, err)) < 0 ||
        (rc = set_numbers(&made->base, "memberships", &filters, "membership", memberships, arena, err)) < 0)
        return rc;
    set_labels(&made->base, "node_labels", &filters, "node.label", arena);
    *out = made;
    return 0;
}

/* --- secrets and configs --- */

int swarm_secret_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListSecretsRequest__Filters **out, struct error *err)
{
    static const char *const known[] = {"id", "label", "name", "names", NULL};
    static const struct text_key keys[] = {{"names", "names"}, {"name", "name_prefixes"}, {"id", "id_prefixes"}, {0}};
    *out = shape_new(&docker__swarmkit__v1__list_secrets_request__filters__descriptor, arena);
    struct filters filters;
    return read(text, known, keys, arena, &filters, &(*out)->base, err);
}

int swarm_config_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListConfigsRequest__Filters **out, struct error *err)
{
    static const char *const known[] = {"id", "label", "name", NULL};
    *out = shape_new(&docker__swarmkit__v1__list_configs_request__filters__descriptor, arena);
    struct filters filters;
    return read(text, known, names_and_ids, arena, &filters, &(*out)->base, err);
}

/* --- tasks --- */

int swarm_task_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListTasksRequest__Filters **out, struct error *err)
{
    static const char *const known[] = {"_up-to-date", "desired-state", "id", "label", "name", "node", "runtime", "service", NULL};
    static const struct text_key keys[] = {{"name", "name_prefixes"}, {"id", "id_prefixes"},   {"service", "service_ids"},
                                           {"node", "node_ids"},      {"runtime", "runtimes"}, {0}};
    Docker__Swarmkit__V1__ListTasksRequest__Filters *made =
        shape_new(&docker__swarmkit__v1__list_tasks_request__filters__descriptor, arena);
    struct filters filters;
    int rc = read(text, known, keys, arena, &filters, &made->base, err);
    if (rc < 0 || (rc = set_numbers(&made->base, "desired_states", &filters, "desired-state", swarm_task_states, arena, err)) < 0)
        return rc;
    made->up_to_date = filters_have(&filters, "_up-to-date");
    if (!filters_have(&filters, "runtime")) {
        made->runtimes = arena_alloc(arena, 2 * sizeof *made->runtimes);
        made->runtimes[made->n_runtimes++] = arena_string(arena, "container");
        made->runtimes[made->n_runtimes++] = arena_string(arena, ""); /* tasks of old services say nothing */
    }
    *out = made;
    return 0;
}

/* --- services --- */

int swarm_service_filters(const char *text, struct arena *arena, Docker__Swarmkit__V1__ListServicesRequest__Filters **out,
                          struct filters *all, struct error *err)
{
    static const char *const known[] = {"id", "label", "mode", "name", "runtime", NULL};
    static const struct text_key keys[] = {{"name", "name_prefixes"}, {"id", "id_prefixes"}, {"runtime", "runtimes"}, {0}};
    Docker__Swarmkit__V1__ListServicesRequest__Filters *made =
        shape_new(&docker__swarmkit__v1__list_services_request__filters__descriptor, arena);
    int rc = read(text, known, keys, arena, all, &made->base, err);
    if (rc < 0)
        return rc;
    if (!filters_have(all, "runtime")) {
        made->runtimes = arena_alloc(arena, sizeof *made->runtimes);
        made->runtimes[made->n_runtimes++] = arena_string(arena, "container");
    }
    *out = made;
    return 0;
}

static const char *mode_of(const Docker__Swarmkit__V1__Service *service)
{
    switch (service->spec ? service->spec->mode_case : DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE__NOT_SET) {
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED:
        return "replicated";
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL:
        return "global";
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB:
        return "replicated-job";
    case DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB:
        return "global-job";
    default:
        return "";
    }
}

bool swarm_service_has_mode(const Docker__Swarmkit__V1__Service *service, const struct filters *all)
{
    return filters_allow_exactly(all, "mode", mode_of(service));
}

/* --- networks --- */

static int check_values(const struct filters *filters, const char *key, const char *const *allowed, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    for (size_t i = 0; i < filters->count; i++) {
        if (strcmp(filters->items[i].key, key) != 0)
            continue;
        const char *const *value = allowed;
        while (*value && strcmp(*value, filters->items[i].value) != 0)
            value++;
        if (*value == NULL)
            return error_set(err, ERR_INVALID, "invalid filter: '%s'='%s'", key, shape_quote(filters->items[i].value, quoted));
    }
    return 0;
}

int swarm_network_filters(const char *text, struct arena *arena, struct filters *all, struct error *err)
{
    static const char *const known[] = {"dangling", "driver", "id", "label", "name", "scope", "type", NULL};
    static const char *const kinds[] = {"builtin", "custom", NULL}, *const truths[] = {"0", "1", "false", "true", NULL};
    int rc = filters_parse(text, known, arena, all, err);
    if (rc == 0)
        rc = check_values(all, "type", kinds, err);
    return rc == 0 ? check_values(all, "dangling", truths, err) : rc;
}

static bool matches_name(const void *subject, const char *value)
{
    return filters_match_name(value, subject);
}

static bool matches_label(const Docker__Swarmkit__V1__Annotations *annotations, const char *value)
{
    const char *equals = strchr(value, '=');
    size_t length = equals ? (size_t)(equals - value) : strlen(value);
    for (size_t i = 0; annotations && i < annotations->n_labels; i++) {
        const char *key = annotations->labels[i]->key;
        if (strlen(key) == length && memcmp(key, value, length) == 0)
            return equals == NULL || text_equal(annotations->labels[i]->value, equals + 1);
    }
    return false;
}

/* All of them, not any: so has Docker labels. */
static bool matches_labels(const Docker__Swarmkit__V1__Annotations *annotations, const struct filters *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].key, "label") == 0 && !matches_label(annotations, all->items[i].value))
            return false;
    return true;
}

bool swarm_network_matches(const Docker__Swarmkit__V1__Network *network, const struct filters *all)
{
    const Docker__Swarmkit__V1__Annotations *annotations = network->spec ? network->spec->annotations : NULL;
    const char *driver = network->driver_state ? network->driver_state->name : "";
    return filters_allow_exactly(all, "driver", driver) && filters_allow_exactly(all, "scope", "swarm") &&
           filters_allow_exactly(all, "type", "custom") && filters_allow(all, "name", matches_name, annotations ? annotations->name : "") &&
           filters_allow(all, "id", matches_name, network->id) && matches_labels(annotations, all);
}
