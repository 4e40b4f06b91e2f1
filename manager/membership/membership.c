/* manager/membership/membership.c – the leader's side. */
#include "manager/membership/membership.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/health.pb-c.h"

#define ROOM "membership"

struct membership {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct replica *replica;
    struct tls_credentials *credentials;
    struct joiner *joiners;
};

/* One who wants in: called back, then proposed, then answered. */
struct joiner {
    struct membership *membership; /* NULL: it ended meanwhile */
    struct joiner *next, **at;
    char *node_id, *address;
    uint64_t raft_id;
    struct grpc_channel *channel;
    membership_joined_fn *fn;
    void *ctx;
};

struct membership *membership_new(const struct membership_options *options)
{
    struct membership *membership = mem_alloc(sizeof *membership);

    *membership = (struct membership){.loop = options->loop,
                                      .clock = options->clock,
                                      .random = options->random,
                                      .replica = options->replica,
                                      .credentials = options->credentials};
    return membership;
}

static void unlink_joiner(struct joiner *joiner)
{
    if (joiner->at == NULL)
        return;
    *joiner->at = joiner->next;
    if (joiner->next)
        joiner->next->at = joiner->at;
    joiner->at = NULL;
}

static void free_joiner(struct joiner *joiner)
{
    unlink_joiner(joiner);
    free(joiner->node_id);
    free(joiner->address);
    free(joiner);
}

static void refuse(struct joiner *joiner, const struct error *err)
{
    membership_joined_fn *fn = joiner->fn;
    void *ctx = joiner->ctx;

    joiner->fn = NULL;
    if (fn)
        fn(ctx, NULL, err);
}

void membership_free(struct membership *membership)
{
    struct error err;

    if (membership == NULL)
        return;
    error_set(&err, ERR_CANCELED, "this manager is shutting down");
    while (membership->joiners) { /* freed by the callbacks that are on their way */
        struct joiner *joiner = membership->joiners;
        unlink_joiner(joiner);
        joiner->membership = NULL;
        refuse(joiner, &err);
    }
    free(membership);
}

/* --- addresses --- */

static int split(const char *address, char host[GRPC_ADDRESS_SIZE_CHARS], const char **port, struct error *err)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    char *end = NULL;
    unsigned long number = colon ? strtoul(colon + 1, &end, 10) : 0;

    if (length == 0 || length >= GRPC_ADDRESS_SIZE_CHARS || number == 0 || number > 65535 || *end != 0)
        return error_set(err, ERR_INVALID, "invalid address %.100s in raft join request: it is host:port", address);
    snprintf(host, GRPC_ADDRESS_SIZE_CHARS, "%.*s", (int)length, address);
    *port = colon + 1;
    return 0;
}

/* One who does not know its own address says any, and has the one that it was seen at. */
static int resolve(const char *address, const char *seen_at, char **out, struct error *err)
{
    char host[GRPC_ADDRESS_SIZE_CHARS], seen_host[GRPC_ADDRESS_SIZE_CHARS];
    const char *port, *seen_port;
    int failed = split(address, host, &port, err);

    if (failed < 0)
        return failed;
    if (strcmp(host, "0.0.0.0") != 0 && strcmp(host, "[::]") != 0) {
        *out = mem_string(address);
        return 0;
    }
    if (split(seen_at, seen_host, &seen_port, NULL) < 0)
        return error_set(err, ERR_INVALID, "invalid address %.100s in raft join request: and it is not known where the call came from",
                         address);
    *out = mem_format("%s:%s", seen_host, port);
    return 0;
}

/* --- joining --- */

static const struct raft_member *find_by_node(const struct raft_book *book, const char *node_id)
{
    for (size_t i = 0; i < book->count; i++)
        if (strcmp(book->members[i].node_id, node_id) == 0)
            return &book->members[i];
    return NULL;
}

static uint64_t fresh_raft_id(struct membership *membership)
{
    const struct raft_book *book = raft_node_book(replica_raft(membership->replica));
    uint64_t id;

    do
        id = (random_u64(&membership->random) >> 1) + 1;
    while (id >= RAFT_APPLY_THREAD || raft_book_find(book, id) || raft_book_is_removed(book, id));
    return id;
}

static void answer(struct joiner *joiner)
{
    const struct raft_book *book = raft_node_book(replica_raft(joiner->membership->replica));
    Docker__Swarmkit__V1__JoinResponse response = DOCKER__SWARMKIT__V1__JOIN_RESPONSE__INIT;
    Docker__Swarmkit__V1__RaftMember *members = mem_array(book->count + 1, sizeof *members);
    Docker__Swarmkit__V1__RaftMemberStatus status = DOCKER__SWARMKIT__V1__RAFT_MEMBER_STATUS__INIT;
    Docker__Swarmkit__V1__RaftMember **list = mem_array(book->count + 1, sizeof *list);
    membership_joined_fn *fn = joiner->fn;

    for (size_t i = 0; i < book->count; i++) {
        docker__swarmkit__v1__raft_member__init(&members[i]);
        members[i].raft_id = book->members[i].id;
        members[i].node_id = (char *)(uintptr_t)book->members[i].node_id;
        members[i].addr = (char *)(uintptr_t)book->members[i].address;
        members[i].status = &status;
        list[i] = &members[i];
    }
    response.raft_id = joiner->raft_id;
    response.members = list;
    response.n_members = book->count;
    joiner->fn = NULL;
    if (fn)
        fn(joiner->ctx, &response, NULL);
    free(list);
    free(members);
}

static void on_proposed(void *ctx, uint64_t index, const struct error *err)
{
    struct joiner *joiner = ctx;

    (void)index;
    if (err)
        refuse(joiner, err);
    else if (joiner->membership)
        answer(joiner);
    free_joiner(joiner);
}

static int check_leading(struct membership *membership, struct error *err)
{
    if (replica_is_leading(membership->replica))
        return 0;
    return error_set(err, ERR_PRECONDITION, "raft: failed to process the request: node lost leader status");
}

static void propose(struct joiner *joiner);

static void on_old_removed(void *ctx, uint64_t index, const struct error *err)
{
    struct joiner *joiner = ctx;

    (void)index;
    if (err == NULL && joiner->membership) {
        propose(joiner);
        return;
    }
    if (err)
        refuse(joiner, err);
    free_joiner(joiner);
}

/* It asks, so it has no log; but this leader has seen it acknowledge one. As the same member it would be taken to have what it lost. */
static bool has_lost_its_log(struct raft_node *raft, uint64_t id)
{
    struct raft_node_status status;

    raft_node_status(raft, &status);
    for (size_t i = 0; i < status.peers_count; i++)
        if (status.peers[i].id == id)
            return status.peers[i].match > 0;
    return false;
}

static void propose(struct joiner *joiner)
{
    struct membership *membership = joiner->membership;
    struct raft_node *raft = replica_raft(membership->replica);
    const struct raft_member *known = find_by_node(raft_node_book(raft), joiner->node_id);
    struct error err = {0};
    int failed = check_leading(membership, &err);

    if (failed == 0 && known && has_lost_its_log(raft, known->id)) {
        log_warn(ROOM, "manager %s comes back without its log: as another member, in the place of %" PRIx64, joiner->node_id, known->id);
        if (raft_node_remove_member(raft, known->id, on_old_removed, joiner, &err) == 0)
            return;
        refuse(joiner, &err);
        free_joiner(joiner);
        return;
    }
    if (failed == 0 && known && strcmp(known->address, joiner->address) == 0) {
        joiner->raft_id = known->id;
        answer(joiner);
        free_joiner(joiner);
        return;
    }
    joiner->raft_id = known ? known->id : fresh_raft_id(membership);
    if (failed == 0)
        failed = raft_node_add_member(raft, &(struct raft_member){joiner->raft_id, joiner->node_id, joiner->address}, false, on_proposed,
                                      joiner, &err);
    if (failed == 0) {
        log_info(ROOM, "manager %s at %s %s as member %" PRIx64, joiner->node_id, joiner->address, known ? "has moved" : "joins",
                 joiner->raft_id);
        return;
    }
    refuse(joiner, &err);
    free_joiner(joiner);
}

static void on_checked(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct joiner *joiner = ctx;
    const Docker__Swarmkit__V1__HealthCheckResponse *health = (const void *)reply;
    struct error err;

    if (joiner->channel)
        grpc_channel_close(joiner->channel);
    joiner->channel = NULL;
    if (joiner->membership == NULL) { /* told already */
        free_joiner(joiner);
        return;
    }
    if (status->code == GRPC_OK && health && health->status == DOCKER__SWARMKIT__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING) {
        propose(joiner);
        return;
    }
    error_set(&err, ERR_UNAVAILABLE,
              "could not connect to prospective new cluster member using its advertised address: %s: %s. Managers must reach each other "
              "there: see --advertise-addr, and whether a firewall lets this port through",
              joiner->address, status->code == GRPC_OK ? "it does not serve yet" : status->message);
    refuse(joiner, &err);
    free_joiner(joiner);
}

static int call_back(struct joiner *joiner, struct error *err)
{
    struct membership *membership = joiner->membership;
    Docker__Swarmkit__V1__HealthCheckRequest request = DOCKER__SWARMKIT__V1__HEALTH_CHECK_REQUEST__INIT;
    int failed = grpc_channel_new(&(struct grpc_channel_options){.loop = membership->loop,
                                                                 .clock = membership->clock,
                                                                 .random = membership->random,
                                                                 .address = joiner->address,
                                                                 .credentials = membership->credentials,
                                                                 .server_name = "swarm-manager"},
                                  &joiner->channel, err);

    if (failed < 0)
        return failed;
    request.service = (char *)(uintptr_t) "Raft";
    grpc_unary(joiner->channel, METHOD(Health, Check), &request.base, &(struct grpc_call_options){.deadline_ms = MEMBERSHIP_HEALTH_MS},
               on_checked, joiner);
    return 0;
}

void membership_join(struct membership *membership, const char *node_id, const char *address, const char *seen_at, membership_joined_fn *fn,
                     void *ctx)
{
    struct error err = {0};
    char *resolved = NULL;
    int failed = check_leading(membership, &err);

    if (failed == 0)
        failed = resolve(address, seen_at, &resolved, &err);
    if (failed < 0) {
        fn(ctx, NULL, &err);
        return;
    }
    struct joiner *joiner = mem_alloc(sizeof *joiner);
    *joiner = (struct joiner){.membership = membership, .node_id = mem_string(node_id), .address = resolved, .fn = fn, .ctx = ctx};
    joiner->next = membership->joiners;
    if (joiner->next)
        joiner->next->at = &joiner->next;
    joiner->at = &membership->joiners;
    membership->joiners = joiner;
    if (call_back(joiner, &err) < 0) {
        refuse(joiner, &err);
        free_joiner(joiner);
    }
}

/* --- leaving --- */

/* Whoever sent something lately, or is ourselves. */
static bool is_reachable(const struct raft_node_status *status, uint64_t id)
{
    if (id == status->id)
        return true;
    for (size_t i = 0; i < status->peers_count; i++)
        if (status->peers[i].id == id)
            return status->peers[i].link.active_since_ns != 0;
    return false;
}

int membership_may_leave(struct membership *membership, uint64_t raft_id, struct error *err)
{
    struct raft_node *raft = replica_raft(membership->replica);
    const struct raft_book *book = raft_node_book(raft);
    struct raft_node_status status;
    cleanup_buf struct buf missing = {0};
    size_t reachable = 0;
    int failed = check_leading(membership, err);

    if (failed < 0)
        return failed;
    raft_node_status(raft, &status);
    if (!raft_ids_has(&status.conf->voters, raft_id))
        return error_set(err, ERR_NOT_FOUND, "raft: member %" PRIx64 " is not a member of this cluster", raft_id);
    for (size_t i = 0; i < status.conf->voters.count; i++) {
        uint64_t id = status.conf->voters.items[i];
        if (id == raft_id)
            continue;
        if (is_reachable(&status, id)) {
            reachable++;
            continue;
        }
        const struct raft_member *member = raft_book_find(book, id);
        buf_append_format(&missing, "%s%s", missing.size ? ", " : "", member ? member->node_id : "one that is not known");
    }
    if (status.conf->voters.count == 1)
        return error_set(err, ERR_PRECONDITION,
                         "raft: member cannot be removed, because removing it may result in loss of quorum: it is the "
                         "last manager of the swarm");
    if (reachable < (status.conf->voters.count - 1) / 2 + 1)
        return error_set(err, ERR_PRECONDITION,
                         "raft: member cannot be removed, because removing it may result in loss of quorum: of the %zu that would be left "
                         "only %zu can be reached; missing: %s",
                         status.conf->voters.count - 1, reachable, (const char *)missing.data);
    return 0;
}

/* Who has most of the log: one that is far behind could not take over in time, however often it is asked. */
static const struct raft_node_peer *choose_successor(const struct raft_node_status *status)
{
    const struct raft_node_peer *best = NULL;

    for (size_t i = 0; i < status->peers_count; i++) {
        const struct raft_node_peer *peer = &status->peers[i];
        bool may_lead = raft_ids_has(&status->conf->voters, peer->id) && peer->link.active_since_ns != 0;
        if (may_lead && (best == NULL || peer->match > best->match))
            best = peer;
    }
    return best;
}

int membership_leave(struct membership *membership, uint64_t raft_id, raft_proposed_fn fn, void *ctx, struct error *err)
{
    struct raft_node *raft = replica_raft(membership->replica);
    struct raft_node_status status;
    int failed = membership_may_leave(membership, raft_id, err);

    if (failed < 0)
        return failed;
    raft_node_status(raft, &status);
    if (raft_id != status.id)
        return raft_node_remove_member(raft, raft_id, fn, ctx, err);
    const struct raft_node_peer *successor = choose_successor(&status);
    if (successor && raft_node_transfer(raft, successor->id, NULL) == 0)
        return error_set(err, ERR_AGAIN, "the leader is to leave: leadership goes to member %" PRIx64 " first, which then removes it",
                         successor->id);
    return raft_node_remove_member(raft, raft_id, fn, ctx, err); /* nobody to hand over to */
}

/* --- health --- */

static void check_health(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    const Docker__Swarmkit__V1__HealthCheckRequest *request = (const void *)message;
    Docker__Swarmkit__V1__HealthCheckResponse response = DOCKER__SWARMKIT__V1__HEALTH_CHECK_RESPONSE__INIT;
    const struct membership_health *health = ctx;

    if (request->service[0] && strcmp(request->service, "Raft") != 0) {
        grpc_call_finish(call, GRPC_NOT_FOUND, "unknown service");
        return;
    }
    response.status = request->service[0] == 0 || *health->is_serving
                          ? DOCKER__SWARMKIT__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                          : DOCKER__SWARMKIT__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    grpc_call_reply(call, &response.base);
}

static void serve_health(struct grpc_call *call, void *ctx)
{
    static const struct grpc_call_handlers handlers = {.on_message = check_health};
    const struct membership_health *health = ctx;

    if (health->may_call(health->ctx, call))
        grpc_call_accept(call, &handlers, ctx);
}

void membership_serve_health(struct grpc_server *server, const struct membership_health *health)
{
    grpc_server_handle(server, METHOD(Health, Check), serve_health, (void *)(uintptr_t)health);
}
