/* tests/unit/manager/ca/test_external_job.c */
#include "manager/ca/external_job.h"

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "tests/unit/test.h"

static void job_that_is_printed_is_read_again(void **state)
{
    (void)state;
    struct external_job job = {.urls = {"https://a", "https://b/\"x\""},
                               .url_count = 2,
                               .roots_pem = bytes_of_string("roots\n"),
                               .chain_pem = bytes_of_string("chain\n"),
                               .key_pem = bytes_of_string("key\nof two lines\n"),
                               .body = "{\"a\":1}"},
                        again;
    cleanup_buf struct buf text = {0};
    cleanup_json cJSON *document = NULL;
    external_job_print(&job, &text);
    assert_true(text.is_secret);
    assert_ok(external_job_parse(buf_bytes(&text), &again, &document, err));
    assert_int_equal(again.url_count, 2);
    assert_string_equal(again.urls[1], "https://b/\"x\"");
    assert_true(bytes_equal(again.roots_pem, job.roots_pem));
    assert_true(bytes_equal(again.chain_pem, job.chain_pem));
    assert_true(bytes_equal(again.key_pem, job.key_pem));
    assert_string_equal(again.body, job.body);
}

static void job_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {{"", "no line"},
                 {"{}", "no line"},
                 {"{}\n", "no external CA"},
                 {"{\"urls\":[]}\nkey", "no external CA"},
                 {"{\"urls\":[7]}\nkey", "no list"},
                 {"{\"urls\n", "JSON"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct external_job job;
        struct error err = {0};
        cleanup_json cJSON *document = NULL;
        assert_true(external_job_parse(bytes_of_string(cases[i].text), &job, &document, &err) < 0);
        if (i < 5)
            assert_non_null(strstr(err.message, cases[i].message));
    }
}

static void answer_tells_certificate_reach_or_failure(void **state)
{
    (void)state;
    struct error failure;
    cleanup_buf struct buf certificate = {0};
    error_set(&failure, ERR_PEER, "it said \"no\"");
    cleanup_free char *signed_text = external_answer_print(NULL, "a\nb\n", NULL), *reached = external_answer_print(NULL, NULL, "https://a"),
                      *failed = external_answer_print(&failure, NULL, NULL);
    assert_ok(external_answer_parse(bytes_of_string(reached), &certificate, err));
    assert_int_equal(certificate.size, 0);
    assert_fails(external_answer_parse(bytes_of_string(failed), &certificate, err), ERR_PEER, "it said \"no\"");
    assert_ok(external_answer_parse(bytes_of_string(signed_text), &certificate, err));
    assert_string_equal(certificate.data, "a\nb\n");
    assert_fails(external_answer_parse(bytes_of_string(""), &certificate, err), ERR_INTERNAL, "gave no answer");
    assert_fails(external_answer_parse(bytes_of_string("{}"), &certificate, err), ERR_INTERNAL, "says nothing");
    assert_fails(external_answer_parse(bytes_of_string("{\"error\":\"what\"}"), &certificate, err), ERR_INTERNAL, "says nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_that_is_printed_is_read_again),
        cmocka_unit_test(job_that_is_none_is_refused),
        cmocka_unit_test(answer_tells_certificate_reach_or_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
