/* tests/unit/cli/test_service_parts.c – the small languages of a service's flags. */
#include <stdlib.h>

#include "base/json.h"
#include "cli/service_parts.h"
#include "tests/unit/test.h"

typedef int part_fn(const char *text, cJSON **out, struct error *err);

static void is(part_fn *part, const char *text, const char *wanted)
{
    cJSON *json = NULL;
    assert_ok(part(text, &json, err));
    cleanup_free char *printed = json_print(json);
    assert_string_equal(printed, wanted);
    cJSON_Delete(json);
}

static void is_not(part_fn *part, const char *text, const char *why)
{
    cJSON *json = NULL;
    assert_fails(part(text, &json, err), ERR_INVALID, why);
}

static void ports(void **state)
{
    (void)state;
    is(part_port, "80", "{\"Protocol\":\"tcp\",\"TargetPort\":80,\"PublishMode\":\"ingress\"}");
    is(part_port, "8080:80/udp", "{\"Protocol\":\"udp\",\"TargetPort\":80,\"PublishedPort\":8080,\"PublishMode\":\"ingress\"}");
    is(part_port, "published=8080,target=80,mode=host,protocol=sctp",
       "{\"Protocol\":\"sctp\",\"PublishMode\":\"host\",\"PublishedPort\":8080,\"TargetPort\":80}");
    is_not(part_port, "x:80", "write [PUBLISHED:]TARGET");
    is_not(part_port, "0", "write [PUBLISHED:]TARGET");
    is_not(part_port, "80/icmp", "none of tcp, udp, sctp");
    is_not(part_port, "published=1", "target=PORT is needed");
    is_not(part_port, "target=65536", "65536");
    is_not(part_port, "target=1,mode=mesh", "mode is host or ingress");
    is_not(part_port, "target=1,colour=red", "its fields are");
    int64_t port;
    assert_ok(part_target_port("80/udp", &port, err));
    assert_int_equal(port, 80);
    assert_fails(part_target_port("web", &port, err), ERR_INVALID, "port web");
}

static void mounts(void **state)
{
    (void)state;
    is(part_mount, "type=bind,source=/a,target=/b,readonly,bind-propagation=rslave",
       "{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true,\"BindOptions\":{\"Propagation\":\"rslave\"}}");
    is(part_mount, "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777",
       "{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":1023}}");
    is(part_mount, "src=data,destination=/d,ro=false", "{\"Type\":\"volume\",\"Source\":\"data\",\"Target\":\"/d\",\"ReadOnly\":false}");
    is_not(part_mount, "type=bind,source=/a", "target=PATH is needed");
    is_not(part_mount, "target=/a,colour=red", "unexpected key 'colour'");
    is_not(part_mount, "target=/a,tmpfs-size=much", "not a size such as 64m");
}

static int secret(const char *text, cJSON **out, struct error *err)
{
    return part_reference(text, true, out, err);
}

static int config(const char *text, cJSON **out, struct error *err)
{
    return part_reference(text, false, out, err);
}

static void references(void **state)
{
    (void)state;
    is(secret, "jar", "{\"File\":{\"UID\":\"0\",\"GID\":\"0\",\"Mode\":292,\"Name\":\"jar\"},\"SecretName\":\"jar\"}");
    is(config, "source=jar,target=/etc/jar,uid=1,gid=2,mode=0400",
       "{\"File\":{\"UID\":\"1\",\"GID\":\"2\",\"Mode\":256,\"Name\":\"/etc/jar\"},\"ConfigName\":\"jar\"}");
    is_not(secret, "target=jar", "source=NAME is needed");
    is_not(secret, "", "source=NAME is needed");
    is_not(secret, "source=jar,mode=rw", "mode is a number");
    is_not(secret, "source=jar,colour=red", "its fields are");
}

static void networks(void **state)
{
    (void)state;
    is(part_network, "host", "{\"Target\":\"host\"}");
    is(part_network, "name=n,alias=a,alias=b", "{\"Target\":\"n\",\"Aliases\":[\"a\",\"b\"]}");
    is_not(part_network, "alias=a", "name=NETWORK is needed");
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } bytes[] = {{"64m", 64 << 20}, {"64MB", 64 << 20}, {"1.5kib", 1536}, {"7", 7}, {"7b", 7}, {"2G", INT64_C(2) << 30}},
      cpus[] = {{"0.5", 500000000}, {"2", 2000000000}, {"1.123456789", 1123456789}, {".25", 250000000}};
    int64_t value;
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        assert_ok(part_bytes(bytes[i].text, &value, err));
        assert_int_equal(value, bytes[i].value);
    }
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        assert_ok(part_cpus(cpus[i].text, &value, err));
        assert_int_equal(value, cpus[i].value);
    }
    static const char *const no_bytes[] = {"", "m", "-1", "64x", "64mm", "1e300", "nan", "inf"};
    for (size_t i = 0; i < sizeof no_bytes / sizeof *no_bytes; i++)
        assert_fails(part_bytes(no_bytes[i], &value, err), ERR_INVALID, "size");
    static const char *const no_cpus[] = {"", "x", "-1", "1.2.3", "1.1234567891", "99999999999999999999", "9999999999999"};
    for (size_t i = 0; i < sizeof no_cpus / sizeof *no_cpus; i++)
        assert_fails(part_cpus(no_cpus[i], &value, err), ERR_INVALID, "cpus");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ports), cmocka_unit_test(mounts), cmocka_unit_test(references),
                                       cmocka_unit_test(networks), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
