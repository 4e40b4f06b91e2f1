/* The authorisation matrix over the wire: every method × every kind of caller, at a leader and at a follower. What each may is the table in
 * every_caller_may_what_the_table_says(). */
#include "base/mem.h"
#include "raft/peer.h"
#include "tests/unit/manager/whole.h"

#define PEER      "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = "
#define FORWARDER "Permission denied: unauthorized forwarder role: rpc error: code = PermissionDenied desc = "
#define NO_PAPERS "no client certificates in request"
#define NO_UNIT   "Permission denied: remote certificate not part of OUs: [swarm-manager]"
#define NO_ORG    "Permission denied: remote certificate not part of organization: $CLUSTER"
#define NO_MORE   "Permission denied: node removed1 was removed from swarm"
#define NO_CLAIM  "Permission denied: unauthorized forwarded role, expecting: [swarm-manager]"
#define MISMATCH  "Permission denied: organization mismatch, expecting: $CLUSTER"
#define NO_NAME   "Permission denied: missing information in forwarded request"

static const char MAY[] = "may", TLS[] = "TLS refuses";

enum age { VALID, EXPIRED };
enum home { OURS, ANOTHER_BY_OUR_CA /* one external CA may sign for two clusters */, ANOTHER, NOWHERE };
#define WORKER  CERTIFICATE_WORKER
#define MANAGER CERTIFICATE_MANAGER

/* Whom a caller says that it passes a call on for. */
struct claim {
    const char *name;
    enum home home;
    const char *unit;
};

struct caller {
    const char *who;
    const char *name; /* NULL: no certificate */
    enum home home;
    enum certificate_role role;
    enum age age;
    struct claim claim;                  /* none without a name */
    const char *anyone, *node, *manager; /* by who may call the method: MAY, TLS, or PERMISSION_DENIED with these words */
};

/* Methods that are in the list, as clients may call them, and that no manager of ours serves. */
static const struct method *const unserved[] = {METHOD(Watch, Watch), METHOD(Dispatcher, UpdateVolumeStatus), METHOD(Dispatcher, Tasks)};

#define METHODS_COUNT (METHOD_COUNT + 1)

static const struct method *method_at(size_t i)
{
    return i < METHOD_COUNT ? &method_list[i] : &raft_stream_method;
}

static bool is_served(const struct method *method)
{
    for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++)
        if (unserved[i] == method)
            return false;
    return true;
}

/* --- one call --- */

struct attempt {
    bool is_done, has_message, is_from_peer;
    int code;
    char message[512];
};

static void on_bytes(struct grpc_call *call, struct bytes packed, void *ctx)
{
    (void)packed;
    ((struct attempt *)ctx)->has_message = true;
    grpc_call_cancel(call);
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct attempt *attempt = ctx;
    (void)call;
    attempt->is_done = true;
    attempt->code = status->code;
    attempt->is_from_peer = status->is_from_peer;
    snprintf(attempt->message, sizeof attempt->message, "%s", status->message);
}

/* With a request that says nothing, so that nothing is done where it is let in. */
static void call(struct grpc_channel *channel, const struct method *method, const struct grpc_metadatum *metadata, size_t count,
                 struct attempt *attempt)
{
    static const struct grpc_call_handlers handlers = {.on_bytes = on_bytes, .on_done = on_done};
    const struct grpc_call_options options = {.deadline_ms = 2000, .metadata = metadata, .metadata_count = count};
    struct grpc_call *made = grpc_call_start(channel, method, &options, &handlers, attempt);
    assert_ok(grpc_call_send_bytes(made, bytes_of(NULL, 0), err));
    grpc_call_send_end(made);
}

/* --- one caller --- */

struct calling {
    struct tls_credentials *credentials;
    struct grpc_channel *channel;
    struct attempt attempts[METHODS_COUNT];
};

static const char *organization(const struct trial *trial, enum home home)
{
    return home == OURS ? trial->cluster_id : home == NOWHERE ? "" : "another1";
}

static size_t claim_metadata(const struct trial *trial, const struct claim *claim, struct grpc_metadatum out[5])
{
    size_t count = 0;
    if (claim->name == NULL)
        return 0;
    out[count++] = (struct grpc_metadatum){"forwarded_cert", "true"};
    out[count++] = (struct grpc_metadatum){"forwarded_cert_cn", claim->name};
    out[count++] = (struct grpc_metadatum){"forwarded_cert_org", organization(trial, claim->home)};
    if (claim->unit)
        out[count++] = (struct grpc_metadatum){"forwarded_cert_ou", claim->unit};
    out[count++] = (struct grpc_metadatum){"remote_addr", "10.0.0.9:4000"};
    return count;
}

static void begin(struct trial *trial, const struct ca_founding *another, const struct caller *caller, struct host *host,
                  struct calling *out)
{
    const struct ca_subject subject = {organization(trial, caller->home), caller->name ? caller->name : "worker1", caller->role};
    const Docker__Swarmkit__V1__RootCA *root_ca = caller->home == ANOTHER ? another->root_ca : trial->founding.root_ca;
    int64_t signed_ns = caller->age == EXPIRED ? trial->wall_ns - 2 * NINETY_DAYS_NS : trial->wall_ns;
    struct grpc_metadatum metadata[5];
    size_t count = claim_metadata(trial, &caller->claim, metadata);
    out->credentials = sign_credentials(trial, root_ca, &subject, signed_ns);
    assert_ok(grpc_channel_new(&(struct grpc_channel_options){.loop = &trial->loop,
                                                              .clock = peer_clock(&trial->wall_ns),
                                                              .random = random_system(),
                                                              .address = host->address,
                                                              .credentials = out->credentials,
                                                              .is_anonymous = caller->name == NULL,
                                                              .server_name = "swarm-manager"},
                               &out->channel, err));
    for (size_t i = 0; i < METHODS_COUNT; i++)
        call(out->channel, method_at(i), metadata, count, &out->attempts[i]);
}

static bool are_all_done(const struct calling *calling)
{
    for (size_t i = 0; i < METHODS_COUNT; i++)
        if (!calling->attempts[i].is_done)
            return false;
    return true;
}

static void end(struct calling *calling)
{
    grpc_channel_close(calling->channel);
    tls_credentials_free(calling->credentials);
}

/* --- what came of it --- */

static const char *expected(const struct caller *caller, const struct method *method)
{
    return method->callers == METHOD_ANYONE ? caller->anyone : method->callers == METHOD_NODE ? caller->node : caller->manager;
}

/* "$CLUSTER" is ours. */
static bool are_the_words(const struct trial *trial, const char *want, const char *got)
{
    const char *gap = strstr(want, "$CLUSTER");
    cleanup_free char *words =
        gap ? mem_format("%.*s%s%s", (int)(gap - want), want, trial->cluster_id, gap + strlen("$CLUSTER")) : mem_string(want);
    return strcmp(words, got) == 0;
}

/* Any answer that only one who was let in can have; a stream that says nothing is let in too. */
static bool was_let_in(const struct attempt *attempt)
{
    if (attempt->has_message || (!attempt->is_from_peer && attempt->code == GRPC_DEADLINE_EXCEEDED))
        return true;
    return attempt->is_from_peer && attempt->code != GRPC_PERMISSION_DENIED && attempt->code != GRPC_UNAUTHENTICATED &&
           (attempt->code != GRPC_UNIMPLEMENTED || strncmp(attempt->message, "unknown ", 8) != 0);
}

static bool is_as(const struct trial *trial, const char *want, const struct method *method, const struct attempt *attempt)
{
    if (want == TLS)
        return !attempt->is_from_peer && attempt->code == GRPC_UNAVAILABLE && !attempt->has_message;
    if (!is_served(method))
        return attempt->is_from_peer && attempt->code == GRPC_UNIMPLEMENTED && strncmp(attempt->message, "unknown ", 8) == 0;
    if (want == MAY)
        return was_let_in(attempt);
    return attempt->is_from_peer && attempt->code == GRPC_PERMISSION_DENIED && are_the_words(trial, want, attempt->message);
}

static size_t judge(const struct trial *trial, const struct caller *caller, const struct calling *calling, const char *where)
{
    size_t wrong = 0;
    for (size_t i = 0; i < METHODS_COUNT; i++) {
        const struct method *method = method_at(i);
        const struct attempt *attempt = &calling->attempts[i];
        const char *want = expected(caller, method);
        if (is_as(trial, want, method, attempt))
            continue;
        print_error("%s calls %s at the %s: want: %s; got: %s \"%s\"%s\n", caller->who, method->path, where, want,
                    grpc_code_name(attempt->code), attempt->message, attempt->has_message ? ", after a message" : "");
        wrong++;
    }
    return wrong;
}

/* --- the world --- */

static int put_removed(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct trial *trial = ((struct host *)ctx)->trial;
    Docker__Swarmkit__V1__BlacklistedCertificate certificate = DOCKER__SWARMKIT__V1__BLACKLISTED_CERTIFICATE__INIT;
    Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry entry = DOCKER__SWARMKIT__V1__CLUSTER__BLACKLISTED_CERTIFICATES_ENTRY__INIT;
    Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry *list[] = {&entry};
    Docker__Swarmkit__V1__Cluster cluster = *store_cluster(manager_store(trial->hosts[0].manager), trial->cluster_id);
    entry.key = (char *)(uintptr_t) "removed1";
    entry.value = &certificate;
    cluster.blacklisted_certificates = list;
    cluster.n_blacklisted_certificates = 1;
    return store_tx_update(tx, &cluster.base, err);
}

static bool knows_of_removed(struct host *host, const struct trial *trial)
{
    const Docker__Swarmkit__V1__Cluster *cluster = store_cluster(manager_store(host->manager), trial->cluster_id);
    return cluster && cluster->n_blacklisted_certificates == 1;
}

static void make_world(struct trial *trial, struct ca_founding *another)
{
    found(trial);
    let_in(trial, 1);
    put_host(&trial->hosts[0], put_removed);
    run_until(&trial->loop, knows_of_removed(&trial->hosts[1], trial));
    assert_ok(ca_found(&(struct ca_found_options){.cluster_id = "another1",
                                                  .node_id = "manager1",
                                                  .expiry_ns = NINETY_DAYS_NS,
                                                  .random = random_system(),
                                                  .wall_ns = trial->wall_ns},
                       another, err));
}

/* --- tests --- */

/* Who is known by a certificate of ours that counts no more, or by one of elsewhere, is nobody to a method that anyone may call. */
static void every_caller_may_what_the_table_says(void **state)
{
    const struct claim as_worker = {"worker2", OURS, "swarm-worker"}, as_manager = {"manager2", OURS, "swarm-manager"};
    const struct claim as_removed = {"removed1", OURS, "swarm-worker"}, as_removed_manager = {"removed1", OURS, "swarm-manager"};
    const struct claim as_stranger = {"manager2", ANOTHER, "swarm-manager"}, as_nobody = {"", NOWHERE, NULL}, none = {0};
    // clang-format off
    const struct caller table[] = {
        /* who                                   its certificate                                     claims to pass on for   anyone's, nodes' and managers' methods */
        {"nobody",                               NULL,       OURS,              WORKER,  VALID,      none,               MAY, PEER NO_PAPERS, PEER NO_PAPERS},
        {"a worker",                             "worker1",  OURS,              WORKER,  VALID,      none,               MAY, MAY, PEER NO_UNIT},
        {"a manager",                            "manager1", OURS,              MANAGER, VALID,      none,               MAY, MAY, MAY},
        {"another cluster's worker",             "worker1",  ANOTHER,           WORKER,  VALID,      none,               TLS, TLS, TLS},
        {"another cluster's manager",            "manager1", ANOTHER,           MANAGER, VALID,      none,               TLS, TLS, TLS},
        {"another cluster's worker, by our CA",  "worker1",  ANOTHER_BY_OUR_CA, WORKER,  VALID,      none,               MAY, PEER NO_ORG, PEER NO_UNIT},
        {"another cluster's manager, by our CA", "manager1", ANOTHER_BY_OUR_CA, MANAGER, VALID,      none,               MAY, PEER NO_ORG, PEER NO_ORG},
        {"a removed worker",                     "removed1", OURS,              WORKER,  VALID,      none,               MAY, PEER NO_MORE, PEER NO_UNIT},
        {"a removed manager",                    "removed1", OURS,              MANAGER, VALID,      none,               MAY, PEER NO_MORE, PEER NO_MORE},
        {"an expired worker",                    "worker1",  OURS,              WORKER,  EXPIRED,    none,               TLS, TLS, TLS},
        {"an expired manager",                   "manager1", OURS,              MANAGER, EXPIRED,    none,               TLS, TLS, TLS},

        {"nobody, as a manager",                 NULL,       OURS,              WORKER,  VALID,      as_manager,         FORWARDER NO_PAPERS, FORWARDER NO_PAPERS, FORWARDER NO_PAPERS},
        {"a worker, as a manager",               "worker1",  OURS,              WORKER,  VALID,      as_manager,         FORWARDER NO_UNIT, FORWARDER NO_UNIT, FORWARDER NO_UNIT},
        {"a worker, as another worker",          "worker1",  OURS,              WORKER,  VALID,      as_worker,          FORWARDER NO_UNIT, FORWARDER NO_UNIT, FORWARDER NO_UNIT},
        {"a stranger by our CA, as a manager",   "manager1", ANOTHER_BY_OUR_CA, MANAGER, VALID,      as_manager,         FORWARDER NO_ORG, FORWARDER NO_ORG, FORWARDER NO_ORG},
        {"a removed manager, as a manager",      "removed1", OURS,              MANAGER, VALID,      as_manager,         FORWARDER NO_MORE, FORWARDER NO_MORE, FORWARDER NO_MORE},
        {"a manager, for a worker",              "manager1", OURS,              MANAGER, VALID,      as_worker,          MAY, MAY, NO_CLAIM},
        {"a manager, for a manager",             "manager1", OURS,              MANAGER, VALID,      as_manager,         MAY, MAY, MAY},
        {"a manager, for a removed worker",      "manager1", OURS,              MANAGER, VALID,      as_removed,         MAY, NO_MORE, NO_CLAIM},
        {"a manager, for a removed manager",     "manager1", OURS,              MANAGER, VALID,      as_removed_manager, MAY, NO_MORE, NO_MORE},
        {"a manager, for a stranger",            "manager1", OURS,              MANAGER, VALID,      as_stranger,        MAY, MISMATCH, MISMATCH},
        {"a manager, for nobody",                "manager1", OURS,              MANAGER, VALID,      as_nobody,          MAY, NO_NAME, NO_NAME},
    };
    // clang-format on
    enum { COUNT = sizeof table / sizeof table[0] };
    static const char *const wheres[] = {"leader", "follower"};
    struct trial *trial = *state;
    struct ca_founding another;
    size_t wrong = 0;
    make_world(trial, &another);
    for (int at = 0; at < 2; at++) {
        struct calling *callings = mem_array(COUNT, sizeof *callings);
        for (size_t i = 0; i < COUNT; i++) {
            begin(trial, &another, &table[i], &trial->hosts[at], &callings[i]);
            if (i % 8 != 7 && i + 1 < COUNT) /* eight at a time */
                continue;
            for (size_t k = i / 8 * 8; k <= i; k++)
                run_until(&trial->loop, are_all_done(&callings[k]));
        }
        for (size_t i = 0; i < COUNT; i++) {
            wrong += judge(trial, &table[i], &callings[i], wheres[at]);
            end(&callings[i]);
        }
        free(callings);
    }
    ca_founding_deinit(&another);
    if (wrong > 0)
        fail_msg("%zu of the %d answers are not as the table says", wrong, 2 * COUNT * METHODS_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_caller_may_what_the_table_says, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
