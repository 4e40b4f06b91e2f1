/* tests/unit/manager/control/fixture.h – a control on a store whose log is memory, beside parts of a manager that answer as the test says.
 *
 *     struct asked asked;
 *     begin(&asked);
 *     const Docker__Swarmkit__V1__GetNodeResponse *response = do_call(&asked, GetNode, &request.base);
 *     assert_refused(&asked, GetNode, &request.base, ERR_NOT_FOUND, 5, "node n1 not found");
 *     end(&asked); */
#ifndef SKEP_TESTS_UNIT_MANAGER_CONTROL_FIXTURE_H
#define SKEP_TESTS_UNIT_MANAGER_CONTROL_FIXTURE_H

#include "base/clock.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/control/control.h"
#include "tests/unit/manager/store/fixture.h"

#define CONSTANT(constant) ((char *)(uintptr_t)(constant))

struct member_of {
    const char *node_id;
    uint64_t raft_id;
    bool is_leader;
};

struct asked {
    struct world world;
    struct control *control;
    struct member_of members[4];
    bool has_no_quorum;
    /* the CA: as it is to answer UpdateCluster, and what it was asked */
    bool ca_waits;
    const char *ca_refuses;
    int ca_changes, unlocks;
    struct control_ca_change ca_change;
    control_ca_done_fn *ca_done;
    void *ca_ctx;
    /* the last answer */
    int answers;
    ProtobufCMessage *response;
    struct error err;
    int grpc_status;
};

/* --- the other parts --- */

static inline int rule_constraints(void *self, char *const *texts, size_t count, struct error *err)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        if (!strstr(texts[i], "==") && !strstr(texts[i], "!="))
            return error_set(err, ERR_INVALID, "constraint expected one operator from ==, !=");
    return 0;
}

static inline int rule_image(void *self, const char *reference, struct error *err)
{
    (void)self;
    return strchr(reference, ' ') ? error_set(err, ERR_INVALID, "invalid reference format") : 0;
}

static inline int rule_container(void *self, const Docker__Swarmkit__V1__TaskSpec *spec, struct error *err)
{
    (void)self;
    return strstr(spec->container->hostname, "{{") ? error_set(err, ERR_INVALID, "hostname: the template ends early") : 0;
}

static inline bool rule_is_dirty(void *self, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Task *task,
                                 const Docker__Swarmkit__V1__Node *node)
{
    (void)self;
    (void)node;
    return !task->spec_version || !service->spec_version || task->spec_version->index != service->spec_version->index;
}

static inline bool member_find(void *self, const char *node_id, struct control_member *out)
{
    struct asked *asked = self;
    for (int i = 0; i < 4; i++)
        if (asked->members[i].node_id && strcmp(asked->members[i].node_id, node_id) == 0) {
            *out = (struct control_member){asked->members[i].raft_id, "10.0.0.1:2377", asked->members[i].is_leader,
                                           DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__REACHABLE};
            return true;
        }
    return false;
}

static inline bool member_may_remove(void *self, uint64_t raft_id)
{
    (void)raft_id;
    return !((struct asked *)self)->has_no_quorum;
}

static inline void ca_answer(struct asked *asked)
{
    struct error err = {0};
    control_ca_done_fn *done = asked->ca_done;
    asked->ca_done = NULL;
    if (asked->ca_refuses) {
        error_set(&err, ERR_INVALID, "%s", asked->ca_refuses);
        done(asked->ca_ctx, NULL, &err);
        return;
    }
    Docker__Swarmkit__V1__RootCA root_ca = *asked->ca_change.cluster->root_ca;
    Docker__Swarmkit__V1__JoinTokens tokens = *root_ca.join_tokens;
    if (asked->ca_change.rotates_worker_token)
        tokens.worker = CONSTANT("worker-anew");
    if (asked->ca_change.rotates_manager_token)
        tokens.manager = CONSTANT("manager-anew");
    root_ca.join_tokens = &tokens;
    root_ca.last_forced_rotation = asked->ca_change.spec->ca_config ? asked->ca_change.spec->ca_config->force_rotate : 0;
    done(asked->ca_ctx, (Docker__Swarmkit__V1__RootCA *)(void *)message_copy(&root_ca.base), NULL);
}

static inline void ca_changes(void *self, const struct control_ca_change *change, control_ca_done_fn *done, void *ctx)
{
    struct asked *asked = self;
    asked->ca_changes++;
    asked->ca_change = *change;
    asked->ca_done = done;
    asked->ca_ctx = ctx;
    if (!asked->ca_waits)
        ca_answer(asked);
}

/* Keys are "key-1", "key-2" … in the order in which they were made. */
static inline void ca_unlocks(void *self, Docker__Swarmkit__V1__Cluster *cluster, bool rotates)
{
    struct asked *asked = self;
    bool is_locking = cluster->spec->encryption_config && cluster->spec->encryption_config->auto_lock_managers;
    if (cluster->n_unlock_keys > 0 && (rotates || !is_locking)) {
        assert_int_equal(cluster->n_unlock_keys, 1);
        message_free(&cluster->unlock_keys[0]->base);
        free(cluster->unlock_keys);
        cluster->unlock_keys = NULL;
        cluster->n_unlock_keys = 0;
    }
    if (!is_locking || cluster->n_unlock_keys > 0)
        return;
    Docker__Swarmkit__V1__EncryptionKey key = DOCKER__SWARMKIT__V1__ENCRYPTION_KEY__INIT;
    char text[16];
    int length = snprintf(text, sizeof text, "key-%d", ++asked->unlocks);
    key.subsystem = CONSTANT("swarm-manager");
    key.key = (ProtobufCBinaryData){(size_t)length, (uint8_t *)text};
    cluster->unlock_keys = mem_alloc(sizeof(Docker__Swarmkit__V1__EncryptionKey *));
    cluster->unlock_keys[0] = (Docker__Swarmkit__V1__EncryptionKey *)(void *)message_copy(&key.base);
    cluster->n_unlock_keys = 1;
}

/* A certificate is the text "until <seconds>". */
static inline bool ca_expires(void *self, struct bytes pem, int64_t *wall_ns)
{
    char text[64];
    long long seconds;
    (void)self;
    snprintf(text, sizeof text, "%.*s", (int)pem.size, (const char *)pem.data);
    if (sscanf(text, "until %lld", &seconds) != 1) // NOLINT(cert-err34-c): the test's own text
        return false;
    *wall_ns = seconds * (long long)NS_PER_S;
    return true;
}

/* --- calls --- */

static inline void on_answer(void *ctx, const struct control_answer *answer)
{
    struct asked *asked = ctx;
    asked->answers++;
    asked->response = answer->response ? message_copy(answer->response) : NULL;
    asked->err = answer->err ? *answer->err : (struct error){0};
    asked->grpc_status = answer->grpc_status;
    assert_true((answer->response == NULL) == (answer->err != NULL));
    assert_true((answer->err == NULL) == (answer->grpc_status == 0));
}

static inline void begin(struct asked *asked)
{
    *asked = (struct asked){0};
    world_begin(&asked->world);
    asked->control = control_new(&(struct control_options){
        .host = {.store = asked->world.store, .random = random_from_seeded(&asked->world.seed)},
        .rules = {.check_constraints = rule_constraints,
                  .check_image = rule_image,
                  .check_container = rule_container,
                  .is_dirty = rule_is_dirty,
                  .self = asked},
        .members = {.find = member_find, .may_remove = member_may_remove, .self = asked},
        .authority = {.change = ca_changes, .unlock = ca_unlocks, .expires = ca_expires, .self = asked},
    });
}

static inline void end(struct asked *asked)
{
    world_settle(&asked->world);
    message_free(asked->response);
    control_free(asked->control);
    world_end(&asked->world);
}

static inline void call(struct asked *asked, enum method_id method, const ProtobufCMessage *request)
{
    int before = asked->answers;
    message_free(asked->response);
    asked->response = NULL;
    assert_true(control_call(asked->control, method, request, on_answer, asked));
    world_settle(&asked->world);
    assert_int_equal(asked->answers, before + 1);
}

/* The response, good until the next call. */
static inline const void *call_ok(struct asked *asked, enum method_id method, const ProtobufCMessage *request)
{
    call(asked, method, request);
    if (asked->response == NULL)
        fail_msg("%s: %s", method_list[method].path, asked->err.message);
    assert_ptr_equal(asked->response->descriptor, method_list[method].response);
    return asked->response;
}

static inline void call_refused(struct asked *asked, enum method_id method, const ProtobufCMessage *request, int code, int grpc_status,
                                const char *text)
{
    int entries = asked->world.entries_count;
    call(asked, method, request);
    if (asked->response)
        fail_msg("%s was done, not refused with \"%s\"", method_list[method].path, text);
    if (asked->err.code != code || asked->grpc_status != grpc_status || strstr(asked->err.message, text) == NULL)
        fail_msg("%s gave %s, %d, \"%s\", not %s, %d, \"%s\"", method_list[method].path, error_name(asked->err.code), asked->grpc_status,
                 asked->err.message, error_name(code), grpc_status, text);
    assert_int_equal(asked->world.entries_count, entries); /* nothing changed */
}

#define do_call(asked, Method, request)                                                                                                    \
    ((const Docker__Swarmkit__V1__##Method##Response *)call_ok((asked), METHOD_Control_##Method, &(request)->base))
#define assert_refused(asked, Method, request, code, grpc_status, text)                                                                    \
    call_refused((asked), METHOD_Control_##Method, &(request)->base, code, grpc_status, text)

/* --- a service that can be --- */

/* All parts in one struct, so that a test changes the one thing that it is about. */
struct web {
    Docker__Swarmkit__V1__Annotations annotations;
    Docker__Swarmkit__V1__ContainerSpec container;
    Docker__Swarmkit__V1__TaskSpec task;
    Docker__Swarmkit__V1__ReplicatedService replicated;
    Docker__Swarmkit__V1__EndpointSpec endpoint;
    Docker__Swarmkit__V1__ServiceSpec spec;
    Docker__Swarmkit__V1__CreateServiceRequest create;
    Docker__Swarmkit__V1__Version version;
    Docker__Swarmkit__V1__UpdateServiceRequest update;
};

static inline void web_init(struct web *web, const char *name)
{
    docker__swarmkit__v1__annotations__init(&web->annotations);
    docker__swarmkit__v1__container_spec__init(&web->container);
    docker__swarmkit__v1__task_spec__init(&web->task);
    docker__swarmkit__v1__replicated_service__init(&web->replicated);
    docker__swarmkit__v1__endpoint_spec__init(&web->endpoint);
    docker__swarmkit__v1__service_spec__init(&web->spec);
    docker__swarmkit__v1__create_service_request__init(&web->create);
    docker__swarmkit__v1__version__init(&web->version);
    docker__swarmkit__v1__update_service_request__init(&web->update);
    web->annotations.name = CONSTANT(name);
    web->container.image = CONSTANT("busybox:1");
    web->task.container = &web->container;
    web->task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    web->replicated.replicas = 2;
    web->spec.annotations = &web->annotations;
    web->spec.task = &web->task;
    web->spec.replicated = &web->replicated;
    web->spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    web->spec.endpoint = &web->endpoint; /* mode vip, no ports: what docker sends */
    web->create.spec = &web->spec;
    web->update.service_version = &web->version;
    web->update.spec = &web->spec;
}

/* Creates it; its id is good until the next call of this function with the same place. */
static inline const char *web_create(struct asked *asked, struct web *web, char id[STORE_KEY_SIZE_BYTES])
{
    const Docker__Swarmkit__V1__CreateServiceResponse *response = do_call(asked, CreateService, &web->create);
    snprintf(id, STORE_KEY_SIZE_BYTES, "%s", response->service->id);
    web->update.service_id = id;
    web->version.index = response->service->meta->version->index;
    return id;
}

#define web_refused(asked, web, code, grpc_status, text) assert_refused(asked, CreateService, &(web)->create, code, grpc_status, text)

static inline struct Google__Protobuf__Duration duration_of(int64_t seconds, int32_t nanos)
{
    struct Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = seconds;
    duration.nanos = nanos;
    return duration;
}

/* --- a cluster --- */

static inline void bootstrap_done(void *ctx, const struct error *err)
{
    struct asked *asked = ctx;
    asked->answers++;
    asked->err = err ? *err : (struct error){0};
}

static inline void bootstrap_as(struct asked *asked, const char *node_id, bool is_windows)
{
    Docker__Swarmkit__V1__RootCA root_ca = DOCKER__SWARMKIT__V1__ROOT_CA__INIT;
    Docker__Swarmkit__V1__JoinTokens tokens = DOCKER__SWARMKIT__V1__JOIN_TOKENS__INIT;
    tokens.worker = CONSTANT("worker-token");
    tokens.manager = CONSTANT("manager-token");
    root_ca.join_tokens = &tokens;
    root_ca.ca_key = (ProtobufCBinaryData){7, (uint8_t *)CONSTANT("private")};
    root_ca.ca_cert = (ProtobufCBinaryData){6, (uint8_t *)CONSTANT("public")};
    int before = asked->answers;
    control_bootstrap(
        asked->control,
        &(struct control_bootstrap_options){.cluster_id = "c1", .node_id = node_id, .root_ca = &root_ca, .is_windows = is_windows},
        bootstrap_done, asked);
    world_settle(&asked->world);
    assert_int_equal(asked->answers, before + 1);
    if (asked->err.code)
        fail_msg("bootstrap: %s", asked->err.message);
}

static inline void bootstrap(struct asked *asked)
{
    bootstrap_as(asked, "m1", false);
}

/* The id of a network by its name. */
static inline char *network_id(struct asked *asked, const char *name)
{
    struct store_cursor cursor;
    store_find(asked->world.store, STORE_NETWORK, STORE_BY_NAME, name, &cursor);
    const ProtobufCMessage *found = store_next(&cursor);
    return found ? CONSTANT(store_message_id(STORE_NETWORK, found)) : NULL;
}

#endif
