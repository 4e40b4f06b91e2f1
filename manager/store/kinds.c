/* manager/store/kinds.c – see kinds.h. */
#include "manager/store/kinds.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

#define KEY_SIZE (2 * STORE_KEY_SIZE_BYTES)

static const struct store_kind_info infos[] = {
#define X(kind, shown, message, lower, action, snapshot, is_unique)                                                                        \
    {.name = shown,                                                                                                                        \
     .descriptor = &docker__swarmkit__v1__##lower##__descriptor,                                                                           \
     .action_field = action,                                                                                                               \
     .snapshot_field = snapshot,                                                                                                           \
     .id_offset = offsetof(Docker__Swarmkit__V1__##message, id),                                                                           \
     .meta_offset = offsetof(Docker__Swarmkit__V1__##message, meta),                                                                       \
     .has_unique_name = is_unique},
    STORE_KINDS(X)
#undef X
};

const struct store_kind_info *store_kind_info(enum store_kind kind)
{
    assert((unsigned)kind < STORE_KINDS_COUNT);
    return &infos[kind];
}

#define FIND(what, out)                                                                                                                    \
    do {                                                                                                                                   \
        for (unsigned i = 0; i < STORE_KINDS_COUNT; i++)                                                                                   \
            if (infos[i].what) {                                                                                                           \
                *(out) = (enum store_kind)i;                                                                                               \
                return true;                                                                                                               \
            }                                                                                                                              \
        return false;                                                                                                                      \
    } while (0)

bool store_kind_of_action(uint32_t field, enum store_kind *out)
{
    FIND(action_field == field, out);
}

bool store_kind_of_snapshot(uint32_t field, enum store_kind *out)
{
    FIND(snapshot_field == field, out);
}

bool store_kind_of_descriptor(const ProtobufCMessageDescriptor *descriptor, enum store_kind *out)
{
    FIND(descriptor == descriptor, out);
}

static const void *member(const ProtobufCMessage *message, size_t offset)
{
    return (const uint8_t *)message + offset;
}

const char *store_message_id(enum store_kind kind, const ProtobufCMessage *message)
{
    return *(char *const *)member(message, store_kind_info(kind)->id_offset);
}

uint64_t store_message_version(enum store_kind kind, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Meta *meta = *(Docker__Swarmkit__V1__Meta *const *)member(message, store_kind_info(kind)->meta_offset);
    return meta && meta->version ? meta->version->index : 0;
}

#define OF_SPEC(kind, type)                                                                                                                \
    case STORE_##kind: {                                                                                                                   \
        const Docker__Swarmkit__V1__##type *object = (const void *)message;                                                                \
        return object->spec ? object->spec->annotations : NULL;                                                                            \
    }
#define OF_OBJECT(kind, type)                                                                                                              \
    case STORE_##kind:                                                                                                                     \
        return ((const Docker__Swarmkit__V1__##type *)(const void *)message)->annotations;

const Docker__Swarmkit__V1__Annotations *store_message_annotations(enum store_kind kind, const ProtobufCMessage *message)
{
    switch (kind) {
        OF_SPEC(NODE, Node)
        OF_SPEC(SERVICE, Service)
        OF_SPEC(NETWORK, Network)
        OF_SPEC(CLUSTER, Cluster)
        OF_SPEC(SECRET, Secret)
        OF_SPEC(CONFIG, Config)
        OF_SPEC(VOLUME, Volume)
        OF_OBJECT(TASK, Task)
        OF_OBJECT(RESOURCE, Resource)
        OF_OBJECT(EXTENSION, Extension)
    case STORE_KINDS_COUNT:
        break;
    }
    return NULL;
}

const char *store_message_name(enum store_kind kind, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Annotations *annotations = store_message_annotations(kind, message);
    if (kind == STORE_NODE) {
        const Docker__Swarmkit__V1__Node *node = (const void *)message;
        return node->description ? node->description->hostname : "";
    }
    return annotations ? annotations->name : "";
}

void store_slot_key(const char *service_id, uint64_t slot, char out[STORE_SLOT_KEY_SIZE])
{
    snprintf(out, STORE_SLOT_KEY_SIZE, "%.64s/%" PRIu64, service_id, slot);
}

void store_fold_name(const char *name, char *out, size_t size)
{
    size_t length = 0;

    for (; name[length] && length + 1 < size; length++)
        out[length] = name[length] >= 'A' && name[length] <= 'Z' ? (char)(name[length] + ('a' - 'A')) : name[length];
    out[length] = 0;
}

/* --- keys --- */

struct teller {
    store_key_fn *fn;
    void *ctx;
};

static void tell(const struct teller *teller, enum store_by by, const char *key)
{
    if (key && key[0])
        teller->fn(teller->ctx, by, key);
}

static void tell_number(const struct teller *teller, enum store_by by, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    tell(teller, by, text);
}

static void tell_networks(const struct teller *teller, Docker__Swarmkit__V1__NetworkAttachmentConfig *const *networks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tell(teller, STORE_BY_NETWORK, networks[i]->target);
}

static void tell_container(const struct teller *teller, const Docker__Swarmkit__V1__ContainerSpec *container)
{
    const Docker__Swarmkit__V1__Privileges *privileges = container->privileges;

    for (size_t i = 0; i < container->n_secrets; i++)
        tell(teller, STORE_BY_SECRET, container->secrets[i]->secret_id);
    for (size_t i = 0; i < container->n_configs; i++)
        tell(teller, STORE_BY_CONFIG, container->configs[i]->config_id);
    if (privileges && privileges->credential_spec &&
        privileges->credential_spec->source_case == DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG)
        tell(teller, STORE_BY_CONFIG, privileges->credential_spec->config);
}

static void tell_task_spec(const struct teller *teller, const Docker__Swarmkit__V1__TaskSpec *spec)
{
    if (spec == NULL)
        return;
    tell_networks(teller, spec->networks, spec->n_networks);
    for (size_t i = 0; i < spec->n_resource_references; i++) {
        const Docker__Swarmkit__V1__ResourceReference *reference = spec->resource_references[i];
        if (reference->resource_type == DOCKER__SWARMKIT__V1__RESOURCE_TYPE__SECRET)
            tell(teller, STORE_BY_SECRET, reference->resource_id);
        else if (reference->resource_type == DOCKER__SWARMKIT__V1__RESOURCE_TYPE__CONFIG)
            tell(teller, STORE_BY_CONFIG, reference->resource_id);
    }
    if (spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && spec->container)
        tell_container(teller, spec->container);
}

static void tell_node(const struct teller *teller, const Docker__Swarmkit__V1__Node *node)
{
    tell_number(teller, STORE_BY_ROLE, node->spec ? (int)node->spec->desired_role : 0);
    tell_number(teller, STORE_BY_MEMBERSHIP, node->spec ? (int)node->spec->membership : 0);
}

static void tell_service(const struct teller *teller, const Docker__Swarmkit__V1__Service *service)
{
    if (service->spec == NULL)
        return;
    tell_networks(teller, service->spec->networks, service->spec->n_networks);
    tell_task_spec(teller, service->spec->task);
}

static void tell_task(const struct teller *teller, const Docker__Swarmkit__V1__Task *task)
{
    char slot[STORE_SLOT_KEY_SIZE];

    tell(teller, STORE_BY_SERVICE, task->service_id);
    tell(teller, STORE_BY_NODE, task->node_id);
    if (task->service_id[0]) {
        store_slot_key(task->service_id, task->slot, slot);
        tell(teller, STORE_BY_SLOT, slot);
    }
    tell_number(teller, STORE_BY_DESIRED_STATE, (int)task->desired_state);
    tell_number(teller, STORE_BY_STATE, task->status ? (int)task->status->state : 0);
    for (size_t i = 0; i < task->n_networks; i++)
        if (task->networks[i]->network)
            tell(teller, STORE_BY_NETWORK, task->networks[i]->network->id);
    tell_task_spec(teller, task->spec);
}

static void tell_volume(const struct teller *teller, const Docker__Swarmkit__V1__Volume *volume)
{
    if (volume->spec == NULL)
        return;
    tell(teller, STORE_BY_VOLUME_GROUP, volume->spec->group);
    for (size_t i = 0; i < volume->spec->n_secrets; i++)
        tell(teller, STORE_BY_SECRET, volume->spec->secrets[i]->secret);
}

static void tell_common(const struct teller *teller, enum store_kind kind, const ProtobufCMessage *message)
{
    const Docker__Swarmkit__V1__Annotations *annotations = store_message_annotations(kind, message);
    char key[KEY_SIZE];

    store_fold_name(store_message_name(kind, message), key, sizeof key);
    tell(teller, STORE_BY_NAME, key);
    for (size_t i = 0; annotations && i < annotations->n_indices; i++) {
        snprintf(key, sizeof key, "%s=%s", annotations->indices[i]->key, annotations->indices[i]->val);
        tell(teller, STORE_BY_CUSTOM, key);
    }
}

void store_message_keys(enum store_kind kind, const ProtobufCMessage *message, store_key_fn *fn, void *ctx)
{
    struct teller teller = {fn, ctx};

    tell_common(&teller, kind, message);
    switch (kind) {
    case STORE_NODE:
        tell_node(&teller, (const void *)message);
        break;
    case STORE_SERVICE:
        tell_service(&teller, (const void *)message);
        break;
    case STORE_TASK:
        tell_task(&teller, (const void *)message);
        break;
    case STORE_RESOURCE:
        tell(&teller, STORE_BY_RESOURCE_KIND, ((const Docker__Swarmkit__V1__Resource *)(const void *)message)->kind);
        break;
    case STORE_VOLUME:
        tell_volume(&teller, (const void *)message);
        break;
    default:
        break;
    }
}
