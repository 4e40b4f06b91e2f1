/* tests/unit/manager/ca/leader.h – the CA's part over a store in memory, in virtual time, with an external CA that answers when the test
 * says so.
 *
 *     struct leader leader;
 *     leader_begin(&leader, 0);
 *     leader_put(&leader, cluster_of(&leader.root));       // taken
 *     leader_put(&leader, leader_node("n1", STATE(PENDING), &applicant));
 *     leader_pass(&leader, 0);                              // as long as anything moves
 *     leader_end(&leader); */
#ifndef SKEP_TESTS_UNIT_MANAGER_CA_LEADER_H
#define SKEP_TESTS_UNIT_MANAGER_CA_LEADER_H

#include "manager/ca/issue.h"
#include "manager/ca/part.h"
#include "tests/unit/manager/ca/world.h"
#include "tests/unit/manager/store/fixture.h"

#define ASKED_COUNT 16

/* One question to the external CA. */
struct asked {
    char *url, *body;
    struct buf roots_pem;
    size_t url_count;
    ca_external_cb on_done;
    void *ctx;
    bool is_open, is_canceled;
};

struct leader {
    struct world world;
    struct ca_root root;
    struct part part;
    bool is_leading, is_woken;
    uint64_t now_ns;
    struct asked asked[ASKED_COUNT];
    size_t asked_count;
    bool refuses_questions;
};

static inline void leader_wake(void *self)
{
    ((struct leader *)self)->is_woken = true;
}

/* --- an external CA --- */

static inline int leader_ask(void *self, const struct external_job *job, ca_external_cb on_done, void *ctx, void **call, struct error *err)
{
    struct leader *leader = self;
    if (leader->refuses_questions)
        return error_set(err, ERR_INTERNAL, "no tool here");
    assert_true(leader->asked_count < ASKED_COUNT);
    struct asked *asked = &leader->asked[leader->asked_count++];
    *asked = (struct asked){.url = mem_string(job->urls[0]),
                            .body = mem_string(job->body),
                            .url_count = job->url_count,
                            .on_done = on_done,
                            .ctx = ctx,
                            .is_open = true};
    buf_append(&asked->roots_pem, job->roots_pem.data, job->roots_pem.size);
    *call = asked;
    return 0;
}

static inline void leader_cancel(void *self, void *call)
{
    struct asked *asked = call;
    (void)self;
    assert_true(asked->is_open);
    asked->is_open = false;
    asked->is_canceled = true;
}

static inline struct ca_asker leader_asker(struct leader *leader)
{
    return (struct ca_asker){.start = leader_ask, .cancel = leader_cancel, .self = leader};
}

static inline void leader_answer(struct leader *leader, size_t place, struct bytes cert_pem)
{
    struct asked *asked = &leader->asked[place];
    assert_true(asked->is_open);
    asked->is_open = false;
    asked->on_done(asked->ctx, NULL, cert_pem);
}

static inline void leader_refuse(struct leader *leader, size_t place, int code, const char *why)
{
    struct asked *asked = &leader->asked[place];
    struct error err;
    assert_true(asked->is_open);
    asked->is_open = false;
    error_set(&err, code, "%s", why);
    asked->on_done(asked->ctx, &err, bytes_of(NULL, 0));
}

/* --- life --- */

static inline void leader_lead(struct leader *leader, bool has_asker)
{
    struct ca_part_options options = {
        .host = {.store = leader->world.store, .random = random_system(), .wake = leader_wake, .self = leader}};
    if (has_asker)
        options.asker = leader_asker(leader);
    leader->part = ca_part_new(&options);
    leader->is_leading = leader->is_woken = true;
}

static inline void leader_lead_no_more(struct leader *leader)
{
    leader->part.free(leader->part.self);
    leader->is_leading = false;
}

static inline void leader_begin(struct leader *leader, size_t history_count)
{
    *leader = (struct leader){.now_ns = 1};
    world_begin_with(&leader->world, history_count);
    leader->world.wall_ns = now();
    leader->root = root_at(now());
    leader_lead(leader, true);
}

static inline void leader_end(struct leader *leader)
{
    if (leader->is_leading)
        leader_lead_no_more(leader);
    for (size_t i = 0; i < leader->asked_count; i++) {
        free(leader->asked[i].url);
        free(leader->asked[i].body);
        buf_deinit(&leader->asked[i].roots_pem);
    }
    world_end(&leader->world);
    ca_root_deinit(&leader->root);
}

static inline void leader_step(struct leader *leader)
{
    leader->is_woken = false;
    leader->part.step(leader->part.self, leader->now_ns);
}

/* Whatever is to be done in the next @ms. */
static inline void leader_pass(struct leader *leader, uint64_t ms)
{
    uint64_t end_ns = leader->now_ns + ms * NS_PER_MS;
    for (int turns = 0; turns < 10000; turns++) {
        uint64_t due_ns = leader->part.deadline_ns(leader->part.self);
        if (leader->is_woken || due_ns <= leader->now_ns) {
            leader_step(leader);
        } else if (leader->world.is_woken || leader->world.fn) {
            world_run(&leader->world);
            world_commit(&leader->world);
        } else if (due_ns <= end_ns) {
            leader->now_ns = due_ns;
        } else {
            leader->now_ns = end_ns;
            return;
        }
    }
    fail_msg("it never comes to rest");
}

/* --- objects --- */

/* @message is taken. */
#define leader_put(leader, object)                                                                                                         \
    do {                                                                                                                                   \
        ProtobufCMessage *message_ = &(object)->base;                                                                                      \
        assert_ok(do_write(&(leader)->world, CREATE, message_, STORE_NODE, NULL, err));                                                    \
        message_wipe_free(message_);                                                                                                       \
    } while (0)

/* A worker that waits for the certificate of @applicant; NULL: without a request. */
static inline node_message *leader_node(const char *id, Docker__Swarmkit__V1__IssuanceStatus__State state,
                                        const struct applicant *applicant)
{
    node_message *node = node_in(state, NULL);
    message_set_string(&node->id, id);
    message_set_string(&node->certificate->cn, id);
    if (applicant)
        message_set_bytes(&node->certificate->csr, buf_bytes(&applicant->request_pem));
    return node;
}

/* Taken, as an update of what is stored. */
static inline void put_again(struct leader *leader, ProtobufCMessage *message)
{
    assert_ok(do_write(&leader->world, UPDATE, message, STORE_NODE, NULL, err));
    message_wipe_free(message);
}

static inline const node_message *leader_seen(const struct leader *leader, const char *id)
{
    const node_message *seen = store_node(leader->world.store, id);
    assert_non_null(seen);
    return seen;
}

static inline const cluster_message *leader_cluster(const struct leader *leader)
{
    const cluster_message *seen = store_cluster(leader->world.store, CLUSTER_ID);
    assert_non_null(seen);
    return seen;
}

#define assert_state(leader, id, name) assert_int_equal(ca_issue_state(leader_seen(leader, id)), STATE(name))

/* Its certificate is good under @root, for this key and this node. */
static inline void assert_certified(const struct leader *leader, const char *id, const struct applicant *applicant,
                                    const struct ca_root *root)
{
    const node_message *seen = leader_seen(leader, id);
    struct certificate got;
    assert_int_equal(ca_issue_state(seen), STATE(ISSUED));
    struct bytes chain = message_bytes(seen->certificate->certificate);
    assert_ok(certificate_verify(chain, buf_bytes(&root->cert_pem), now(), NULL, err));
    if (applicant)
        assert_ok(certificate_match_key(chain, buf_bytes(&applicant->key_pem), err));
    assert_ok(certificate_read(chain, buf_bytes(&root->cert_pem), &got, err));
    assert_string_equal(got.node_id, id);
    assert_string_equal(got.cluster_id, CLUSTER_ID);
    assert_int_equal(got.role, seen->certificate->role);
    certificate_deinit(&got);
}

#endif
