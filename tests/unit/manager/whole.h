/* tests/unit/manager/whole.h – whole managers over real TLS on loopback, for the tests of them: up to HOSTS in one process, under one root
 * CA, with the certificates that the CA would sign for anyone. */
#ifndef SKEP_TESTS_UNIT_MANAGER_WHOLE_H
#define SKEP_TESTS_UNIT_MANAGER_WHOLE_H

#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "manager/ca/found.h"
#include "manager/ca/sign.h"
#include "manager/manager.h"
#include "tests/unit/proto/peer.h"

#define HOSTS 3

struct host {
    struct trial *trial;
    char id[ID_SIZE_CHARS + 1], address[64], *dir;
    struct tls_credentials *credentials;
    struct manager *manager;
    bool is_ready, is_closed, is_put;
    struct error failed;
    /* its lock: what it is opened with, and what it was told of */
    const uint8_t *lock;
    struct buf unlock_key;
    uint64_t told_version;
    int told_count, refuse_count; /* on_lock() fails so many times more */
};

struct trial {
    uv_loop_t loop;
    int64_t wall_ns;
    char cluster_id[ID_SIZE_CHARS + 1], dir[64];
    struct ca_founding founding;
    struct host hosts[HOSTS];
};

/* --- hosts --- */

static inline void on_ready(void *ctx)
{
    ((struct host *)ctx)->is_ready = true;
}

static inline void on_failed(void *ctx, const struct error *err)
{
    ((struct host *)ctx)->failed = *err;
}

static inline int on_lock(void *ctx, struct bytes unlock_key, uint64_t version, struct error *err)
{
    struct host *host = ctx;
    host->told_count++;
    if (host->refuse_count > 0 && host->refuse_count-- > 0)
        return error_set(err, ERR_NO_SPACE, "no space left");
    buf_clear(&host->unlock_key);
    buf_append(&host->unlock_key, unlock_key.data, unlock_key.size);
    host->told_version = version;
    return 0;
}

static inline void on_closed(void *ctx)
{
    struct host *host = ctx;
    host->manager = NULL;
    host->is_closed = true;
}

static inline int any_image(void *self, const char *reference, struct error *err)
{
    (void)self;
    (void)reference;
    (void)err;
    return 0;
}

/* One that the kernel says is free now. */
static inline void choose_address(struct host *host)
{
    struct sockaddr_in name;
    int size = sizeof name;
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_ip4_addr("127.0.0.1", 0, &name);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_tcp_init(&loop, &tcp), 0);
    assert_int_equal(uv_tcp_bind(&tcp, (const struct sockaddr *)&name, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&tcp, (struct sockaddr *)&name, &size), 0);
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    snprintf(host->address, sizeof host->address, "127.0.0.1:%d", ntohs(name.sin_port));
}

static inline int open_host(struct host *host, const struct control_bootstrap_options *bootstrap, const char *join, struct error *err)
{
    struct trial *trial = host->trial;
    host->is_ready = host->is_closed = false;
    host->failed = (struct error){0};
    return manager_open(
        &(struct manager_options){.loop = &trial->loop,
                                  .clock = peer_clock(&trial->wall_ns),
                                  .random = random_system(),
                                  .dir = host->dir,
                                  .credentials = host->credentials,
                                  .node_id = host->id,
                                  .cluster_id = trial->cluster_id,
                                  .listen_address = host->address,
                                  .advertise_address = host->address,
                                  .bootstrap = bootstrap,
                                  .join = join,
                                  .check_image = any_image,
                                  .lock = host->lock,
                                  .events = {.on_ready = on_ready, .on_failed = on_failed, .on_lock = on_lock, .ctx = host}},
        &host->manager, err);
}

static inline void close_host(struct host *host)
{
    if (host->manager == NULL)
        return;
    manager_close(host->manager, on_closed, host);
    run_until(&host->trial->loop, host->is_closed);
}

static inline void found(struct trial *trial)
{
    struct host *first = &trial->hosts[0];
    const struct control_bootstrap_options bootstrap = {
        .cluster_id = trial->cluster_id, .node_id = first->id, .root_ca = trial->founding.root_ca};
    assert_ok(open_host(first, &bootstrap, NULL, err));
    run_until(&trial->loop, first->is_ready);
}

#define NINETY_DAYS_NS INT64_C(7776000000000000)

/* As the CA of @root_ca signs a node at @signed_ns. Its owner trusts the trial's root. */
static inline struct tls_credentials *sign_credentials(struct trial *trial, const Docker__Swarmkit__V1__RootCA *root_ca,
                                                       const struct ca_subject *subject, int64_t signed_ns)
{
    struct clock clock = peer_clock(&trial->wall_ns);
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    cleanup_buf struct buf key = {0}, request = {0}, chain = {0};
    struct random random = random_system();
    struct ca_signer *signer;
    assert_ok(certificate_make_key(&key, err));
    assert_ok(certificate_make_request(buf_bytes(&key), &request, err));
    assert_ok(ca_signer_new(root_ca, &signer, err));
    assert_ok(ca_sign(signer, buf_bytes(&request), subject, NINETY_DAYS_NS, &random, signed_ns, &chain, err));
    ca_signer_free(signer);
    assert_ok(tls_credentials_set(credentials, buf_bytes(&chain), buf_bytes(&key), buf_bytes(&trial->founding.root_pem), err));
    return credentials;
}

/* As the CA signs a node that joins. */
static inline struct tls_credentials *make_credentials(struct trial *trial, const char *node_id, enum certificate_role role)
{
    return sign_credentials(trial, trial->founding.root_ca, &(struct ca_subject){trial->cluster_id, node_id, role}, trial->wall_ns);
}

static inline int setup(void **state)
{
    struct trial *trial = mem_alloc(sizeof *trial);
    struct random random = random_system();
    struct clock clock = clock_system();
    uv_loop_init(&trial->loop);
    trial->wall_ns = clock_wall_ns(&clock);
    snprintf(trial->dir, sizeof trial->dir, "/tmp/skep-manager-XXXXXX");
    assert_non_null(mkdtemp(trial->dir));
    id_make(&random, trial->cluster_id);
    for (int i = 0; i < HOSTS; i++) {
        struct host *host = &trial->hosts[i];
        host->trial = trial;
        id_make(&random, host->id);
        choose_address(host);
        host->dir = mem_format("%s/%d", trial->dir, i);
    }
    assert_ok(ca_found(&(struct ca_found_options){.cluster_id = trial->cluster_id,
                                                  .node_id = trial->hosts[0].id,
                                                  .expiry_ns = NINETY_DAYS_NS,
                                                  .random = random,
                                                  .wall_ns = trial->wall_ns},
                       &trial->founding, err));
    for (int i = 0; i < HOSTS; i++)
        trial->hosts[i].credentials = make_credentials(trial, trial->hosts[i].id, CERTIFICATE_MANAGER);
    *state = trial;
    return 0;
}

static inline int teardown(void **state)
{
    struct trial *trial = *state;
    for (int i = 0; i < HOSTS; i++)
        close_host(&trial->hosts[i]);
    uv_run(&trial->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&trial->loop), 0);
    for (int i = 0; i < HOSTS; i++) {
        tls_credentials_free(trial->hosts[i].credentials);
        free(trial->hosts[i].dir);
        buf_deinit(&trial->hosts[i].unlock_key);
    }
    ca_founding_deinit(&trial->founding);
    assert_ok(file_remove_tree(trial->dir, err));
    free(trial);
    return 0;
}

/* Nodes come into being by the CA; here they are put into the store at once. */
static inline int put_node(struct store_tx *tx, void *ctx, struct error *err)
{
    const struct host *host = ctx;
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    Docker__Swarmkit__V1__NodeSpec spec = DOCKER__SWARMKIT__V1__NODE_SPEC__INIT;
    node.id = (char *)(uintptr_t)host->id;
    node.spec = &spec;
    node.role = spec.desired_role = DOCKER__SWARMKIT__V1__NODE_ROLE__MANAGER;
    spec.membership = DOCKER__SWARMKIT__V1__NODE_SPEC__MEMBERSHIP__ACCEPTED;
    return store_tx_create(tx, &node.base, err);
}

static inline void on_put(void *ctx, const struct error *err)
{
    assert_null(err);
    ((struct host *)ctx)->is_put = true;
}

/* As @write has it, before anything else goes on. */
static inline void put_host(struct host *host, int (*write)(struct store_tx *tx, void *ctx, struct error *err))
{
    host->is_put = false;
    assert_ok(replica_update(manager_replica(host->trial->hosts[0].manager), write, on_put, host, err));
    run_until(&host->trial->loop, host->is_put);
}

static inline void let_in(struct trial *trial, int at)
{
    struct host *host = &trial->hosts[at];
    put_host(host, put_node);
    assert_ok(open_host(host, NULL, trial->hosts[0].address, err));
    run_until(&trial->loop, host->is_ready || host->failed.code);
    assert_string_equal(host->failed.message, "");
}

#endif
