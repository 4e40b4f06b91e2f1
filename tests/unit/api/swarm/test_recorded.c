/* tests/unit/api/swarm/test_recorded.c – what a real dockerd and real docker commands said, against ours: objects shown, specs read, and
 * errors. */
#include "tests/unit/api/swarm/recorded.h"

#include "api/swarm/json_cluster.h"
#include "api/swarm/json_config.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_node.h"
#include "api/swarm/json_secret.h"
#include "api/swarm/json_service.h"
#include "api/swarm/json_task.h"
#include "api/swarm/registry_auth.h"
#include "api/swarm/reply.h"
#include "base/text.h"

#define RECORDED_API 41

/* --- objects --- */

static cJSON *show_node(const ProtobufCMessage *message)
{
    return swarm_json_node((const Docker__Swarmkit__V1__Node *)message, RECORDED_API);
}

static cJSON *show_service(const ProtobufCMessage *message)
{
    return swarm_json_service((const Docker__Swarmkit__V1__Service *)message, RECORDED_API, NULL);
}

static cJSON *show_task(const ProtobufCMessage *message)
{
    return swarm_json_task((const Docker__Swarmkit__V1__Task *)message, RECORDED_API);
}

static cJSON *show_secret(const ProtobufCMessage *message)
{
    return swarm_json_secret((const Docker__Swarmkit__V1__Secret *)message, RECORDED_API);
}

static cJSON *show_config(const ProtobufCMessage *message)
{
    return swarm_json_config((const Docker__Swarmkit__V1__Config *)message, RECORDED_API);
}

static cJSON *show_network(const ProtobufCMessage *message)
{
    return swarm_json_network((const Docker__Swarmkit__V1__Network *)message, RECORDED_API);
}

static cJSON *show_cluster(const ProtobufCMessage *message)
{
    return swarm_json_cluster((const Docker__Swarmkit__V1__Cluster *)message, RECORDED_API);
}

static const struct kind {
    const char *name;
    const ProtobufCMessageDescriptor *descriptor;
    cJSON *(*show)(const ProtobufCMessage *message);
    int least; /* a recording with fewer is none */
} kinds[] = {
    {"nodes", &docker__swarmkit__v1__node__descriptor, show_node, 2},
    {"services", &docker__swarmkit__v1__service__descriptor, show_service, 30},
    {"tasks", &docker__swarmkit__v1__task__descriptor, show_task, 30},
    {"secrets", &docker__swarmkit__v1__secret__descriptor, show_secret, 3},
    {"configs", &docker__swarmkit__v1__config__descriptor, show_config, 3},
    {"networks", &docker__swarmkit__v1__network__descriptor, show_network, 3},
    {"swarm", &docker__swarmkit__v1__cluster__descriptor, show_cluster, 1},
};

static void objects_are_shown_as_dockerd_shows_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_json cJSON *list = recorded(kinds[i].name);
        assert_true(cJSON_GetArraySize(list) >= kinds[i].least);
        const cJSON *item;
        int index = 0;
        cJSON_ArrayForEach (item, list) {
            cleanup_free char *where = mem_format("%s[%d]", kinds[i].name, index++);
            ProtobufCMessage *message = recorded_message(item, "message", kinds[i].descriptor);
            assert_json_matches(kinds[i].show(message), json_object(item, "json"), where);
            message_free(message);
        }
    }
}

/* --- specs: read, changed, posted back --- */

static cJSON *printed_and_parsed(cJSON *json)
{
    cleanup_free char *text = json_print(json);
    cJSON *again = NULL;
    cJSON_Delete(json);
    assert_ok(swarm_body_parse(bytes_of_string(text), &again, err));
    return again;
}

/* What JSON has not and an update takes from elsewhere. */
static void take_what_json_has_not(Docker__Swarmkit__V1__ServiceSpec *spec, const Docker__Swarmkit__V1__Service *service,
                                   struct arena *arena)
{
    assert_ok(swarm_set_registry_auth(spec, NULL, service, SWARM_AUTH_FROM_SPEC, arena, err));
}

static void services_come_back_as_they_went(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded("services");
    const cJSON *item;
    int index = 0;
    cJSON_ArrayForEach (item, list) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *where = mem_format("services[%d]", index++);
        Docker__Swarmkit__V1__Service *service =
            (Docker__Swarmkit__V1__Service *)recorded_message(item, "message", &docker__swarmkit__v1__service__descriptor);
        Docker__Swarmkit__V1__ServiceSpec *spec = NULL;
        cleanup_json cJSON *json = printed_and_parsed(swarm_json_service(service, RECORDED_API, NULL));
        assert_ok(swarm_read_service_spec(json_object(json, "Spec"), RECORDED_API, &arena, &spec, err));
        take_what_json_has_not(spec, service, &arena);
        assert_same_message(&spec->base, &service->spec->base, where);
        message_free(&service->base);
    }
}

static void clusters_come_back_as_they_went(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded("swarm");
    cleanup_arena struct arena arena = {0};
    Docker__Swarmkit__V1__Cluster *cluster =
        (Docker__Swarmkit__V1__Cluster *)recorded_message(list->child, "message", &docker__swarmkit__v1__cluster__descriptor);
    Docker__Swarmkit__V1__ClusterSpec *spec = NULL;
    cleanup_json cJSON *json = printed_and_parsed(swarm_json_cluster(cluster, RECORDED_API));
    assert_ok(swarm_read_cluster_spec(json_object(json, "Spec"), RECORDED_API, NULL, &arena, &spec, err));
    assert_same_message(&spec->base, &cluster->spec->base, "swarm");
    message_free(&cluster->base);
}

static void nodes_come_back_as_they_went(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded("nodes");
    const cJSON *item;
    cJSON_ArrayForEach (item, list) {
        cleanup_arena struct arena arena = {0};
        Docker__Swarmkit__V1__Node *node =
            (Docker__Swarmkit__V1__Node *)recorded_message(item, "message", &docker__swarmkit__v1__node__descriptor);
        Docker__Swarmkit__V1__NodeSpec *spec = NULL;
        cleanup_json cJSON *json = printed_and_parsed(swarm_json_node(node, RECORDED_API));
        assert_ok(swarm_read_node_spec(json_object(json, "Spec"), RECORDED_API, node->spec, &arena, &spec, err));
        assert_same_message(&spec->base, &node->spec->base, "node");
        message_free(&node->base);
    }
}

/* --- requests --- */

static unsigned version_of(const char *path)
{
    return (unsigned)strtoul(path + strlen("/v1."), NULL, 10);
}

/* dockerd gave a name where there was none, and the ids of networks for their names. It forgets how consistent a mount is to be; ours keeps
 * it. */
static void take_what_dockerd_added(Docker__Swarmkit__V1__ServiceSpec *got, const Docker__Swarmkit__V1__ServiceSpec *want)
{
    if (text_empty(got->annotations->name))
        got->annotations->name = want->annotations->name;
    for (size_t i = 0; i < got->n_networks && i < want->n_networks; i++)
        got->networks[i]->target = want->networks[i]->target;
    for (size_t i = 0; i < got->task->n_networks && i < want->task->n_networks; i++)
        got->task->networks[i]->target = want->task->networks[i]->target;
    for (size_t i = 0; i < got->task->container->n_mounts; i++)
        got->task->container->mounts[i]->consistency = DOCKER__SWARMKIT__V1__MOUNT__CONSISTENCY__DEFAULT;
}

static Docker__Swarmkit__V1__ServiceSpec *read_request(const cJSON *request, unsigned api_version, struct arena *arena)
{
    Docker__Swarmkit__V1__ServiceSpec *spec = NULL;
    cleanup_json cJSON *body = printed_and_parsed(cJSON_Duplicate(json_object(request, "body"), true));
    assert_ok(swarm_read_service_spec(body, api_version, arena, &spec, err));
    assert_ok(swarm_set_registry_auth(spec, json_string(request, "auth", NULL), NULL, SWARM_AUTH_FROM_SPEC, arena, err));
    return spec;
}

static void services_are_read_as_dockerd_reads_them(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded_exactly("requests");
    const cJSON *request;
    int count = 0;
    cJSON_ArrayForEach (request, list) {
        const char *path = json_string(request, "path", "");
        unsigned version = version_of(path);
        if (json_string(request, "spec", NULL) == NULL || strstr(path, "rollback=previous"))
            continue;
        cleanup_arena struct arena arena = {0};
        Docker__Swarmkit__V1__ServiceSpec *want =
            (Docker__Swarmkit__V1__ServiceSpec *)recorded_message(request, "spec", &docker__swarmkit__v1__service_spec__descriptor);
        Docker__Swarmkit__V1__ServiceSpec *got = read_request(request, version > RECORDED_API ? RECORDED_API : version, &arena);
        take_what_dockerd_added(got, want);
        assert_same_message(&got->base, &want->base, json_string(request, "what", ""));
        message_free(&want->base);
        count++;
    }
    assert_true(count > 40);
}

/* What a client posts, and ours would show of it, is the same but for defaults: reading that again gives the same message. */
static void what_was_read_is_read_again_from_what_is_shown(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded_exactly("requests");
    const cJSON *request;
    cJSON_ArrayForEach (request, list) {
        if (json_string(request, "spec", NULL) == NULL)
            continue;
        cleanup_arena struct arena arena = {0};
        unsigned version = version_of(json_string(request, "path", ""));
        Docker__Swarmkit__V1__ServiceSpec *first = read_request(request, version, &arena), *second = NULL;
        Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
        service.spec = first;
        cleanup_json cJSON *json = printed_and_parsed(swarm_json_service(&service, version, NULL));
        assert_ok(swarm_read_service_spec(json_object(json, "Spec"), version, &arena, &second, err));
        take_what_json_has_not(second, &service, &arena);
        assert_same_message(&second->base, &first->base, json_string(request, "what", ""));
    }
}

/* --- errors --- */

static void errors_have_dockerds_status_and_words(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded("errors");
    const cJSON *item;
    int seen = 0;
    static const struct {
        const char *name;
        int code;
    } codes[] = {{"Unknown", 2}, {"InvalidArgument", 3}, {"AlreadyExists", 6}, {"FailedPrecondition", 9}};
    cJSON_ArrayForEach (item, list) {
        const char *message = json_string(json_object(item, "answer"), "message", "");
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            cleanup_free char *start = swarm_rpc_message(codes[i].code, "");
            if (strncmp(message, start, strlen(start)) != 0)
                continue;
            assert_int_equal(swarm_http_status(codes[i].code), json_int(item, "status", 0));
            seen |= 1 << i;
        }
    }
    assert_int_equal(seen, 15);
}

/* What dockerd refuses as not well formed, ours refuses, too. */
static void what_dockerd_refuses_is_refused(void **state)
{
    (void)state;
    cleanup_json cJSON *list = recorded("errors");
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach (item, list) {
        const char *message = json_string(json_object(item, "answer"), "message", "");
        const cJSON *body = json_object(item, "body");
        bool is_managers = text_starts(message, "rpc error") || strstr(message, "version") || strstr(message, "rollback");
        if (body == NULL || json_int(item, "status", 0) != 400 || is_managers)
            continue;
        cleanup_arena struct arena arena = {0};
        struct error err = {0};
        Docker__Swarmkit__V1__ServiceSpec *service;
        Docker__Swarmkit__V1__NodeSpec *node;
        Docker__Swarmkit__V1__SecretSpec *secret;
        Docker__Swarmkit__V1__ClusterSpec *cluster;
        const char *path = json_string(item, "path", "");
        int rc = text_starts(path, "/services")  ? swarm_read_service_spec(body, RECORDED_API, &arena, &service, &err)
                 : text_starts(path, "/nodes")   ? swarm_read_node_spec(body, RECORDED_API, NULL, &arena, &node, &err)
                 : text_starts(path, "/secrets") ? swarm_read_secret_spec(body, RECORDED_API, &arena, &secret, &err)
                                                 : swarm_read_cluster_spec(body, RECORDED_API, NULL, &arena, &cluster, &err);
        if (rc != ERR_INVALID)
            fail_msg("%s, which dockerd refused with \"%s\", gave %d: %s", path, message, rc, err.message);
        count++;
    }
    assert_true(count >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_shown_as_dockerd_shows_them), cmocka_unit_test(services_come_back_as_they_went),
        cmocka_unit_test(clusters_come_back_as_they_went),         cmocka_unit_test(nodes_come_back_as_they_went),
        cmocka_unit_test(services_are_read_as_dockerd_reads_them), cmocka_unit_test(what_was_read_is_read_again_from_what_is_shown),
        cmocka_unit_test(errors_have_dockerds_status_and_words),   cmocka_unit_test(what_dockerd_refuses_is_refused),
    };
    return cmocka_run_group_tests_name("api/swarm/recorded", tests, NULL, NULL);
}
