/* tests/unit/runtime/windows/test_network_windows.c – the network of containers on a host before build 17763, where HNSCall is all there
 * is; and what both network services have in common. Each is seen from the service's side, past the back end. */
#include "runtime/windows/host.h"
#include "runtime/windows/timed.h"
#include "tests/unit/runtime/windows/emulated.h"

#define PORT_8080 ",\"Network\":{\"Ports\":[{\"TargetPort\":80,\"PublishedPort\":8080}],\"Dns\":{\"Nameservers\":[\"10.9.8.7\"]}}"
#define ANY_PORT  ",\"Network\":{\"Ports\":[{\"TargetPort\":80}]}"

static struct windows_api api;

static int set_up(void **state)
{
    struct fixture *f = fixture_new();

    open_hcs(f);
    *state = f;
    return 0;
}

static int set_up_2016(void **state)
{
    struct fixture *f = fixture_new();

    f->options.prefers_legacy = true;
    f->options.os_version = "10.0.14393.6452";
    open_hcs(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    script("");
    fixture_free(*state);
    return 0;
}

/* --- the service's side --- */

static cJSON *ask(const char *method, const char *path, const char *body)
{
    cleanup_free WCHAR *wide_method = wide_from_utf8(method), *wide_path = wide_from_utf8(path), *wide_body = wide_from_utf8(body);
    PWSTR text = NULL;

    assert_true(SUCCEEDED(api.vm.HNSCall(wide_method, wide_path, wide_body, &text)));
    cleanup_free char *narrow = windows_take(text);
    cleanup_json cJSON *json = cJSON_Parse(narrow);
    if (!json_bool(json, "Success", false))
        fail_msg("%s %s: %s", method, path, narrow);
    return cJSON_DetachItemFromObject(json, "Output");
}

static size_t endpoints(void)
{
    cleanup_json cJSON *list = ask("GET", "/endpoints/", "");

    return (size_t)cJSON_GetArraySize(list);
}

static const cJSON *named(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list)
        if (strcmp(json_string(item, "Name", ""), name) == 0)
            return item;
    fail_msg("there is no %s", name);
    return NULL;
}

static void delete_network(void)
{
    cleanup_json cJSON *list = ask("GET", "/networks/", "");
    cleanup_free char *path = mem_format("/networks/%s", json_string(named(list, "nat"), "ID", ""));

    cJSON_Delete(ask("DELETE", path, ""));
}

static void make_endpoint(const char *name, unsigned port)
{
    cleanup_json cJSON *list = ask("GET", "/networks/", "");
    cleanup_free char *body = mem_format("{\"Name\":\"%s\",\"VirtualNetwork\":\"%s\",\"Policies\":[{\"Type\":\"NAT\",\"Protocol\":\"TCP\","
                                         "\"InternalPort\":80,\"ExternalPort\":%u}]}",
                                         name, json_string(named(list, "nat"), "ID", ""), port);

    cJSON_Delete(ask("POST", "/endpoints/", body));
}

/* --- in the back end --- */

static void run(struct fixture *f, const char *id, const char *network)
{
    create_with(f, id, "base", "\"--sleep\"", network);
    start(f, id);
    wait_for(f, "started done");
}

static void remove_it(struct fixture *f, const char *id)
{
    forget(f);
    hcs_system_remove(f->hcs, id, true, on_done, f);
    wait_for(f, "removed done");
}

static void look_at(struct fixture *f, const char *id)
{
    forget(f);
    hcs_system_properties(f->hcs, id, false, on_properties, f);
    wait_for(f, "Running");
}

static void a_container_has_an_endpoint_while_it_runs(void **state)
{
    struct fixture *f = *state;

    run(f, "web", PORT_8080);
    look_at(f, "web");
    assert_true(strncmp(f->ip, "172.28.", 7) == 0);
    assert_int_equal(f->port, 8080);
    cleanup_json cJSON *list = ask("GET", "/endpoints/", "");
    const cJSON *endpoint = named(list, "skep-test_web");
    const cJSON *policy = cJSON_GetArrayItem(cJSON_GetObjectItem(endpoint, "Policies"), 0);
    assert_string_equal(json_string(endpoint, "IPAddress", ""), f->ip);
    assert_string_equal(json_string(endpoint, "DNSServerList", ""), "10.9.8.7");
    assert_string_equal(json_string(policy, "Protocol", ""), "TCP");
    assert_int_equal(json_int(policy, "InternalPort", 0), 80);
    assert_int_equal(json_int(policy, "ExternalPort", 0), 8080);
    assert_int_equal(endpoints(), 1);
    remove_it(f, "web");
    assert_int_equal(endpoints(), 0);
}

static void its_endpoint_goes_when_it_ends_by_itself(void **state)
{
    struct fixture *f = *state;

    create_with(f, "short", "base", "\"--exit\",\"0\"", ANY_PORT);
    start(f, "short");
    wait_for(f, "exited=0");
    assert_int_equal(endpoints(), 0);
}

static void a_start_that_fails_leaves_no_endpoint(void **state)
{
    struct fixture *f = *state;

    script("start fail=0x80370106");
    create_with(f, "fails", "base", "\"--sleep\"", ANY_PORT);
    start(f, "fails");
    wait_for(f, "ERR_PEER");
    assert_int_equal(endpoints(), 0);
}

static void a_network_that_is_missing_is_made(void **state)
{
    struct fixture *f = *state;

    run(f, "first", ANY_PORT);
    remove_it(f, "first");
    delete_network(); /* as somebody else may at any time */
    run(f, "second", ANY_PORT);
    cleanup_json cJSON *list = ask("GET", "/networks/", "");
    const cJSON *network = named(list, "nat"), *subnet = cJSON_GetArrayItem(cJSON_GetObjectItem(network, "Subnets"), 0);
    assert_int_equal(cJSON_GetArraySize(list), 1);
    assert_string_equal(json_string(network, "Type", ""), "nat");
    assert_string_equal(json_string(subnet, "AddressPrefix", ""), "172.28.0.0/20");
    assert_string_equal(json_string(subnet, "GatewayAddress", ""), "172.28.0.1");
    remove_it(f, "second");
}

static void a_network_that_is_there_is_used(void **state)
{
    struct fixture *f = *state;

    run(f, "first", ANY_PORT);
    remove_it(f, "first");
    delete_network();
    cJSON_Delete(ask("POST", "/networks/",
                     "{\"Name\":\"nat\",\"Type\":\"nat\",\"Subnets\":[{\"AddressPrefix\":\"192.168.99.0/24\","
                     "\"GatewayAddress\":\"192.168.99.1\"}]}"));
    run(f, "guest", ANY_PORT);
    look_at(f, "guest");
    assert_true(strncmp(f->ip, "192.168.99.", 11) == 0);
    remove_it(f, "guest");
    delete_network();
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct fixture *f = *state;

    run(f, "first", PORT_8080);
    create_with(f, "second", "base", "\"--sleep\"", PORT_8080);
    start(f, "second");
    wait_for(f, "ERR_EXISTS");
    assert_non_null(strstr(f->last.message, "the published port is taken on this host; free it, or publish another"));
    assert_int_equal(endpoints(), 1);
    remove_it(f, "first");
    run(f, "third", PORT_8080); /* it is free again */
    remove_it(f, "third");
}

/* HNSCall itself fails then, in every language of Windows. */
static void a_port_that_a_program_holds_is_told(void **state)
{
    struct fixture *f = *state;

    script("hns-post-endpoints fail=0x80070020");
    create_with(f, "blocked", "base", "\"--sleep\"", PORT_8080);
    start(f, "blocked");
    wait_for(f, "ERR_EXISTS");
    assert_non_null(strstr(f->last.message, "the published port is taken on this host"));
    assert_non_null(strstr(f->last.message, "0x80070020"));
}

static void a_port_left_to_us_is_one_that_is_free(void **state)
{
    struct fixture *f = *state;

    script("hns-post-endpoints fail=0x803B0013 count=3");
    run(f, "any", ANY_PORT);
    look_at(f, "any");
    assert_true(f->port >= 49152);
    assert_int_equal(f->last.code, 0);
    remove_it(f, "any");
}

static void a_service_that_fails_is_told(void **state)
{
    static const struct {
        const char *rule, *code, *says;
    } rows[] = {
        {"hns-get-networks fail=0x8007000E", "ERR_PEER", "network nat: list the networks: Windows answered 0x8007000e"},
        {"hns-get-networks fail=0x80070005", "ERR_PERMISSION", "ERROR_ACCESS_DENIED"},
        {"hns-post-endpoints fail=0x80070005", "ERR_PERMISSION", "make the endpoint: Windows answered 0x80070005"},
        {"hns-post-endpoints fail=0x803B0001", "ERR_NOT_FOUND", "HCN_E_NETWORK_NOT_FOUND"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        script(rows[i].rule);
        create_with(f, "refused", "base", "\"--sleep\"", ANY_PORT);
        start(f, "refused");
        wait_for(f, rows[i].code);
        if (!strstr(f->last.message, rows[i].says))
            fail_msg("%s gives \"%s\"", rows[i].rule, f->last.message);
        script("");
        remove_it(f, "refused");
        assert_int_equal(endpoints(), 0);
    }
}

static void an_endpoint_that_went_meanwhile_is_no_failure(void **state)
{
    struct fixture *f = *state;

    run(f, "robbed", ANY_PORT);
    cleanup_json cJSON *list = ask("GET", "/endpoints/", "");
    cleanup_free char *path = mem_format("/endpoints/%s", json_string(named(list, "skep-test_robbed"), "ID", ""));
    cJSON_Delete(ask("DELETE", path, ""));
    remove_it(f, "robbed");
}

static void leftovers_of_ours_are_swept(void **state)
{
    struct fixture *f = *state;

    run(f, "stays", PORT_8080);
    close_hcs(f);
    make_endpoint("skep-test_killed", 9090);
    make_endpoint("skep-testament", 9091); /* others' */
    make_endpoint("docker", 9092);
    open_hcs(f);
    cleanup_json cJSON *list = ask("GET", "/endpoints/", "");
    assert_int_equal(cJSON_GetArraySize(list), 3);
    named(list, "skep-test_stays");
    named(list, "skep-testament");
    named(list, "docker");
    look_at(f, "stays");
    assert_int_equal(f->port, 8080); /* known from its record */
    remove_it(f, "stays");
    assert_int_equal(endpoints(), 2);
    const cJSON *one;
    cJSON_ArrayForEach (one, list) {
        cleanup_free char *path = mem_format("/endpoints/%s", json_string(one, "ID", ""));
        if (strcmp(json_string(one, "Name", ""), "skep-test_stays") != 0)
            cJSON_Delete(ask("DELETE", path, ""));
    }
}

static void a_host_without_either_says_what_is_missing(void **state)
{
    struct fixture *f = *state;

    windows_of(f->hcs)->api.vm.HNSCall = NULL;
    create_with(f, "alone", "base", "\"--sleep\"", ANY_PORT);
    start(f, "alone");
    wait_for(f, "ERR_UNSUPPORTED");
    assert_non_null(strstr(f->last.message, "attach a container to a network: this host's vmcompute.dll has no HNSCall"));
}

/* A namespace is HCN's to make: a document of schema 2 cannot do without. */
static void a_host_without_hcn_says_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct windows_host *host = windows_of(f->hcs);
    const struct windows_service_ops *core = host->core.ops;

    host->api.network = (struct windows_computenetwork){0};
    host->core.ops = NULL; /* hyperv isolation in schema 1 can */
    create_with(f, "vm", "vm", "\"--sleep\"", ANY_PORT ",\"Isolation\":\"hyperv\"");
    start(f, "vm");
    wait_for(f, "started done");
    assert_int_equal(endpoints(), 1);
    remove_it(f, "vm");
    assert_int_equal(endpoints(), 0);
    host->core.ops = core;
    create_with(f, "bare", "base", "\"--sleep\"", ANY_PORT);
    start(f, "bare");
    wait_for(f, "ERR_UNSUPPORTED");
    assert_non_null(strstr(f->last.message, "computenetwork.dll has no HcnCreateEndpoint: it comes with Windows build 17763"));
}

/* --- calls that do not return --- */

static void wait_for_late(unsigned count)
{
    ULONGLONG end = GetTickCount64() + EMULATED_WAIT_MS;

    while (windows_timed_late(WINDOWS_ASKED_HNS) != count && GetTickCount64() < end)
        Sleep(10);
    assert_int_equal(windows_timed_late(WINDOWS_ASKED_HNS), count);
}

static void start_against(struct fixture *f, const char *rule, const char *says)
{
    ULONGLONG began = GetTickCount64();

    script(rule);
    create_with(f, "waits", "base", "\"--sleep\"", PORT_8080);
    start(f, "waits");
    wait_for(f, "ERR_DEADLINE");
    assert_true(GetTickCount64() - began < 5000);
    if (!strstr(f->last.message, says))
        fail_msg("%s gives \"%s\"", rule, f->last.message);
    script("");
    remove_it(f, "waits");
}

static void an_endpoint_that_comes_too_late_is_deleted(void **state)
{
    struct fixture *f = *state;

    start_against(f, "hns-post-endpoints delay=3500", "HNSCall did not return within 1500 ms");
    wait_for_late(1);
    wait_for_late(0);
    assert_int_equal(endpoints(), 0);
    run(f, "next", PORT_8080); /* the port is free */
    remove_it(f, "next");
}

static void hcn_late_endpoints_and_namespaces_are_deleted(void **state)
{
    static const char *const rows[][2] = {{"hcn-create-endpoint delay=3500", "HcnCreateEndpoint did not return within 1500 ms"},
                                          {"hcn-create-namespace delay=3500", "HcnCreateNamespace did not return within 1500 ms"},
                                          {"hcn-modify-namespace delay=3500", "HcnModifyNamespace did not return within 1500 ms"},
                                          {"hcn-enumerate-network delay=3500", "HcnEnumerateNetworks did not return within 1500 ms"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start_against(f, rows[i][0], rows[i][1]);
        wait_for_late(0);
        assert_int_equal(endpoints(), 0);
    }
    run(f, "next", PORT_8080);
    remove_it(f, "next");
}

/* Each in its own time; beyond the bound nothing hangs any more, because nothing is asked. The last test: its threads never return. */
static void one_that_never_returns_takes_one_thread_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct windows_host *host = windows_of(f->hcs);
    char says[64];

    host->call_ms = 250;
    for (unsigned i = 1; i <= WINDOWS_LATE_COUNT; i++) {
        start_against(f, "hns-get-networks hang", "HNSCall did not return within 250 ms");
        assert_int_equal(windows_timed_late(WINDOWS_ASKED_HNS), i);
    }
    script("hns-get-networks hang");
    create_with(f, "waits", "base", "\"--sleep\"", PORT_8080);
    start(f, "waits");
    wait_for(f, "ERR_UNAVAILABLE");
    snprintf(says, sizeof says, "%d calls of the host's network service (HNS) hang", WINDOWS_LATE_COUNT);
    assert_non_null(strstr(f->last.message, says));
    assert_int_equal(windows_timed_late(WINDOWS_ASKED_HNS), WINDOWS_LATE_COUNT);
}

static int start_all(void **state)
{
    windows_api_load(&api);
    return emulated_start(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_2016(name)                                                                                                                    \
    {                                                                                                                                      \
        "14393: " #name, name, set_up_2016, tear_down, NULL                                                                                \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_2016(a_container_has_an_endpoint_while_it_runs),
        TEST_2016(its_endpoint_goes_when_it_ends_by_itself),
        TEST_2016(a_start_that_fails_leaves_no_endpoint),
        TEST_2016(a_network_that_is_missing_is_made),
        TEST_2016(a_network_that_is_there_is_used),
        TEST_2016(a_port_that_is_taken_is_told),
        TEST_2016(a_port_that_a_program_holds_is_told),
        TEST_2016(a_port_left_to_us_is_one_that_is_free),
        TEST_2016(a_service_that_fails_is_told),
        TEST_2016(an_endpoint_that_went_meanwhile_is_no_failure),
        TEST_2016(leftovers_of_ours_are_swept),
        TEST_2016(a_host_without_either_says_what_is_missing),
        TEST(a_host_without_hcn_says_what_is_missing),
        TEST(a_network_that_is_missing_is_made),
        TEST(an_endpoint_that_went_meanwhile_is_no_failure),
        TEST(leftovers_of_ours_are_swept),
        TEST_2016(an_endpoint_that_comes_too_late_is_deleted),
        TEST(hcn_late_endpoints_and_namespaces_are_deleted),
        TEST_2016(one_that_never_returns_takes_one_thread_and_no_more),
    };
    int child = emulated_main_child(argc, argv);

    return child >= 0 ? child : cmocka_run_group_tests(tests, start_all, emulated_stop);
}
