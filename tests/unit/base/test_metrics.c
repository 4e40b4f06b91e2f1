/* tests/unit/base/test_metrics.c – what is written is what Prometheus' text format allows: read back by a strict reader of its grammar. */
#include "base/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "tests/unit/metrics_reader.h"
#include "tests/unit/test.h"

static void samples_follow_their_family(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    metrics_family(&metrics, METRICS_GAUGE, "skep_nodes", "Nodes by state.");
    metrics_sample(&metrics, 3, "state", "ready", NULL);
    metrics_sample(&metrics, 0, "state", "down", "role", "worker", NULL);
    metrics_counter(&metrics, "skep_calls_total", "Calls.", 12345678901.0);
    metrics_gauge(&metrics, "skep_share", "A share.", 0.1);
    assert_string_equal((char *)out.data, "# HELP skep_nodes Nodes by state.\n"
                                          "# TYPE skep_nodes gauge\n"
                                          "skep_nodes{state=\"ready\"} 3\n"
                                          "skep_nodes{state=\"down\",role=\"worker\"} 0\n"
                                          "# HELP skep_calls_total Calls.\n"
                                          "# TYPE skep_calls_total counter\n"
                                          "skep_calls_total 12345678901\n"
                                          "# HELP skep_share A share.\n"
                                          "# TYPE skep_share gauge\n"
                                          "skep_share 0.1\n");
    metrics_check((char *)out.data);
}

static void what_a_label_may_not_hold_is_escaped(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    metrics_family(&metrics, METRICS_GAUGE, "m", "A \"help\"\nwith \\.");
    metrics_sample(&metrics, 1, "name", "a\"b\\c\nd", NULL);
    metrics_sample(&metrics, 1, "name", "h\xc3\xa9", NULL);
    metrics_sample(&metrics, 1, "name", "\xff\xc3", NULL);              /* no byte of UTF-8; one cut off */
    metrics_sample(&metrics, 1, "name", "\xc0\x80\xed\xa0\x80.", NULL); /* an overlong zero, half of a surrogate pair */
    metrics_sample(&metrics, 1, "name", NULL, NULL);
    assert_string_equal((char *)out.data, "# HELP m A \"help\"\\nwith \\\\.\n"
                                          "# TYPE m gauge\n"
                                          "m{name=\"a\\\"b\\\\c\\nd\"} 1\n"
                                          "m{name=\"h\xc3\xa9\"} 1\n"
                                          "m{name=\"??\"} 1\n"
                                          "m{name=\"?????.\"} 1\n"
                                          "m{name=\"\"} 1\n");
    metrics_check((char *)out.data);
}

static void values_that_are_no_numbers_have_words(void **state)
{
    (void)state;
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    metrics_gauge(&metrics, "a", "a", NAN);
    metrics_gauge(&metrics, "b", "b", INFINITY);
    metrics_gauge(&metrics, "c", "c", -INFINITY);
    metrics_gauge(&metrics, "d", "d", -1.5e300);
    assert_non_null(strstr((char *)out.data, "\na NaN\n"));
    assert_non_null(strstr((char *)out.data, "\nb +Inf\n"));
    assert_non_null(strstr((char *)out.data, "\nc -Inf\n"));
    assert_non_null(strstr((char *)out.data, "\nd -1.5e+300\n"));
    metrics_check((char *)out.data);
}

static void a_histogram_adds_up(void **state)
{
    (void)state;
    static const double bounds[] = {0.1, 1};
    cleanup_buf struct buf out = {0};
    struct metrics metrics = {.out = &out};
    struct histogram histogram;
    histogram_init(&histogram, bounds, 2);
    histogram_observe(&histogram, 0.1); /* a bound belongs to what lies below it */
    histogram_observe(&histogram, 0.5);
    histogram_observe_many(&histogram, 7, 2);
    metrics_family(&metrics, METRICS_HISTOGRAM, "h_seconds", "Times.");
    metrics_histogram(&metrics, &histogram, "disk", "a", NULL);
    metrics_histogram(&metrics, &histogram, NULL);
    assert_string_equal((char *)out.data, "# HELP h_seconds Times.\n"
                                          "# TYPE h_seconds histogram\n"
                                          "h_seconds_bucket{disk=\"a\",le=\"0.1\"} 1\n"
                                          "h_seconds_bucket{disk=\"a\",le=\"1\"} 2\n"
                                          "h_seconds_bucket{disk=\"a\",le=\"+Inf\"} 4\n"
                                          "h_seconds_sum{disk=\"a\"} 14.6\n"
                                          "h_seconds_count{disk=\"a\"} 4\n"
                                          "h_seconds_bucket{le=\"0.1\"} 1\n"
                                          "h_seconds_bucket{le=\"1\"} 2\n"
                                          "h_seconds_bucket{le=\"+Inf\"} 4\n"
                                          "h_seconds_sum 14.6\n"
                                          "h_seconds_count 4\n");
    metrics_check((char *)out.data);
}

static void bounds_of_latencies_ascend(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, histogram_latencies_s, HISTOGRAM_LATENCIES_COUNT);
    for (size_t i = 1; i < HISTOGRAM_LATENCIES_COUNT; i++)
        assert_true(histogram.bounds[i] > histogram.bounds[i - 1]);
}

/* The reader itself must be able to say no. */
static void the_reader_refuses_what_prometheus_does(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a 1",                                                                             /* no end of line */
        "# TYPE a gauge\na 1\n# TYPE a gauge\n",                                           /* twice */
        "a 1\n",                                                                           /* without a type */
        "# HELP a x\n# TYPE a gauge\na{b=1} 1\n",                                          /* a value without quotes */
        "# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n",                                    /* an escape that is none */
        "# HELP a x\n# TYPE a gauge\na{b=\"1\"} one\n",                                    /* no number */
        "# HELP a x\n# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n",                              /* a label twice */
        "# HELP a x\n# TYPE a gauge\na 1\na 1\n",                                          /* a sample twice */
        "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\nb 1\na{c=\"\"} 1\n", /* a family in two pieces */
        "# HELP a x\n# TYPE a counter\na 1\n",                                             /* a counter without _total */
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n", /* it falls */
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_count 2\n",                          /* without +Inf */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char why[256];
        if (metrics_read(wrong[i], why, sizeof why))
            fail_msg("taken: %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_follow_their_family),
        cmocka_unit_test(what_a_label_may_not_hold_is_escaped),
        cmocka_unit_test(values_that_are_no_numbers_have_words),
        cmocka_unit_test(a_histogram_adds_up),
        cmocka_unit_test(bounds_of_latencies_ascend),
        cmocka_unit_test(the_reader_refuses_what_prometheus_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
