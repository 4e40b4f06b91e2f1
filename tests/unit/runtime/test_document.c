/* tests/unit/runtime/test_document.c */
#include "runtime/document.h"

#include "base/json.h"
#include "tests/unit/test.h"

static int parse(const char *text, struct arena *arena, cJSON **json, struct document *out, struct error *err)
{
    if (json_parse(bytes_of_string(text), CONTAINER_DOCUMENT_SIZE_BYTES, json, err) < 0)
        return err->code;
    return document_parse(*json, arena, out, err);
}

#define LAYERS         "\"Container\":{\"Storage\":{\"Layers\":[{\"Id\":\"a\",\"Path\":\"/layers/a\"},{\"Path\":\"/layers/b\"}]}}"
#define ARGS           "\"Process\":{\"CommandArgs\":[\"sh\",\"-c\",\"true\"]}"
#define DOCUMENT(skep) "{" LAYERS ",\"Skep\":{" ARGS skep "}}"

static void the_smallest_document_gets_dockers_defaults(void **state)
{
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *json = NULL;
    struct document d;

    (void)state;
    assert_ok(parse(DOCUMENT(""), &arena, &json, &d, err));
    assert_int_equal(d.layers.count, 2);
    assert_string_equal(d.layers.items[0], "/layers/a");
    assert_int_equal(d.process.args.count, 3);
    assert_string_equal(d.process.working_dir, "/");
    assert_string_equal(d.process.user, "");
    assert_int_equal(d.stop_signal_number, 15);
    assert_true(d.stop_grace_ns == 10000000000);
    assert_int_equal(d.network.mode, NETWORK_BRIDGE);
    assert_int_equal(d.linux_.seccomp, SECCOMP_DEFAULT);
    assert_int_equal(d.linux_.memory_swappiness, -1);
    assert_int_equal(d.linux_.shm_size_bytes, 64 * MIB);
    assert_true(d.log.is_kept);
    assert_int_equal(d.log.max_files, CONTAINER_LOG_FILES_COUNT);
}

static void every_member_is_read(void **state)
{
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *json = NULL;
    struct document d;

    (void)state;
    assert_ok(parse("{\"Owner\":\"skep\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"ShouldTerminateOnLastHandleClosed\":false,"
                    "\"Container\":{\"GuestOs\":{\"HostName\":\"web1\"},\"Storage\":{\"Layers\":[{\"Path\":\"/l\"}],\"Path\":\"\"},"
                    "\"MappedDirectories\":[{\"HostPath\":\"/h\",\"ContainerPath\":\"/c\",\"ReadOnly\":true}],"
                    "\"Memory\":{\"SizeInMB\":64},\"Processor\":{\"Maximum\":5000}},"
                    "\"Skep\":{\"Name\":\"web.1.abc\",\"Labels\":{\"a\":\"b\"},\"Image\":{\"Reference\":\"web\",\"Id\":\"sha256:1\"},"
                    "\"Isolation\":\"hyperv\",\"CreatedWallNs\":5,"
                    "\"Process\":{\"CommandArgs\":[\"x\"],\"WorkingDirectory\":\"/w\",\"Environment\":{\"K\":\"V\"},\"User\":\"1:2\","
                    "\"EmulateConsole\":true,\"CreateStdInPipe\":true},"
                    "\"Linux\":{\"MemorySwapBytes\":-1,\"CpuNano\":500000000,\"PidsLimit\":10,\"CapabilitiesAdd\":[\"ALL\"],"
                    "\"Seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"},\"Init\":true,\"ReadOnlyRoot\":true,\"Sysctls\":{\"net.x\":\"1\"},"
                    "\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":10,\"Hard\":20}],\"Groups\":[\"g\"],\"OomScoreAdj\":-5},"
                    "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"data\",\"Target\":\"/data\",\"NoCopy\":true},"
                    "{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"SizeBytes\":4096,\"Mode\":1023}],"
                    "\"Files\":[{\"Kind\":\"secret\",\"Target\":\"/run/secrets/x\",\"Uid\":1,\"Gid\":2,\"Mode\":256}],"
                    "\"Network\":{\"Mode\":\"host\",\"Ports\":[{\"Protocol\":\"udp\",\"TargetPort\":53,\"PublishedPort\":0}],"
                    "\"Dns\":{\"Nameservers\":[\"1.1.1.1\"],\"Search\":[\"x\"],\"Options\":[\"ndots:1\"]},\"Hosts\":[\"a:10.0.0.1\"]},"
                    "\"StopSignal\":\"SIGRTMIN+3\",\"StopGraceNs\":1,\"Health\":{\"anything\":[1]},"
                    "\"Log\":{\"Driver\":\"none\",\"MaxSizeBytes\":8192,\"MaxFiles\":3}}}",
                    &arena, &json, &d, err));
    assert_string_equal(d.hostname, "web1");
    assert_true(d.linux_.memory_bytes == 64 * MIB);
    assert_int_equal(d.processor_hundredths, 5000);
    assert_int_equal(d.mount_count, 3);
    assert_string_equal(d.mounts[0].source, "/h");
    assert_true(d.mounts[0].is_read_only);
    assert_true(d.mounts[1].no_copy);
    assert_int_equal(d.mounts[2].mode, 01777);
    assert_true(d.files[0].is_secret);
    assert_int_equal(d.stop_signal_number, 37);
    assert_int_equal(d.linux_.seccomp, SECCOMP_CUSTOM);
    assert_true(d.network.ports[0].is_udp);
    assert_false(d.log.is_kept);
    assert_int_equal(d.isolation, ISOLATION_HYPERV);
}

static void a_bad_member_is_named(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{\"Skep\":{" ARGS "}}", "Container.Storage.Layers: none given"},
        {"{" LAYERS ",\"Skep\":{}}", "Skep.Process.CommandArgs: no command given"},
        {"{" LAYERS ",\"Extra\":1}", "Extra: no such member"},
        {DOCUMENT(",\"Linux\":{\"Memory\":1}"), "Skep.Linux.Memory: no such member"},
        {DOCUMENT(",\"Linux\":{\"Init\":1}"), "Skep.Linux.Init: not true or false"},
        {DOCUMENT(",\"Linux\":{\"PidsLimit\":1.5}"), "Skep.Linux.PidsLimit: 1.5 is not a whole number"},
        {DOCUMENT(",\"Linux\":{\"PidsLimit\":-2}"), "Skep.Linux.PidsLimit: -2 is not from"},
        {DOCUMENT(",\"Linux\":{\"MemoryBytes\":1}"), "Minimum memory limit allowed is 6MB"},
        {DOCUMENT(",\"Linux\":{\"Seccomp\":\"none\"}"), "Skep.Linux.Seccomp: \"none\" is not a word it knows"},
        {DOCUMENT(",\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"x\",\"Target\":\"/y\"}]"),
         "Skep.Mounts[0].Source: invalid bind mount source, must be an absolute path: x"},
        {DOCUMENT(",\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"y\"}]"),
         "Skep.Mounts[0].Target: invalid mount target, must be an absolute path: y"},
        {DOCUMENT(",\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"../x\",\"Target\":\"/y\"}]"), "is no name for a volume"},
        {DOCUMENT(",\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/y\"},{\"Type\":\"tmpfs\",\"Target\":\"/y\"}]"),
         "Skep.Mounts[1].Target: Duplicate mount point: /y"},
        {DOCUMENT(",\"Network\":{\"Ports\":[{\"TargetPort\":80},{}]}"), "Skep.Network.Ports[1].TargetPort: missing"},
        {DOCUMENT(",\"Network\":{\"Dns\":{\"Search\":[\"a\\nnameserver 6.6.6.6\"]}}"), "Skep.Network.Dns.Search: "},
        {DOCUMENT(",\"StopSignal\":\"SIGNOPE\""), "Skep.StopSignal: Invalid signal: SIGNOPE"},
        {DOCUMENT(",\"StopSignal\":\"x\",\"StopSignal\":\"y\""), "Skep.StopSignal: given twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_json cJSON *json = NULL;
        struct document d;
        assert_fails(parse(cases[i].text, &arena, &json, &d, err), ERR_INVALID, cases[i].want);
    }
}

static void signals_have_linux_numbers(void **state)
{
    (void)state;
    assert_int_equal(document_signal_number("SIGTERM"), 15);
    assert_int_equal(document_signal_number("usr1"), 10);
    assert_int_equal(document_signal_number("9"), 9);
    assert_int_equal(document_signal_number("RTMAX-1"), 63);
    assert_int_equal(document_signal_number("SIGRTMIN"), 34);
    assert_int_equal(document_signal_number("0"), -1);
    assert_int_equal(document_signal_number(""), -1);
    assert_int_equal(document_signal_number("SIGRTMIN+99"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_document_gets_dockers_defaults),
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(a_bad_member_is_named),
        cmocka_unit_test(signals_have_linux_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
