/* manager/control/control.h – what may be asked of a cluster: SwarmKit's Control service as functions on its messages, each request checked
 * and turned into a change of the store.
 *
 * Behind both the gRPC service and the Docker API. Reads are answered from what is committed, before the function returns. A write is one
 * transaction of the store (removing a node with very many tasks takes several) and is answered when that is committed, or refused; a
 * request that is not well formed is refused before the function returns. It decides inside of the transaction, on what is true there.
 *
 *     static void created(void *ctx, const struct control_answer *answer) {
 *         const Docker__Swarmkit__V1__CreateServiceResponse *response = (const void *)answer->response;
 *         if (response == NULL) …answer->err, answer->grpc_status…
 *     }
 *     control_create_service(control, &request, created, ctx);
 *
 * No clock, network or disk of its own; what lies with other parts of a manager it asks through the tables below. Words, codes and rules
 * are SwarmKit's (swarmkit-wire §5.7, §6.6, §7.8, §7.10). What Skep's managers cannot do yet – overlay networks, the routing mesh, cluster
 * volumes – is refused with the way that works. */
#ifndef SKEP_MANAGER_CONTROL_CONTROL_H
#define SKEP_MANAGER_CONTROL_CONTROL_H

#include "manager/part.h"
#include "proto/methods.h"
#include "proto/swarmkit/control.pb-c.h"

/* --- what it asks of others --- */

/* Rules that other rooms know. All but check_container are needed. */
struct control_rules {
    /* Are these placement constraints well formed? ERR_INVALID with SwarmKit's words: manager/scheduler/constraint.h. */
    int (*check_constraints)(void *self, char *const *texts, size_t count, struct error *err);
    /* Is @reference the name of an image? ERR_INVALID: runtime/image/reference.h. */
    int (*check_image)(void *self, const char *reference, struct error *err);
    /* Do the templates in the container's fields expand? ERR_INVALID with what does not. NULL: nobody looks. */
    int (*check_container)(void *self, const Docker__Swarmkit__V1__TaskSpec *spec, struct error *err);
    /* Is @task another than what @service asks for? @node may be NULL. swarmkit-wire §7.5. */
    bool (*is_dirty)(void *self, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Task *task,
                     const Docker__Swarmkit__V1__Node *node);
    void *self;
};

struct control_member {
    uint64_t raft_id;
    const char *address; /* borrowed until the loop goes on */
    bool is_leader;
    Docker__Swarmkit__V1__RaftMemberStatus__Reachability reachability;
};

/* Who is in the Raft group. Both are needed. */
struct control_members {
    bool (*find)(void *self, const char *node_id, struct control_member *out); /* false: no member */
    bool (*may_remove)(void *self, uint64_t raft_id);                          /* a quorum of the others can be reached */
    void *self;
};

/* UpdateCluster's part of the CA. What it points to stays until it is answered. */
struct control_ca_change {
    const Docker__Swarmkit__V1__Cluster *cluster;  /* as it is */
    const Docker__Swarmkit__V1__ClusterSpec *spec; /* as it shall be */
    bool rotates_worker_token, rotates_manager_token;
};

/* @root_ca: unpacked, taken by what is called; NULL for @err. */
typedef void control_ca_done_fn(void *ctx, Docker__Swarmkit__V1__RootCA *root_ca, const struct error *err);

/* The certificate authority's work: manager/ca. All are needed. */
struct control_authority {
    /* The root_ca that the cluster is to have next. Answers once, at once or later; ERR_INVALID with SwarmKit's words. */
    void (*change)(void *self, const struct control_ca_change *change, control_ca_done_fn *done, void *ctx);
    /* Make @cluster's unlock_keys what its spec asks for, the managers' one anew if it @rotates. @cluster is unpacked, and so are its keys.
     */
    void (*unlock)(void *self, Docker__Swarmkit__V1__Cluster *cluster, bool rotates);
    /* When does the certificate in @pem expire? False: there is none that can be read. */
    bool (*expires)(void *self, struct bytes pem, int64_t *wall_ns);
    void *self;
};

/* --- its life --- */

struct control_options {
    struct part_host host; /* is not woken: nothing here waits for time */
    struct control_rules rules;
    struct control_members members;
    struct control_authority authority;
};

struct control;
struct control *control_new(const struct control_options *options);

/* Every call was answered: first the authority's changes are ended, with an error, then store_fail(). NULL is fine. */
void control_free(struct control *control);

/* --- a leader's first objects --- */

/* All is copied. What is there already stays as it is. */
struct control_bootstrap_options {
    const char *cluster_id, *node_id; /* from this manager's certificate */
    Docker__Swarmkit__V1__NodeSpec__Availability availability;
    const Docker__Swarmkit__V1__RootCA *root_ca;     /* with join tokens; needed where there is no cluster yet */
    const Docker__Swarmkit__V1__CAConfig *ca_config; /* NULL: certificates for 90 days, signed here */
    bool locks_managers;
    struct bytes unlock_key; /* raw, where they are locked */
    bool is_fips;
    const char *const *address_pools; /* none: 10.0.0.0/8 is cut into networks */
    size_t address_pool_count;
    uint32_t subnet_size, vxlan_port; /* 0: SwarmKit's */
    bool is_windows;                  /* this manager's host: its predefined network is nat, not bridge and host */
};

/* In one transaction, where they are missing: the cluster, this node as one of its managers, the networks that every node has
 * (swarmkit-wire §6.8, §6.9). There is no ingress network. */
void control_bootstrap(struct control *control, const struct control_bootstrap_options *options, store_done_fn *done, void *ctx);

/* --- calls --- */

struct control_answer {
    const ProtobufCMessage *response; /* the method's; NULL: refused. Borrowed until the function returns: it points into the store */
    const struct error *err;          /* NULL: done */
    int grpc_status; /* SwarmKit's: mostly error_grpc_status(err->code), but 2 (unknown) where it passes an error on as it is */
};

/* Called once per call. */
typedef void control_done_fn(void *ctx, const struct control_answer *answer);

/*    function        method */
#define CONTROL_METHODS(X)                                                                                                                 \
    X(get_node, GetNode)                                                                                                                   \
    X(list_nodes, ListNodes)                                                                                                               \
    X(update_node, UpdateNode)                                                                                                             \
    X(remove_node, RemoveNode)                                                                                                             \
    X(get_task, GetTask)                                                                                                                   \
    X(list_tasks, ListTasks)                                                                                                               \
    X(remove_task, RemoveTask)                                                                                                             \
    X(get_service, GetService)                                                                                                             \
    X(list_services, ListServices)                                                                                                         \
    X(create_service, CreateService)                                                                                                       \
    X(update_service, UpdateService)                                                                                                       \
    X(remove_service, RemoveService)                                                                                                       \
    X(list_service_statuses, ListServiceStatuses)                                                                                          \
    X(get_network, GetNetwork)                                                                                                             \
    X(list_networks, ListNetworks)                                                                                                         \
    X(create_network, CreateNetwork)                                                                                                       \
    X(remove_network, RemoveNetwork)                                                                                                       \
    X(get_cluster, GetCluster)                                                                                                             \
    X(list_clusters, ListClusters)                                                                                                         \
    X(update_cluster, UpdateCluster)                                                                                                       \
    X(get_secret, GetSecret)                                                                                                               \
    X(update_secret, UpdateSecret)                                                                                                         \
    X(list_secrets, ListSecrets)                                                                                                           \
    X(create_secret, CreateSecret)                                                                                                         \
    X(remove_secret, RemoveSecret)                                                                                                         \
    X(get_config, GetConfig)                                                                                                               \
    X(update_config, UpdateConfig)                                                                                                         \
    X(list_configs, ListConfigs)                                                                                                           \
    X(create_config, CreateConfig)                                                                                                         \
    X(remove_config, RemoveConfig)                                                                                                         \
    X(get_extension, GetExtension)                                                                                                         \
    X(create_extension, CreateExtension)                                                                                                   \
    X(remove_extension, RemoveExtension)                                                                                                   \
    X(get_resource, GetResource)                                                                                                           \
    X(update_resource, UpdateResource)                                                                                                     \
    X(list_resources, ListResources)                                                                                                       \
    X(create_resource, CreateResource)                                                                                                     \
    X(remove_resource, RemoveResource)                                                                                                     \
    X(create_volume, CreateVolume)                                                                                                         \
    X(get_volume, GetVolume)                                                                                                               \
    X(update_volume, UpdateVolume)                                                                                                         \
    X(list_volumes, ListVolumes)                                                                                                           \
    X(remove_volume, RemoveVolume)

/* control_get_node(control, request, done, ctx), and so on. @request is copied where it is kept. Data of secrets and private keys of the
 * cluster are in no answer. */
#define X(lower, Method)                                                                                                                   \
    void control_##lower(struct control *control, const Docker__Swarmkit__V1__##Method##Request *request, control_done_fn *done, void *ctx);
CONTROL_METHODS(X)
#undef X

/* By number, for who serves the whole of Control. @request is of the method's type. False: not a method of Control; @done is not called. */
bool control_call(struct control *control, enum method_id method, const ProtobufCMessage *request, control_done_fn *done, void *ctx);

#endif
