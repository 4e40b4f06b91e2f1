/* api/docker_swarm.c – joining and leaving a swarm, in dockerd's words. */
#include <stdlib.h>

#include "api/swarm_call.h"
#include "base/mem.h"
#include "base/text.h"

static const char not_in_swarm[] = "This node is not part of a swarm";
static const char in_swarm_already[] =
    "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.";
static const char join_goes_on[] = "Timeout was reached before node joined. The attempt to join the swarm will continue in the background. "
                                   "Use the \"docker info\" command to see the current swarm status of your node.";

void docker_manager_only(struct api_call *call)
{
    struct node_info info;
    call->api->options.node.info(call->api->options.node.node, &info);
    if (info.state == NODE_LOCKED)
        call_fail(call, 503, "%s", NODE_LOCKED_TEXT);
    else if (info.state == NODE_INACTIVE)
        call_fail(
            call, 503,
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try "
            "again.");
    else
        call_fail(
            call, 503,
            "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a "
            "manager node or promote the current node to a manager.");
}

void docker_no_manager_here(struct api_call *call)
{
    call_fail(call, 501, "this node runs no manager: begin the swarm on another node and join it from here");
}

/* --- join --- */

/* Lives in the call's arena, which it holds until the node has answered or was told to forget it. */
struct join {
    struct api_call *call;
    struct api_timer *timer;
    bool wants_progress;
    char phase[ERROR_MESSAGE_SIZE_BYTES]; /* the last one, with why it is being repeated */
};

static void join_over(struct join *join)
{
    api_timer_free(join->timer); /* NULL where none was set */
    http_on_gone(join->call->ex, NULL, NULL);
    call_release(join->call);
}

/* Taken. */
static void write_line(struct join *join, cJSON *json)
{
    cleanup_free char *text = json_print(json), *line = mem_format("%s\n", text);
    cJSON_Delete(json);
    http_answer_begin(join->call->ex, 200, "application/json");
    http_answer_write(join->call->ex, bytes_of_string(line));
}

static void join_phase(void *ctx, const char *phase)
{
    struct join *join = ctx;
    snprintf(join->phase, sizeof join->phase, "%s", phase);
    if (!join->wants_progress)
        return;
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "phase", phase);
    write_line(join, json);
}

/* @err is NULL when it has joined. */
static void answer_join(struct join *join, const struct error *err)
{
    struct api_call *call = join->call;
    if (join->wants_progress && http_answer_begun(call->ex)) {
        cJSON *json = cJSON_CreateObject();
        if (err) {
            json_add_string(json, "error", err->message);
            json_add_string(json, "kind", error_name(err->code));
        } else {
            cJSON_AddTrueToObject(json, "done");
        }
        write_line(join, json);
        http_answer_end(call->ex);
    } else if (err) {
        call_error(call, err);
    } else {
        http_answer(call->ex, 200, NULL, bytes_of(NULL, 0));
    }
}

static void join_done(void *ctx, const struct error *err)
{
    struct join *join = ctx;
    answer_join(join, err);
    join_over(join);
}

static void forget(struct join *join)
{
    const struct api_node *node = &join->call->api->options.node;
    node->join_abandon(node->node, join);
}

static void join_timeout(void *ctx)
{
    struct join *join = ctx;
    forget(join);
    struct error err;
    error_set(&err, ERR_UNAVAILABLE, "%s The join is at: %s", join_goes_on, join->phase);
    answer_join(join, &err);
    join_over(join);
}

static void join_gone(void *ctx, struct http_exchange *ex)
{
    struct join *join = ctx;
    (void)ex;
    forget(join);
    join_over(join);
}

static const char **copy_addresses(struct api_call *call, const cJSON *list, size_t *count)
{
    const cJSON *item;
    const char **addresses = arena_alloc(call->arena, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *addresses);
    *count = 0;
    cJSON_ArrayForEach (item, list) {
        if (cJSON_IsString(item) && *count < MANAGERS_COUNT)
            addresses[(*count)++] = item->valuestring;
    }
    return addresses;
}

static void start_join(struct api_call *call, const struct node_join_request *request)
{
    const struct api_node *node = &call->api->options.node;
    struct error err;
    struct join *join = arena_alloc(call->arena, sizeof *join);
    *join = (struct join){.call = call, .wants_progress = call_flag(call, "progress")};
    if (node->join(node->node, request, join_phase, join_done, join, &err) < 0) {
        if (err.code == ERR_EXISTS)
            call_fail(call, 503, "%s", in_swarm_already);
        else
            call_error(call, &err);
        return;
    }
    call_hold(call);
    /* Who sees the phases waits for the end, which each phase's own deadline brings; who does not is answered when dockerd would. */
    if (!join->wants_progress)
        join->timer = api_timer_new(call->api->options.loop, API_JOIN_TIMEOUT_MS, 0, join_timeout, join);
    http_on_gone(call->ex, join_gone, join);
}

static void join_body(struct api_call *call, const cJSON *body)
{
    struct node_join_request request = {
        .token = json_string(body, "JoinToken", ""),
        .advertise_addr = json_string(body, "AdvertiseAddr", ""),
        .listen_addr = json_string(body, "ListenAddr", ""),
        .data_path_addr = json_string(body, "DataPathAddr", ""),
        .availability = json_string(body, "Availability", NULL),
    };
    request.remotes = copy_addresses(call, json_array(body, "RemoteAddrs"), &request.remote_count);
    if (text_empty(request.availability))
        request.availability = NULL;
    if (!cJSON_IsObject(body))
        call_fail(call, 400, "the request's body: a JSON object with JoinToken and RemoteAddrs is needed");
    else if (request.remote_count == 0)
        call_fail(call, 400, "at least 1 RemoteAddr is required to join");
    else
        start_join(call, &request);
    cJSON *token = cJSON_GetObjectItemCaseSensitive(body, "JoinToken");
    if (cJSON_IsString(token))
        mem_wipe(token->valuestring, strlen(token->valuestring));
    if (call->ex->body.data)
        mem_wipe(call->ex->body.data, call->ex->body.size);
}

void docker_swarm_join(struct api_call *call)
{
    call_read_json(call, join_body);
}

/* --- leave --- */

static void left(void *ctx, const struct error *err)
{
    struct api_call *call = ctx;
    if (err)
        call_error(call, err);
    else
        http_answer(call->ex, 200, NULL, bytes_of(NULL, 0));
    call_release(call);
}

static void leave(struct api_call *call)
{
    const struct api_node *node = &call->api->options.node;
    struct error err;
    call_hold(call);
    if (node->leave(node->node, call_flag(call, "force"), left, call, &err) == 0)
        return;
    if (err.code == ERR_PRECONDITION)
        call_fail(call, 503, "%s", not_in_swarm);
    else
        call_error(call, &err);
    call_release(call);
}

struct managers {
    unsigned reachable, unreachable;
    bool are_we_reachable;
};

static struct managers count_managers(const Docker__Swarmkit__V1__ListNodesResponse *response, const char *our_id)
{
    struct managers managers = {0};
    for (size_t i = 0; i < response->n_nodes; i++) {
        const Docker__Swarmkit__V1__Node *node = response->nodes[i];
        if (node->manager_status == NULL)
            continue;
        bool is_reachable = node->manager_status->reachability == DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__REACHABLE;
        managers.reachable += is_reachable;
        managers.unreachable += node->manager_status->reachability == DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__REACHABILITY__UNREACHABLE;
        managers.are_we_reachable |= is_reachable && text_equal(node->id, our_id);
    }
    return managers;
}

/* A manager leaves with --force only: dockerd's words, by what is left behind. */
static void refuse_leave(struct swarm_call *sc, const struct control_answer *answer)
{
    static const char why[] = "You are attempting to leave the swarm on a node that is participating as a manager. ";
    struct node_info info;
    struct managers managers = {0};
    const char *left_behind = "";
    sc->call->api->options.node.info(sc->call->api->options.node.node, &info);
    if (answer->response)
        managers = count_managers((const void *)answer->response, info.node_id);
    if (managers.are_we_reachable && managers.reachable == 1 && managers.unreachable == 0) {
        swarm_fail(sc, 503, "%sRemoving the last manager erases all current state of the swarm. Use `--force` to ignore this message. ",
                   why);
        return;
    }
    if (managers.are_we_reachable && managers.reachable <= managers.unreachable + 2)
        left_behind = arena_format(
            sc->arena, "Removing this node leaves %u managers out of %u. Without a Raft quorum your swarm will be inaccessible. ",
            managers.reachable - 1, managers.reachable + managers.unreachable);
    swarm_fail(sc, 503,
               "%s%sThe only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use "
               "`--force` to suppress this message.",
               why, left_behind);
}

void docker_swarm_leave(struct api_call *call)
{
    if (!swarm_is_manager(call->api) || call_flag(call, "force")) {
        leave(call);
        return;
    }
    struct swarm_call *sc = swarm_call_new(call);
    swarm_try(sc, METHOD_Control_ListNodes, swarm_request(sc, METHOD_Control_ListNodes), refuse_leave);
}
