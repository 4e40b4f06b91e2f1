/* tests/unit/agent/identity_fixture.h – a state directory of its own, an authority, and pairs of key and certificate that it made. */
#ifndef SKEP_TESTS_UNIT_AGENT_IDENTITY_FIXTURE_H
#define SKEP_TESTS_UNIT_AGENT_IDENTITY_FIXTURE_H

#include <stdlib.h>

#include "agent/identity.h"
#include "base/file.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/proto/identity/authority.h"
#include "tests/unit/proto/identity/fixture.h"

struct host {
    char dir[64];
    struct authority authority;
};

static inline int set_up(void **state)
{
    struct host *host = mem_alloc(sizeof *host);
    snprintf(host->dir, sizeof host->dir, "/tmp/skep-identity-XXXXXX");
    assert_non_null(mkdtemp(host->dir));
    authority_init(&host->authority, instant("2026-01-01T00:00:00Z"));
    log_init(LOG_TEXT, LOG_ERROR, stderr);
    *state = host;
    return 0;
}

static inline int tear_down(void **state)
{
    struct host *host = *state;
    assert_ok(file_remove_tree(host->dir, err));
    authority_deinit(&host->authority);
    free(host);
    return 0;
}

static inline bool is_there(const struct host *host, const char *name)
{
    cleanup_free char *path = mem_format("%s/node/%s", host->dir, name);
    return file_exists(path);
}

/* A key and a certificate for it, made by @authority. */
struct pair {
    struct buf key_pem, request_pem, chain_pem;
};

static inline void pair_make(struct authority *authority, const char *node_id, struct pair *pair)
{
    *pair = (struct pair){0};
    assert_ok(certificate_make_key(&pair->key_pem, err));
    assert_ok(certificate_make_request(buf_bytes(&pair->key_pem), &pair->request_pem, err));
    authority_issue(authority, buf_bytes(&pair->request_pem), node_id, "swarm-worker", "cluster", instant("2026-11-01T00:00:00Z"),
                    90 * 24 * 3600, &pair->chain_pem);
}

static inline void pair_deinit(struct pair *pair)
{
    buf_deinit(&pair->key_pem);
    buf_deinit(&pair->request_pem);
    buf_deinit(&pair->chain_pem);
}

static inline int store_pair(struct identity *identity, const struct buf *root_pem, const struct pair *pair, struct error *err)
{
    return identity_store(identity, buf_bytes(root_pem), buf_bytes(&pair->chain_pem), buf_bytes(&pair->key_pem), err);
}

static const uint8_t the_lock[IDENTITY_LOCK_SIZE_BYTES] = {3}, another_lock[IDENTITY_LOCK_SIZE_BYTES] = {4};

/* Under the host's own key, where the system has one, but not under the lock. */
static inline bool lies_in_clear(const struct host *host)
{
    cleanup_buf struct buf sealed = {0}, text = {0};
    cleanup_free char *path = mem_format("%s/node/node.key", host->dir);
    assert_ok(file_read(path, MIB, &sealed, err));
    assert_ok(guard_open(buf_bytes(&sealed), &text, err));
    buf_append(&text, "", 1);
    bool is_encrypted = strstr((const char *)text.data, "BEGIN ENCRYPTED PRIVATE KEY") != NULL;
    assert_true(is_encrypted != (strstr((const char *)text.data, "BEGIN PRIVATE KEY") != NULL));
    return !is_encrypted;
}

#endif
