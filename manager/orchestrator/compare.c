/* manager/orchestrator/compare.c – messages are compared by their descriptors: packed bytes would differ with the order of a map. */
#include "manager/orchestrator/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define STATE(name) DOCKER__SWARMKIT__V1__TASK_STATE__##name

static const void *at(const ProtobufCMessage *message, unsigned offset)
{
    return (const uint8_t *)message + offset;
}

static size_t scalar_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return sizeof(uint32_t);
    }
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool same_value(ProtobufCType type, const void *a, const void *b)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
        return same_text(*(char *const *)a, *(char *const *)b);
    case PROTOBUF_C_TYPE_BYTES:
        return same_bytes(a, b);
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_same(*(ProtobufCMessage *const *)a, *(ProtobufCMessage *const *)b);
    default:
        return memcmp(a, b, scalar_size(type)) == 0;
    }
}

static size_t element_size(ProtobufCType type)
{
    if (type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE)
        return sizeof(void *);
    return type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : scalar_size(type);
}

/* A map is a list of entries with two fields. */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    entry = field->descriptor;
    return entry->n_fields == 2 && text_ends(entry->name, "Entry") && strcmp(entry->fields[0].name, "key") == 0 &&
           entry->fields[0].type == PROTOBUF_C_TYPE_STRING && strcmp(entry->fields[1].name, "value") == 0;
}

static const char *entry_key(const ProtobufCMessage *entry)
{
    const char *key = *(char *const *)at(entry, entry->descriptor->fields[0].offset);
    return key ? key : "";
}

static int by_key(const void *a, const void *b)
{
    return strcmp(entry_key(*(ProtobufCMessage *const *)a), entry_key(*(ProtobufCMessage *const *)b));
}

static bool same_map(ProtobufCMessage *const *a, ProtobufCMessage *const *b, size_t count)
{
    bool is_same = true;

    if (count == 0)
        return true;
    ProtobufCMessage **left = mem_copy(a, count * sizeof(void *)), **right = mem_copy(b, count * sizeof(void *));
    qsort(left, count, sizeof(void *), by_key);
    qsort(right, count, sizeof(void *), by_key);
    for (size_t i = 0; i < count && is_same; i++)
        is_same = message_same(left[i], right[i]);
    free(left);
    free(right);
    return is_same;
}

static bool same_list(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t count = *(const size_t *)at(a, field->quantifier_offset), size = element_size(field->type);
    const uint8_t *left = *(uint8_t *const *)at(a, field->offset), *right = *(uint8_t *const *)at(b, field->offset);

    if (count != *(const size_t *)at(b, field->quantifier_offset))
        return false;
    if (is_map(field))
        return same_map((ProtobufCMessage *const *)(const void *)left, (ProtobufCMessage *const *)(const void *)right, count);
    for (size_t i = 0; i < count; i++)
        if (!same_value(field->type, left + i * size, right + i * size))
            return false;
    return true;
}

static bool same_field(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return same_list(field, a, b);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t left = *(const uint32_t *)at(a, field->quantifier_offset), right = *(const uint32_t *)at(b, field->quantifier_offset);
        if (left != right)
            return false;
        if (left != field->id)
            return true;
    }
    return same_value(field->type, at(a, field->offset), at(b, field->offset));
}

bool message_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL)
        return false;
    for (unsigned i = 0; i < a->descriptor->n_fields; i++)
        if (!same_field(&a->descriptor->fields[i], a, b))
            return false;
    return true;
}

/* --- tasks --- */

static bool has_container(const Docker__Swarmkit__V1__TaskSpec *spec)
{
    return spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER && spec->container;
}

static bool differs_in_constraints_only(const Docker__Swarmkit__V1__TaskSpec *wanted, const Docker__Swarmkit__V1__TaskSpec *got)
{
    if (!wanted->placement || !got->placement || message_same(&wanted->placement->base, &got->placement->base))
        return false;
    Docker__Swarmkit__V1__TaskSpec spec = *wanted;
    Docker__Swarmkit__V1__Placement placement = *wanted->placement;
    placement.n_constraints = got->placement->n_constraints;
    placement.constraints = got->placement->constraints;
    spec.placement = &placement;
    return message_same(&spec.base, &got->base);
}

/* What it has pulled it does not pull again. */
static bool has_pulled(const Docker__Swarmkit__V1__Task *task)
{
    return task->desired_state <= STATE(RUNNING) && task->status && task->status->state >= STATE(READY) &&
           task->status->state <= STATE(RUNNING);
}

static bool same_spec(const Docker__Swarmkit__V1__TaskSpec *wanted, const Docker__Swarmkit__V1__Task *task)
{
    Docker__Swarmkit__V1__TaskSpec spec = *wanted;
    Docker__Swarmkit__V1__ContainerSpec container;

    if (has_pulled(task) && has_container(wanted) && has_container(task->spec)) {
        container = *wanted->container;
        container.pull_options = task->spec->container->pull_options;
        spec.container = &container;
    }
    return message_same(&spec.base, &task->spec->base);
}

bool task_is_dirty(const struct orchestrator_rules *rules, const Docker__Swarmkit__V1__Service *service,
                   const Docker__Swarmkit__V1__Task *task, const Docker__Swarmkit__V1__Node *node)
{
    const Docker__Swarmkit__V1__TaskSpec *wanted = service->spec ? service->spec->task : NULL;
    const Docker__Swarmkit__V1__EndpointSpec *endpoint = service->spec ? service->spec->endpoint : NULL;

    if (service->spec_version && task->spec_version && service->spec_version->index == task->spec_version->index)
        return false;
    if (wanted == NULL || task->spec == NULL)
        return wanted != task->spec;
    if (node && differs_in_constraints_only(wanted, task->spec) && rules->node_fits(rules->self, node, wanted->placement))
        return false;
    if (!same_spec(wanted, task))
        return true;
    return task->endpoint && !message_same(endpoint ? &endpoint->base : NULL, task->endpoint->spec ? &task->endpoint->spec->base : NULL);
}
