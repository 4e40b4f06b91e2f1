/* manager/store/kinds.h – what kinds of objects a cluster has, and what the store needs to know of each: where its id, version and name
 * are, under which number it travels, and by what it is found.
 *
 * Source: swarmkit-wire §5.3, §5.5; which names are unique: §6.5. */
#ifndef SKEP_MANAGER_STORE_KINDS_H
#define SKEP_MANAGER_STORE_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/swarmkit/objects.pb-c.h"

/*    kind       name         message    action  snapshot  unique name */
#define STORE_KINDS(X)                                                                                                                     \
    X(NODE, "node", Node, node, 2, 1, false)                                                                                               \
    X(SERVICE, "service", Service, service, 3, 2, true)                                                                                    \
    X(TASK, "task", Task, task, 4, 4, false)                                                                                               \
    X(NETWORK, "network", Network, network, 5, 3, true)                                                                                    \
    X(CLUSTER, "cluster", Cluster, cluster, 6, 5, true)                                                                                    \
    X(SECRET, "secret", Secret, secret, 7, 6, true)                                                                                        \
    X(RESOURCE, "resource", Resource, resource, 8, 7, true)                                                                                \
    X(EXTENSION, "extension", Extension, extension, 9, 8, true)                                                                            \
    X(CONFIG, "config", Config, config, 10, 9, true)                                                                                       \
    X(VOLUME, "volume", Volume, volume, 11, 10, true)

enum store_kind {
#define X(kind, name, message, lower, action, snapshot, is_unique) STORE_##kind,
    STORE_KINDS(X)
#undef X
        STORE_KINDS_COUNT
};

/* By what objects are found, beside their id. */
enum store_by {
    STORE_ALL,
    STORE_BY_NAME,          /* any case; of the kinds with unique names, and nodes by hostname, tasks by their own */
    STORE_BY_SERVICE,       /* tasks */
    STORE_BY_NODE,          /* tasks */
    STORE_BY_SLOT,          /* tasks: store_slot_key() */
    STORE_BY_DESIRED_STATE, /* tasks: the state's number in decimal */
    STORE_BY_STATE,         /* tasks: as above, of the status */
    STORE_BY_ROLE,          /* nodes: "0" worker, "1" manager; the role that is wanted */
    STORE_BY_MEMBERSHIP,    /* nodes: "0", "1" */
    STORE_BY_NETWORK,       /* services, tasks: an id that they refer to */
    STORE_BY_SECRET,        /* services, tasks, volumes */
    STORE_BY_CONFIG,        /* services, tasks */
    STORE_BY_RESOURCE_KIND, /* resources: their kind */
    STORE_BY_VOLUME_GROUP,  /* volumes */
    STORE_BY_CUSTOM,        /* any: store_custom_key() of annotations' indices */
    STORE_BY_ID_PREFIX,     /* any; looks at every object of the kind */
    STORE_BY_NAME_PREFIX,   /* as above */
};

struct store_kind_info {
    const char *name;
    const ProtobufCMessageDescriptor *descriptor;
    uint32_t action_field;   /* in StoreAction */
    uint32_t snapshot_field; /* in StoreSnapshot */
    size_t id_offset, meta_offset;
    bool has_unique_name;
};

const struct store_kind_info *store_kind_info(enum store_kind kind);
bool store_kind_of_action(uint32_t field, enum store_kind *out);
bool store_kind_of_snapshot(uint32_t field, enum store_kind *out);
bool store_kind_of_descriptor(const ProtobufCMessageDescriptor *descriptor, enum store_kind *out);

const char *store_message_id(enum store_kind kind, const ProtobufCMessage *message);
const char *store_message_name(enum store_kind kind, const ProtobufCMessage *message);                                     /* "": none */
uint64_t store_message_version(enum store_kind kind, const ProtobufCMessage *message);                                     /* 0: none */
const Docker__Swarmkit__V1__Annotations *store_message_annotations(enum store_kind kind, const ProtobufCMessage *message); /* may be NULL */

/* Tell every key under which @message is found. @key is good inside @fn only. A key may come twice. */
typedef void store_key_fn(void *ctx, enum store_by by, const char *key);
void store_message_keys(enum store_kind kind, const ProtobufCMessage *message, store_key_fn *fn, void *ctx);

#define STORE_SLOT_KEY_SIZE 96 /* an id that a peer made up may be 64 long */
void store_slot_key(const char *service_id, uint64_t slot, char out[STORE_SLOT_KEY_SIZE]);
void store_fold_name(const char *name, char *out, size_t size); /* lower case, cut at @size */

#endif
