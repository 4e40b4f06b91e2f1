/* tests/unit/runtime/windows/test_hns.c */
#include "runtime/windows/hns.h"

#include "tests/unit/test.h"

#include "base/json.h"

static void an_answer_is_read(void **state)
{
    cleanup_json cJSON *output = NULL;

    (void)state;
    assert_ok(windows_hns_read("{\"Success\":true,\"Output\":[{\"Name\":\"nat\"}]}", "ask", &output, err));
    assert_int_equal(cJSON_GetArraySize(output), 1);
    cJSON_Delete(steal(&output));
    assert_ok(windows_hns_read("{\"Success\":true}", "ask", &output, err));
    assert_null(output);
}

static void a_refusal_tells_its_kind_by_its_words(void **state)
{
    static const struct {
        const char *text, *says;
        int code;
    } rows[] = {
        {"{\"Success\":false,\"Error\":\"The object identifier does not represent a valid object.\"}", "delete it: ", ERR_NOT_FOUND},
        {"{\"Success\":false,\"Error\":\"The object already exists.\"}", "refused: The object already exists.", ERR_EXISTS},
        {"{\"Success\":false,\"Error\":\"O arquivo est\\u00e1 em uso (0x20)\"}", "em uso", ERR_EXISTS},
        {"{\"Success\":false,\"Error\":\"Unspecified error\"}", "Unspecified error", ERR_PEER},
        {"{\"Success\":false}", "Host-Network-Service event log", ERR_PEER},
        {"{\"Output\":{}}", "refused", ERR_PEER},
        {"{\"Success\":tr", "no answer that can be read", ERR_PEER},
        {"[]", "no answer that can be read", ERR_PEER},
        {NULL, "no answer that can be read", ERR_PEER},
    };
    cJSON *output = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_fails(windows_hns_read(rows[i].text, "delete it", &output, err), rows[i].code, rows[i].says);
        assert_null(output);
    }
}

static void a_port_that_is_taken_has_several_codes(void **state)
{
    (void)state;
    assert_true(windows_hns_is_taken(0x80070020));
    assert_true(windows_hns_is_taken(0x80071392));
    assert_true(windows_hns_is_taken(0x803B0013));
    assert_false(windows_hns_is_taken(0x803B0001));
    assert_false(windows_hns_is_taken(0x80070005));
}

static void a_network_is_found_by_its_name(void **state)
{
    cleanup_json cJSON *list = cJSON_Parse("[{\"ID\":\"1\",\"Name\":\"natural\"},"
                                           "{\"ID\":\"2\",\"Name\":\"nat\",\"Subnets\":[{\"GatewayAddress\":\"10.0.0.1\"}]}]");

    (void)state;
    assert_string_equal(json_string(windows_hns_find(list, "nat"), "ID", ""), "2");
    assert_string_equal(windows_hns_gateway(windows_hns_find(list, "nat")), "10.0.0.1");
    assert_string_equal(windows_hns_gateway(windows_hns_find(list, "natural")), "");
    assert_null(windows_hns_find(list, "na"));
    assert_null(windows_hns_find(NULL, "nat"));
}

static void an_endpoint_has_ports_and_names(void **state)
{
    const char *servers[] = {"10.0.0.53", "10.0.1.53"}, *searches[] = {"one.example", "two.example"};
    struct document_port ports[] = {{false, 80, 8080}, {true, 53, 0}};
    struct document_network wanted = {.ports = ports, .port_count = 2, .nameservers = {servers, 2}, .searches = {searches, 2}};
    struct windows_endpoint endpoint = {.port_count = 2, .published_ports = {8080, 49160}};

    (void)state;
    cleanup_json cJSON *json = windows_hns_endpoint("skep_web", "f00d", &wanted, &endpoint);
    cleanup_free char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(text, "{\"Name\":\"skep_web\",\"VirtualNetwork\":\"f00d\",\"DNSServerList\":\"10.0.0.53,10.0.1.53\","
                              "\"DNSSuffix\":\"one.example\",\"Policies\":["
                              "{\"Type\":\"NAT\",\"Protocol\":\"TCP\",\"InternalPort\":80,\"ExternalPort\":8080},"
                              "{\"Type\":\"NAT\",\"Protocol\":\"UDP\",\"InternalPort\":53,\"ExternalPort\":49160}]}");
}

static void what_was_made_is_read(void **state)
{
    struct windows_endpoint out = {.port_count = 1, .published_ports = {80}};
    cleanup_json cJSON *json =
        cJSON_Parse("{\"ID\":\"7d4c1d3e-6f2b-4c55-8a55-64b6b6f3a901\",\"IPAddress\":\"10.0.0.7\",\"PrefixLength\":20,"
                    "\"MacAddress\":\"00-15-5D-00-00-01\",\"GatewayAddress\":\"10.0.0.1\"}");
    cleanup_json cJSON *none = cJSON_Parse("{\"IPAddress\":\"10.0.0.7\"}");
    cleanup_json cJSON *strange = cJSON_Parse("{\"ID\":\"7d4c1d3e-6f2b-4c55-8a55-64b6b6f3a901-and-more\"}");

    (void)state;
    assert_ok(windows_hns_read_endpoint(json, &out, err));
    assert_string_equal(out.ip, "10.0.0.7");
    assert_string_equal(out.gateway, "10.0.0.1");
    assert_string_equal(out.mac, "00-15-5D-00-00-01");
    assert_int_equal(out.prefix_bits, 20);
    assert_int_equal(out.published_ports[0], 80);
    assert_fails(windows_hns_read_endpoint(none, &out, err), ERR_PEER, "gave it no id");
    assert_fails(windows_hns_read_endpoint(strange, &out, err), ERR_PEER, "gave it no id");
    assert_fails(windows_hns_read_endpoint(NULL, &out, err), ERR_PEER, "gave it no id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(a_refusal_tells_its_kind_by_its_words),
        cmocka_unit_test(a_port_that_is_taken_has_several_codes),
        cmocka_unit_test(a_network_is_found_by_its_name),
        cmocka_unit_test(an_endpoint_has_ports_and_names),
        cmocka_unit_test(what_was_made_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
