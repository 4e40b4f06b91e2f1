/* tests/unit/runtime/linux/test_etc.c */
#include "runtime/linux/etc.h"

#include "tests/unit/test.h"

static const char host_text[] =
    "# the host's\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver ::1\nsearch example.com\noptions edns0\n";

static void check_resolv(const struct document *document, const char *text, const char *want)
{
    cleanup_buf struct buf out = {0};

    etc_resolv_conf(document, bytes_of_string(text), &out);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)out.data, want);
}

static void hosts_names_the_system_and_what_the_document_adds(void **state)
{
    const char *more[] = {"db:10.1.1.1", "v6:fd00::1"};
    struct document document = {.network.hosts = {more, 2}};
    cleanup_buf struct buf out = {0}, none = {0};

    (void)state;
    etc_hosts(&document, "web1", "10.213.0.5", &out);
    buf_append(&out, "", 1);
    assert_non_null(strstr((const char *)out.data, "127.0.0.1\tlocalhost\n"));
    assert_non_null(strstr((const char *)out.data, "10.1.1.1\tdb\n"));
    assert_non_null(strstr((const char *)out.data, "fd00::1\tv6\n"));
    assert_non_null(strstr((const char *)out.data, "10.213.0.5\tweb1\n"));
    document.network.hosts.count = 0;
    etc_hosts(&document, "web1", NULL, &none);
    buf_append(&none, "", 1);
    assert_null(strstr((const char *)none.data, "web1"));
}

static void servers_on_the_hosts_loopback_stay_with_the_host(void **state)
{
    struct document bridge = {.network.mode = NETWORK_BRIDGE}, host = {.network.mode = NETWORK_HOST};

    (void)state;
    check_resolv(&bridge, host_text, "nameserver 10.0.0.2\nsearch example.com\noptions edns0\n");
    check_resolv(&host, host_text, "nameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver ::1\nsearch example.com\noptions edns0\n");
}

static void without_a_server_left_dockers_two_come_in(void **state)
{
    struct document bridge = {.network.mode = NETWORK_BRIDGE}, none = {.network.mode = NETWORK_NONE};

    (void)state;
    check_resolv(&bridge, "nameserver 127.0.0.1\n", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    check_resolv(&bridge, "", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    check_resolv(&none, "", "");
}

static void the_document_replaces_what_it_names(void **state)
{
    const char *servers[] = {"9.9.9.9"}, *searches[] = {"a.test", "b.test"}, *options[] = {"ndots:2"};
    struct document document = {.network = {.mode = NETWORK_BRIDGE, .nameservers = {servers, 1}, .searches = {searches, 2}}};

    (void)state;
    check_resolv(&document, host_text, "options edns0\nnameserver 9.9.9.9\nsearch a.test b.test\n");
    document.network.dns_options = (struct document_strings){options, 1};
    check_resolv(&document, host_text, "nameserver 9.9.9.9\nsearch a.test b.test\noptions ndots:2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_names_the_system_and_what_the_document_adds),
        cmocka_unit_test(servers_on_the_hosts_loopback_stay_with_the_host),
        cmocka_unit_test(without_a_server_left_dockers_two_come_in),
        cmocka_unit_test(the_document_replaces_what_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
