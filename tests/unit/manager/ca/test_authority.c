/* tests/unit/manager/ca/test_authority.c – alone, and behind the control that asks it. */
#include "manager/ca/authority.h"

#include "google/protobuf/duration.pb-c.h"
#include "tests/unit/manager/ca/world.h"
#include "tests/unit/manager/store/fixture.h"

#define URL "https://ca.example/sign"

/* The one question that is asked at a time. */
struct outside {
    bool is_open, is_canceled, fails;
    int asked;
    char url[64], *body;
    struct buf roots_pem;
    ca_external_cb on_done;
    void *ctx;
};

/* What a change came to. */
struct outcome {
    int answers;
    root_message *root_ca;
    struct error err;
};

struct bureau {
    struct ca_root root, next;
    cluster_message *cluster;
    spec_message *spec;
    struct outside outside;
    struct ca_authority *authority;
    struct control_authority table;
    int64_t wall_ns;
};

static int outside_start(void *self, const struct external_job *job, ca_external_cb on_done, void *ctx, void **call, struct error *err)
{
    struct outside *outside = self;
    if (outside->fails)
        return error_set(err, ERR_INTERNAL, "no tool here");
    assert_false(outside->is_open);
    assert_int_equal(job->url_count, 1);
    assert_int_equal(job->chain_pem.size, 0); /* filled in behind the table */
    outside->is_open = true;
    outside->asked++;
    snprintf(outside->url, sizeof outside->url, "%s", job->urls[0]);
    free(outside->body);
    outside->body = mem_string(job->body);
    buf_clear(&outside->roots_pem);
    buf_append(&outside->roots_pem, job->roots_pem.data, job->roots_pem.size);
    outside->on_done = on_done;
    outside->ctx = ctx;
    *call = outside;
    return 0;
}

static void outside_cancel(void *self, void *call)
{
    struct outside *outside = self;
    assert_ptr_equal(call, outside);
    assert_true(outside->is_open);
    outside->is_open = false;
    outside->is_canceled = true;
}

static void outside_answers(struct outside *outside, const char *why_not, struct bytes cert_pem)
{
    struct error err = {0};
    assert_true(outside->is_open);
    outside->is_open = false;
    if (why_not)
        error_set(&err, ERR_PEER, "%s", why_not);
    outside->on_done(outside->ctx, why_not ? &err : NULL, cert_pem);
}

static int64_t bureau_wall(void *self)
{
    return ((struct bureau *)self)->wall_ns;
}

static void open_authority(struct bureau *bureau, bool has_asker)
{
    struct ca_authority_options options = {.clock = {.wall_ns = bureau_wall, .self = bureau}, .random = random_system()};
    if (has_asker)
        options.asker = (struct ca_asker){.start = outside_start, .cancel = outside_cancel, .self = &bureau->outside};
    bureau->authority = ca_authority_new(&options);
    bureau->table = ca_authority_control(bureau->authority);
}

static int set_up(void **state)
{
    struct bureau *bureau = mem_alloc(sizeof *bureau);
    bureau->wall_ns = now();
    bureau->root = root_at(now());
    bureau->next = root_at(now());
    bureau->cluster = cluster_of(&bureau->root);
    bureau->spec = MESSAGE_COPY(bureau->cluster->spec);
    open_authority(bureau, true);
    *state = bureau;
    return 0;
}

static int tear_down(void **state)
{
    struct bureau *bureau = *state;
    ca_authority_free(bureau->authority);
    ca_root_deinit(&bureau->root);
    ca_root_deinit(&bureau->next);
    message_wipe_free(&bureau->cluster->base);
    message_wipe_free(&bureau->spec->base);
    free(bureau->outside.body);
    buf_deinit(&bureau->outside.roots_pem);
    free(bureau);
    return 0;
}

static void on_change(void *ctx, root_message *root_ca, const struct error *err)
{
    struct outcome *outcome = ctx;
    assert_true((root_ca == NULL) == (err != NULL));
    outcome->answers++;
    outcome->root_ca = root_ca;
    if (err)
        outcome->err = *err;
}

static void forget(struct outcome *outcome)
{
    message_wipe_free(outcome->root_ca ? &outcome->root_ca->base : NULL);
    *outcome = (struct outcome){0};
}

static void ask_for(struct bureau *bureau, struct outcome *outcome)
{
    bureau->table.change(bureau->table.self, &(struct control_ca_change){.cluster = bureau->cluster, .spec = bureau->spec}, on_change,
                         outcome);
}

static void add_external(spec_message *spec, struct bytes cert_pem)
{
    Docker__Swarmkit__V1__CAConfig *config = spec->ca_config;
    config->external_cas = mem_array(1, sizeof *config->external_cas);
    config->n_external_cas = 1;
    config->external_cas[0] = MESSAGE_NEW(Docker__Swarmkit__V1__ExternalCA, docker__swarmkit__v1__external_ca);
    message_set_string(&config->external_cas[0]->url, URL);
    message_set_bytes(&config->external_cas[0]->ca_cert, cert_pem);
}

/* The key of the present root is elsewhere, and the next one is made here. */
static void be_external(struct bureau *bureau)
{
    message_set_bytes(&bureau->cluster->root_ca->ca_key, bytes_of(NULL, 0));
    add_external(bureau->spec, bytes_of(NULL, 0));
    bureau->spec->ca_config->force_rotate = 1;
}

static void what_needs_nobody_is_answered_at_once(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    ask_for(bureau, &outcome);
    assert_int_equal(outcome.answers, 1);
    assert_true(message_equal(&outcome.root_ca->base, &bureau->cluster->root_ca->base));
    forget(&outcome);
    bureau->table.change(bureau->table.self,
                         &(struct control_ca_change){.cluster = bureau->cluster, .spec = bureau->spec, .rotates_worker_token = true},
                         on_change, &outcome);
    assert_int_equal(outcome.answers, 1);
    assert_string_not_equal(outcome.root_ca->join_tokens->worker, bureau->cluster->root_ca->join_tokens->worker);
    assert_string_equal(outcome.root_ca->join_tokens->manager, bureau->cluster->root_ca->join_tokens->manager);
    forget(&outcome);
    bureau->spec->ca_config->force_rotate = 1;
    ask_for(bureau, &outcome);
    assert_non_null(outcome.root_ca->root_rotation);
    assert_int_equal(bureau->outside.asked, 0);
    forget(&outcome);
}

static void what_cannot_be_is_refused_at_once(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    message_set_bytes(&bureau->spec->ca_config->signing_ca_key, buf_bytes(&bureau->next.key_pem));
    ask_for(bureau, &outcome);
    assert_int_equal(outcome.answers, 1);
    assert_int_equal(outcome.err.code, ERR_INVALID);
    assert_string_equal(outcome.err.message, "if a signing CA key is provided, the signing CA cert must also be provided");
}

static void external_ca_is_reached_before_it_is_believed_in(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    message_set_bytes(&bureau->spec->ca_config->signing_ca_cert, buf_bytes(&bureau->next.cert_pem));
    add_external(bureau->spec, buf_bytes(&bureau->next.cert_pem));
    ask_for(bureau, &outcome);
    assert_int_equal(outcome.answers, 0);
    assert_string_equal(bureau->outside.url, URL);
    assert_null(bureau->outside.body);
    assert_true(bytes_equal(buf_bytes(&bureau->outside.roots_pem), buf_bytes(&bureau->next.cert_pem)));
    outside_answers(&bureau->outside, NULL, bytes_of(NULL, 0));
    assert_int_equal(outcome.answers, 1);
    assert_true(bytes_equal(message_bytes(outcome.root_ca->root_rotation->ca_cert), buf_bytes(&bureau->next.cert_pem)));
    forget(&outcome);
    ask_for(bureau, &outcome);
    outside_answers(&bureau->outside, "https://ca.example/sign: connection refused", bytes_of(NULL, 0));
    assert_int_equal(outcome.answers, 1);
    assert_int_equal(outcome.err.code, ERR_INVALID);
    assert_non_null(strstr(outcome.err.message, "reachable external CA corresponding to the desired CA certificate"));
}

static void external_ca_signs_the_next_root(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    cleanup_buf struct buf crossed = {0};
    be_external(bureau);
    ask_for(bureau, &outcome);
    outside_answers(&bureau->outside, NULL, bytes_of(NULL, 0)); /* it can be reached */
    assert_int_equal(outcome.answers, 0);
    assert_non_null(strstr(bureau->outside.body, "\"profile\":\"CA\""));
    assert_true(bytes_equal(buf_bytes(&bureau->outside.roots_pem), buf_bytes(&bureau->root.cert_pem)));
    outside_answers(&bureau->outside, "it is not allowed to", bytes_of(NULL, 0));
    assert_int_equal(outcome.answers, 1);
    assert_int_equal(outcome.err.code, ERR_UNAVAILABLE);
    assert_int_equal(bureau->outside.asked, 2);
    forget(&outcome);

    /* The root that is given, which the test can sign. */
    message_set_bytes(&bureau->spec->ca_config->signing_ca_cert, buf_bytes(&bureau->next.cert_pem));
    message_set_bytes(&bureau->spec->ca_config->signing_ca_key, buf_bytes(&bureau->next.key_pem));
    ask_for(bureau, &outcome);
    outside_answers(&bureau->outside, NULL, bytes_of(NULL, 0));
    assert_ok(ca_cross_sign(buf_bytes(&bureau->root.cert_pem), buf_bytes(&bureau->root.key_pem), buf_bytes(&bureau->next.cert_pem),
                            &crossed, err));
    outside_answers(&bureau->outside, NULL, buf_bytes(&crossed));
    assert_int_equal(outcome.answers, 1);
    assert_true(bytes_equal(message_bytes(outcome.root_ca->root_rotation->cross_signed_ca_cert), buf_bytes(&crossed)));
    forget(&outcome);
}

static void way_that_is_missing_is_said(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    be_external(bureau);
    bureau->outside.fails = true;
    ask_for(bureau, &outcome);
    assert_int_equal(outcome.err.code, ERR_INTERNAL);
    assert_string_equal(outcome.err.message, "no tool here");
    forget(&outcome);
    ca_authority_free(bureau->authority);
    open_authority(bureau, false);
    ask_for(bureau, &outcome);
    assert_int_equal(outcome.err.code, ERR_UNSUPPORTED);
}

struct many {
    struct outside outside[2]; /* in the order in which they were asked */
    size_t count;
};

static int many_start(void *self, const struct external_job *job, ca_external_cb on_done, void *ctx, void **call, struct error *err)
{
    struct many *many = self;
    struct outside *outside = &many->outside[many->count++];
    (void)job;
    (void)err;
    *outside = (struct outside){.is_open = true, .on_done = on_done, .ctx = ctx};
    *call = outside;
    return 0;
}

static void many_cancel(void *self, void *call)
{
    (void)self;
    outside_cancel(call, call);
}

static void changes_do_not_mix_and_end_when_they_are_told_to(void **state)
{
    struct bureau *bureau = *state;
    struct many many = {0};
    struct outcome first = {0}, second = {0};
    spec_message *other = MESSAGE_COPY(bureau->spec);
    struct error why;
    ca_authority_free(bureau->authority);
    bureau->authority = ca_authority_new(&(struct ca_authority_options){
        .clock = {.wall_ns = bureau_wall, .self = bureau}, .random = random_system(), .asker = {many_start, many_cancel, &many}});
    bureau->table = ca_authority_control(bureau->authority);
    message_set_bytes(&bureau->spec->ca_config->signing_ca_cert, buf_bytes(&bureau->next.cert_pem));
    add_external(bureau->spec, buf_bytes(&bureau->next.cert_pem));
    struct ca_root third = root_at(now());
    message_set_bytes(&other->ca_config->signing_ca_cert, buf_bytes(&third.cert_pem));
    add_external(other, buf_bytes(&third.cert_pem));
    ask_for(bureau, &first);
    bureau->table.change(bureau->table.self, &(struct control_ca_change){.cluster = bureau->cluster, .spec = other}, on_change, &second);
    outside_answers(&many.outside[1], NULL, bytes_of(NULL, 0));
    assert_int_equal(second.answers, 1);
    assert_true(bytes_equal(message_bytes(second.root_ca->root_rotation->ca_cert), buf_bytes(&third.cert_pem)));
    assert_int_equal(first.answers, 0);
    error_set(&why, ERR_ABORTED, "another leads");
    ca_authority_end(bureau->authority, &why);
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.err.code, ERR_ABORTED);
    assert_true(many.outside[0].is_canceled);
    assert_int_equal(second.answers, 1);
    ca_authority_end(bureau->authority, &why); /* nobody is left */
    forget(&second);
    ca_root_deinit(&third);
    message_wipe_free(&other->base);
}

static void unlock_keys_and_expiry_are_the_ca_s(void **state)
{
    struct bureau *bureau = *state;
    cleanup_buf struct buf chain = {0};
    int64_t wall_ns = 0;
    bureau->cluster->spec->encryption_config = MESSAGE_NEW(Docker__Swarmkit__V1__EncryptionConfig, docker__swarmkit__v1__encryption_config);
    bureau->cluster->spec->encryption_config->auto_lock_managers = true;
    bureau->table.unlock(bureau->table.self, bureau->cluster, false);
    assert_int_equal(bureau->cluster->n_unlock_keys, 1);
    cleanup_buf struct buf key = {0};
    buf_append(&key, bureau->cluster->unlock_keys[0]->key.data, bureau->cluster->unlock_keys[0]->key.len);
    bureau->table.unlock(bureau->table.self, bureau->cluster, true);
    assert_int_equal(bureau->cluster->unlock_keys[0]->key.len, key.size);
    assert_false(bytes_equal(message_bytes(bureau->cluster->unlock_keys[0]->key), buf_bytes(&key)));
    assert_true(bureau->table.expires(bureau->table.self, fixture(&chain, "manager-1.crt"), &wall_ns));
    assert_true(wall_ns == instant("2027-02-21T22:45:00Z"));
    assert_false(bureau->table.expires(bureau->table.self, bytes_of(NULL, 0), &wall_ns));
    assert_false(bureau->table.expires(bureau->table.self, bytes_of_string("no certificate"), &wall_ns));
}

/* --- behind control --- */

static bool is_no_member(void *self, const char *node_id, struct control_member *out)
{
    (void)self;
    (void)node_id;
    (void)out;
    return false;
}

static bool may_remove(void *self, uint64_t raft_id)
{
    (void)self;
    (void)raft_id;
    return true;
}

static int check_constraints(void *self, char *const *texts, size_t count, struct error *err)
{
    (void)self;
    (void)texts;
    (void)count;
    (void)err;
    return 0;
}

static int check_image(void *self, const char *reference, struct error *err)
{
    (void)self;
    (void)reference;
    (void)err;
    return 0;
}

static bool is_dirty(void *self, const Docker__Swarmkit__V1__Service *service, const Docker__Swarmkit__V1__Task *task,
                     const Docker__Swarmkit__V1__Node *node)
{
    (void)self;
    (void)service;
    (void)task;
    (void)node;
    return false;
}

static void on_update(void *ctx, const struct control_answer *answer)
{
    struct outcome *outcome = ctx;
    outcome->answers++;
    if (answer->err)
        outcome->err = *answer->err;
}

/* `docker swarm ca --rotate` with an external CA, and the manager stops leading before that has answered. */
static void control_may_be_freed_when_the_changes_have_ended(void **state)
{
    struct bureau *bureau = *state;
    struct outcome outcome = {0};
    struct world world;
    struct error why;
    world_begin(&world);
    bureau->cluster->spec->annotations = MESSAGE_NEW(Docker__Swarmkit__V1__Annotations, docker__swarmkit__v1__annotations);
    message_set_string(&bureau->cluster->spec->annotations->name, "default");
    do_create(&world, bureau->cluster);
    struct control *control = control_new(
        &(struct control_options){.host = {.store = world.store, .random = random_system()},
                                  .rules = {.check_constraints = check_constraints, .check_image = check_image, .is_dirty = is_dirty},
                                  .members = {.find = is_no_member, .may_remove = may_remove},
                                  .authority = bureau->table});
    Docker__Swarmkit__V1__UpdateClusterRequest request = DOCKER__SWARMKIT__V1__UPDATE_CLUSTER_REQUEST__INIT;
    const cluster_message *seen = store_cluster(world.store, CLUSTER_ID);
    request.cluster_id = seen->id;
    request.cluster_version = seen->meta->version;
    request.spec = MESSAGE_COPY(seen->spec);
    request.spec->ca_config->force_rotate = 1;
    control_update_cluster(control, &request, on_update, &outcome); /* signed here: no question */
    world_settle(&world);
    assert_int_equal(outcome.answers, 1);
    assert_string_equal(outcome.err.message, "");
    seen = store_cluster(world.store, CLUSTER_ID);
    assert_non_null(seen->root_ca->root_rotation);

    add_external(request.spec, buf_bytes(&bureau->next.cert_pem));
    message_set_bytes(&request.spec->ca_config->signing_ca_cert, buf_bytes(&bureau->next.cert_pem));
    request.cluster_version = seen->meta->version;
    control_update_cluster(control, &request, on_update, &outcome);
    assert_int_equal(outcome.answers, 1);
    error_set(&why, ERR_ABORTED, "another leads");
    ca_authority_end(bureau->authority, &why);
    store_fail(world.store, &why);
    assert_int_equal(outcome.answers, 2);
    assert_string_equal(outcome.err.message, "another leads");
    control_free(control);
    message_wipe_free(&request.spec->base);
    world_end(&world);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_needs_nobody_is_answered_at_once),
        TEST(what_cannot_be_is_refused_at_once),
        TEST(external_ca_is_reached_before_it_is_believed_in),
        TEST(external_ca_signs_the_next_root),
        TEST(way_that_is_missing_is_said),
        TEST(changes_do_not_mix_and_end_when_they_are_told_to),
        TEST(unlock_keys_and_expiry_are_the_ca_s),
        TEST(control_may_be_freed_when_the_changes_have_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
