/* tests/unit/manager/ca/test_part_ask.c – nodes signed by external CAs. */
#include "tests/unit/manager/ca/leader.h"

static int set_up(void **state)
{
    struct leader *leader = mem_alloc(sizeof *leader);
    leader_begin(leader, 0);
    *state = leader;
    return 0;
}

static int tear_down(void **state)
{
    leader_end(*state);
    free(*state);
    return 0;
}

static void renew(struct leader *leader, const char *id, const struct applicant *applicant)
{
    node_message *node = MESSAGE_COPY(leader_seen(leader, id));
    ca_issue_status(node)->state = STATE(RENEW);
    message_set_bytes(&node->certificate->csr, buf_bytes(&applicant->request_pem));
    put_again(leader, &node->base);
}

#define URL "https://ca.example/sign"

/* A cluster whose root's key only the external CA has. */
static void put_external(struct leader *leader, bool has_key)
{
    cluster_message *cluster = cluster_of(&leader->root);
    Docker__Swarmkit__V1__CAConfig *config = cluster->spec->ca_config;
    config->external_cas = mem_array(1, sizeof *config->external_cas);
    config->n_external_cas = 1;
    config->external_cas[0] = MESSAGE_NEW(Docker__Swarmkit__V1__ExternalCA, docker__swarmkit__v1__external_ca);
    message_set_string(&config->external_cas[0]->url, URL);
    if (!has_key)
        message_set_bytes(&cluster->root_ca->ca_key, bytes_of(NULL, 0));
    leader_put(leader, cluster);
}

/* What an external CA that has the key of @root gives; appended. */
static struct bytes sign_as(const struct ca_root *root, const char *id, const struct applicant *applicant, struct buf *out)
{
    const struct ca_subject subject = {CLUSTER_ID, id, CERTIFICATE_WORKER};
    struct random random = random_system();
    cluster_message *cluster = cluster_of(root);
    struct ca_signer *signer;
    assert_ok(ca_signer_new(cluster->root_ca, &signer, err));
    assert_ok(ca_sign(signer, buf_bytes(&applicant->request_pem), &subject, DAY_NS, &random, now(), out, err));
    ca_signer_free(signer);
    message_wipe_free(&cluster->base);
    return buf_bytes(out);
}

static void external_ca_signs(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cleanup_buf struct buf cert = {0};
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 60000);
    assert_int_equal(leader->asked_count, 1); /* once, as long as it takes */
    const struct asked *asked = &leader->asked[0];
    assert_string_equal(asked->url, URL);
    assert_int_equal(asked->url_count, 1);
    assert_non_null(strstr(asked->body, "BEGIN CERTIFICATE REQUEST"));
    assert_non_null(strstr(asked->body, "\"CN\":\"n1\""));
    assert_true(bytes_equal(buf_bytes(&asked->roots_pem), buf_bytes(&leader->root.cert_pem)));
    assert_state(leader, "n1", PENDING);
    leader_answer(leader, 0, sign_as(&leader->root, "n1", &applicant, &cert));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_true(leader->part.deadline_ns(leader->part.self) == PART_NEVER);
    applicant_deinit(&applicant);
}

/* Whoever configures one wants it to sign (swarmkit-wire §2.4). */
static void external_ca_goes_before_the_own_key(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    put_external(leader, true);
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, 1);
    assert_state(leader, "n1", PENDING);
    leader_lead_no_more(leader);
    assert_true(leader->asked[0].is_canceled);
    leader_lead(leader, false); /* in virtual time nobody else is there */
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    applicant_deinit(&applicant);
}

static void some_are_asked_for_at_once(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    struct buf certs[6] = {{0}};
    char id[16];
    put_external(leader, false);
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "n%d", i);
        leader_put(leader, leader_node(id, STATE(PENDING), &applicant));
    }
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, CA_EXTERNAL_CALLS_COUNT);
    for (size_t i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        leader_answer(leader, i, sign_as(&leader->root, id, &applicant, &certs[i]));
        leader_pass(leader, 0);
        assert_int_equal(leader->asked_count, i + 5 < 6 ? i + 5 : 6);
        assert_certified(leader, id, &applicant, &leader->root);
        buf_deinit(&certs[i]);
    }
    applicant_deinit(&applicant);
}

static void refusal_ends_the_request(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, 0);
    leader_refuse(leader, 0, ERR_PEER, "the external CA refused to sign: policy");
    leader_pass(leader, 60000);
    assert_state(leader, "n1", FAILED);
    assert_string_equal(leader_seen(leader, "n1")->certificate->status->err, "the external CA refused to sign: policy");
    assert_int_equal(leader->asked_count, 1);
    applicant_deinit(&applicant);
}

static void what_may_pass_is_asked_again(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cleanup_buf struct buf cert = {0};
    put_external(leader, false);
    leader->refuses_questions = true;
    leader_put(leader, leader_node("n1", STATE(PENDING), &applicant));
    leader_pass(leader, CA_SIGN_RETRY_MS - 1);
    leader->refuses_questions = false;
    leader_pass(leader, 1);
    assert_int_equal(leader->asked_count, 1);
    leader_refuse(leader, 0, ERR_UNAVAILABLE, "nobody there");
    leader_pass(leader, CA_SIGN_RETRY_MS - 1);
    assert_state(leader, "n1", PENDING);
    assert_string_equal(leader_seen(leader, "n1")->certificate->status->err, "no external CA signs: nobody there");
    assert_int_equal(leader->asked_count, 1);
    leader_pass(leader, 1);
    assert_int_equal(leader->asked_count, 2);
    uint64_t told = leader_seen(leader, "n1")->meta->version->index;
    leader_refuse(leader, 1, ERR_UNAVAILABLE, "nobody there");
    leader_pass(leader, CA_SIGN_RETRY_MS);
    assert_int_equal(leader_seen(leader, "n1")->meta->version->index, told); /* once is enough */
    assert_int_equal(leader->asked_count, 3);
    leader_answer(leader, 2, sign_as(&leader->root, "n1", &applicant, &cert));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_string_equal(leader_seen(leader, "n1")->certificate->status->err, "");
    applicant_deinit(&applicant);
}

static void answer_to_an_older_request_is_dropped(void **state)
{
    struct leader *leader = *state;
    struct applicant first = applicant_new(), second = applicant_new();
    struct buf certs[2] = {{0}, {0}};
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(RENEW), &first));
    leader_pass(leader, 0);
    renew(leader, "n1", &second);
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, 1);
    leader_answer(leader, 0, sign_as(&leader->root, "n1", &first, &certs[0]));
    leader_pass(leader, 0);
    assert_state(leader, "n1", RENEW);
    assert_int_equal(leader->asked_count, 2);
    leader_answer(leader, 1, sign_as(&leader->root, "n1", &second, &certs[1]));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &second, &leader->root);
    buf_deinit(&certs[0]);
    buf_deinit(&certs[1]);
    applicant_deinit(&first);
    applicant_deinit(&second);
}

/* What the old CA signed would be refused, though nobody is at fault. */
static void answer_under_another_root_is_asked_for_again(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    struct ca_root next = root_at(now());
    cleanup_buf struct buf cert = {0};
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(RENEW), &applicant));
    leader_pass(leader, 0);
    cluster_message *cluster = MESSAGE_COPY(leader_cluster(leader));
    message_set_bytes(&cluster->root_ca->ca_cert, buf_bytes(&next.cert_pem));
    put_again(leader, &cluster->base);
    leader_answer(leader, 0, sign_as(&leader->root, "n1", &applicant, &cert));
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, 2);
    buf_clear(&cert);
    leader_answer(leader, 1, sign_as(&next, "n1", &applicant, &cert));
    leader_pass(leader, 0);
    assert_certified(leader, "n1", &applicant, &next);
    ca_root_deinit(&next);
    applicant_deinit(&applicant);
}

static void certificate_of_another_node_is_refused(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cleanup_buf struct buf cert = {0};
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(RENEW), &applicant));
    leader_pass(leader, 0);
    leader_answer(leader, 0, sign_as(&leader->root, "n2", &applicant, &cert));
    leader_pass(leader, 0);
    assert_state(leader, "n1", FAILED);
    assert_non_null(strstr(leader_seen(leader, "n1")->certificate->status->err, "it is for worker n2"));
    applicant_deinit(&applicant);
}

static void role_that_is_none_is_nobody_s_question(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    node_message *node = leader_node("n1", STATE(RENEW), &applicant);
    node->certificate->role = (Docker__Swarmkit__V1__NodeRole)7;
    put_external(leader, false);
    leader_put(leader, node);
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, 0);
    assert_state(leader, "n1", FAILED);
    assert_non_null(strstr(leader_seen(leader, "n1")->certificate->status->err, "there is no role 7"));
    applicant_deinit(&applicant);
}

/* One is asked, one is with the log, when the part goes. */
static void questions_end_with_the_part(void **state)
{
    struct leader *leader = *state;
    struct applicant applicant = applicant_new();
    cleanup_buf struct buf cert = {0};
    put_external(leader, false);
    leader_put(leader, leader_node("n1", STATE(RENEW), &applicant));
    leader_put(leader, leader_node("n2", STATE(RENEW), &applicant));
    leader_pass(leader, 0);
    assert_int_equal(leader->asked_count, 2);
    leader_answer(leader, 0, sign_as(&leader->root, "n1", &applicant, &cert));
    world_run(&leader->world);
    assert_non_null(leader->world.fn);
    leader_lead_no_more(leader);
    assert_true(leader->asked[1].is_canceled);
    world_commit(&leader->world);
    assert_certified(leader, "n1", &applicant, &leader->root);
    assert_state(leader, "n2", RENEW);
    applicant_deinit(&applicant);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(external_ca_signs),
        TEST(external_ca_goes_before_the_own_key),
        TEST(some_are_asked_for_at_once),
        TEST(refusal_ends_the_request),
        TEST(what_may_pass_is_asked_again),
        TEST(answer_to_an_older_request_is_dropped),
        TEST(answer_under_another_root_is_asked_for_again),
        TEST(certificate_of_another_node_is_refused),
        TEST(role_that_is_none_is_nobody_s_question),
        TEST(questions_end_with_the_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
