/* tests/unit/runtime/windows/test_encode.c – documents and what HCS is given for them, as files side by side: tests/fixtures/hcs/
 * NAME.document.json and NAME.BUILD.KIND.json. SKEP_WRITE_FIXTURES=1 writes the second ones anew: read what changed, member by member,
 * against the table at the head of runtime/windows/encode.h. */
#include "runtime/windows/encode.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum kind { PROCESS, HYPERV, UTILITY_VM, HOSTED, REQUESTS, COMMAND };

static const char *const kinds[] = {"process", "hyperv", "utility-vm", "hosted", "requests", "command"};

/* Every row is one golden file. */
static const struct golden {
    const char *name;
    uint32_t build;
    enum kind kind;
} golden[] = {
    {"minimal", 17763, PROCESS},
    {"minimal", 17134, PROCESS},
    {"minimal", 20348, HYPERV},
    {"minimal", 20348, UTILITY_VM},
    {"minimal", 20348, HOSTED},
    {"minimal", 20348, REQUESTS},
    {"minimal", 20348, COMMAND},
    {"full", 17763, PROCESS},
    {"full", 16299, PROCESS},
    {"full", 17763, HYPERV},
    {"full", 26100, UTILITY_VM},
    {"full", 26100, HOSTED},
    {"full", 26100, REQUESTS},
    {"full", 20348, COMMAND},
    {"console", 20348, COMMAND},
    {"command-line", 20348, COMMAND},
    {"command-line-more", 20348, COMMAND},
    {"processor-count", 20348, PROCESS},
    {"processor-count", 20348, HYPERV},
    {"processor-weight", 20348, PROCESS},
    {"processor-weight", 14393, PROCESS},
    {"processor-fraction", 20348, PROCESS},
    {"processor-fraction", 20348, HYPERV},
    {"processor-fraction", 20348, UTILITY_VM},
    {"no-network", 20348, PROCESS},
    {"no-network", 14393, HYPERV},
};

struct given {
    cJSON *json;
    struct arena arena;
    struct document document;
};

static void read_document(const char *name, struct given *out)
{
    cleanup_free char *path = mem_format("tests/fixtures/hcs/%s.document.json", name);
    cleanup_buf struct buf text = {0};

    *out = (struct given){0};
    assert_ok(file_read(path, MIB, &text, err));
    assert_ok(json_parse(buf_bytes(&text), MIB, &out->json, err));
    assert_ok(document_parse(out->json, &out->arena, &out->document, err));
}

static void given_deinit(struct given *given)
{
    cJSON_Delete(given->json);
    arena_deinit(&given->arena);
}

static const struct windows_schema *schema_of(uint32_t build)
{
    const struct windows_schema *schema = NULL;

    assert_ok(windows_schema_for(build, &schema, err));
    return schema;
}

static const struct windows_layer layers[] = {{"a8e1a2a0-6c0f-5e53-9e0b-3a2a51a8c101", "D:\\skep\\layers\\app"},
                                              {"5b6bb9a2-1a6b-5b0e-8d2c-77d0a1f0c202", "D:\\skep\\layers\\base"}};

static const char *const endpoints[] = {"7d4c1d3e-6f2b-4c55-8a55-64b6b6f3a901"};
static const char *const sources[] = {NULL, "D:\\skep\\volumes\\cache", NULL};

static struct windows_place place_of(const struct document *d, uint32_t build, enum kind kind)
{
    bool is_networked = d->network.mode == NETWORK_BRIDGE;

    return (struct windows_place){.id = "c1",
                                  .schema = schema_of(build),
                                  .isolation = kind == PROCESS ? ISOLATION_PROCESS : ISOLATION_HYPERV,
                                  .form = kind == HYPERV ? WINDOWS_FORM_1 : schema_of(build)->process_form,
                                  .layers = layers,
                                  .layer_count = 2,
                                  .scratch_volume = kind == PROCESS ? "\\\\?\\Volume{6f0c2c5e-52a0-4b3c-9a64-0a9c6f1f2b10}" : NULL,
                                  .scratch_dir = "D:\\skep\\containers\\c1\\scratch",
                                  .utility_vm_dir = "D:\\skep\\layers\\base\\UtilityVM",
                                  .mount_sources = sources,
                                  .files_dir = "D:\\skep\\containers\\c1\\files",
                                  .namespace_id = is_networked ? "0c5d7b8e-2a39-4c77-9d31-5f0b3f6f9a11" : NULL,
                                  .endpoint_ids = endpoints,
                                  .endpoint_count = is_networked ? 1 : 0,
                                  .allows_unqualified_dns = is_networked,
                                  .processor_count = 4,
                                  .is_first_start = true};
}

/* What a VM is given, in its order. */
static cJSON *encode_requests(const struct document *d, const struct windows_place *place)
{
    cleanup_json cJSON *space =
        cJSON_Parse("{\"ID\":\"0c5d7b8e-2a39-4c77-9d31-5f0b3f6f9a11\",\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}");
    cleanup_json cJSON *hns =
        cJSON_Parse("{\"ID\":\"7d4c1d3e-6f2b-4c55-8a55-64b6b6f3a901\",\"Name\":\"skep_c1\",\"State\":1,\"DNSSuffix\":\"\","
                    "\"IPAddress\":\"172.28.0.2\",\"PrefixLength\":20,\"MacAddress\":\"00-15-5D-00-00-02\"}");
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < place->share_count; i++)
        if (place->shares[i].kind == WINDOWS_SHARE_LAYER)
            cJSON_AddItemToArray(list, windows_encode_share(&place->shares[i]));
    cJSON_AddItemToArray(list, windows_encode_scratch("D:\\skep\\containers\\c1\\scratch\\sandbox.vhdx"));
    cJSON_AddItemToArray(list, windows_encode_combined_layers(place));
    cJSON_AddItemToArray(list, windows_encode_guest_namespace(space));
    cJSON_AddItemToArray(list, windows_encode_guest_endpoint("3a3f0d2c-5a8e-4d13-9b1f-6f0a1c2d3e4f", hns));
    cJSON_AddItemToArray(list, windows_encode_adapter("3a3f0d2c-5a8e-4d13-9b1f-6f0a1c2d3e4f", endpoints[0], "00-15-5D-00-00-02"));
    for (size_t i = 0; i < place->share_count; i++)
        if (place->shares[i].kind != WINDOWS_SHARE_LAYER)
            cJSON_AddItemToArray(list, windows_encode_share(&place->shares[i]));
    for (size_t i = 0; i < d->mount_count; i++)
        if (d->mounts[i].type == MOUNT_PIPE)
            cJSON_AddItemToArray(list, windows_encode_vm_pipe(d->mounts[i].source));
    return list;
}

static cJSON *encode(const struct golden *g, const struct given *given)
{
    struct windows_place place = place_of(&given->document, g->build, g->kind);
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *socket =
        cJSON_Parse("{\"ServiceId\":\"9c2f0d6e-1111-4222-8333-444455556666\",\"ServiceConfig\":{\"AllowWildcardBinds\":true}}");
    cleanup_json cJSON *guard = cJSON_Parse("{\"Cookie\":\"c0\",\"RpcEndpoint\":\"e0\",\"Transport\":\"LRPC\",\"CredentialSpec\":\"{}\"}");
    cJSON *out = NULL;

    place.credential_spec = given->document.windows.credential_spec;
    place.credential_guard = given->document.windows.credential_spec ? guard : NULL;
    place.credential_socket = given->document.windows.credential_spec ? socket : NULL;
    windows_shares_of(&given->document, &place, &arena, &place.shares, &place.share_count);
    switch (g->kind) {
    case PROCESS:
    case HYPERV:
        assert_ok(windows_encode_container(&given->document, &place, &out, err));
        break;
    case UTILITY_VM:
        assert_ok(windows_encode_utility_vm(&given->document, &place, "D:\\skep\\containers\\c1\\vm\\sandbox.vhdx", &out, err));
        break;
    case HOSTED:
        assert_ok(windows_encode_hosted(&given->document, &place, "c1-vm", &out, err));
        break;
    case REQUESTS:
        return encode_requests(&given->document, &place);
    case COMMAND:
        assert_ok(windows_encode_process(&given->document.process, NULL, given->document.windows.is_command_line, &out, err));
        break;
    }
    return out;
}

static void compare(const struct golden *g)
{
    cleanup_free char *path = mem_format("tests/fixtures/hcs/%s.%u.%s.json", g->name, g->build, kinds[g->kind]);
    cleanup_free char *line = NULL, *printed = NULL, *got = NULL;
    cleanup_json cJSON *json = NULL, *read = NULL;
    cleanup_buf struct buf want = {0};
    struct given given;

    read_document(g->name, &given);
    json = encode(g, &given);
    given_deinit(&given);
    line = json_print(json);
    assert_ok(json_parse(bytes_of_string(line), MIB, &read, err));
    printed = cJSON_Print(read);
    got = mem_format("%s\n", printed);
    if (getenv("SKEP_WRITE_FIXTURES"))
        assert_ok(file_write_volatile(path, bytes_of_string(got), 0644, err));
    assert_ok(file_read(path, MIB, &want, err));
    buf_append(&want, "", 1);
    assert_string_equal(got, (const char *)want.data);
}

static void documents_are_as_reviewed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++)
        compare(&golden[i]);
}

static int check(const char *skep, uint32_t build, struct error *why)
{
    cleanup_free char *text = mem_format("{\"Container\":{\"Storage\":{\"Layers\":[{\"Path\":\"C:\\\\l\"}]}},"
                                         "\"Skep\":{\"Os\":\"windows\",\"Process\":{\"CommandArgs\":[\"x\"]},%s}}",
                                         skep);
    cleanup_json cJSON *json = NULL;
    cleanup_arena struct arena arena = {0};
    struct document document;

    assert_ok(json_parse(bytes_of_string(text), MIB, &json, err));
    if (document_parse(json, &arena, &document, why) < 0)
        return why->code;
    return windows_check(&document, schema_of(build), ISOLATION_PROCESS, why);
}

static void what_windows_cannot_do_is_refused_by_name(void **state)
{
    (void)state;
    assert_fails(check("\"Linux\":{\"PidsLimit\":10}", 20348, err), ERR_UNSUPPORTED, "Skep.Linux.PidsLimit: Windows has no limit");
    assert_fails(check("\"Linux\":{\"CapabilitiesAdd\":[\"NET_ADMIN\"]}", 20348, err), ERR_UNSUPPORTED, "CapabilitiesAdd");
    assert_fails(check("\"Linux\":{\"ReadOnlyRoot\":true}", 20348, err), ERR_UNSUPPORTED, "read-only");
    assert_fails(check("\"Linux\":{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":1}]}", 20348, err), ERR_UNSUPPORTED, "Ulimits");
    assert_fails(check("\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"C:\\\\t\"}]", 20348, err), ERR_UNSUPPORTED, "tmpfs");
    assert_fails(check("\"Network\":{\"Mode\":\"host\"}", 20348, err), ERR_UNSUPPORTED, "no host network");
    assert_fails(check("\"Network\":{\"Hosts\":[\"db:10.0.0.1\"]}", 20348, err), ERR_UNSUPPORTED, "extra hosts");
    assert_fails(check("\"Files\":[{\"Kind\":\"config\",\"Target\":\"D:\\\\app.ini\"}]", 20348, err), ERR_UNSUPPORTED,
                 "Skep.Files: the target D:\\app.ini is not on the container's drive C:");
    assert_ok(check("\"Files\":[{\"Kind\":\"config\",\"Target\":\"C:\\\\app.ini\"}]", 20348, err));
    assert_fails(check("\"Windows\":{\"CredentialSpec\":\"ftp://x\"}", 20348, err), ERR_INVALID, "Skep.Windows.CredentialSpec");
    assert_fails(
        check("\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"\\\\\\\\.\\\\pipe\\\\a\",\"Target\":\"\\\\\\\\.\\\\pipe\\\\b\"}]", 14393, err),
        ERR_UNSUPPORTED, "16299");
    assert_ok(
        check("\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"\\\\\\\\.\\\\pipe\\\\a\",\"Target\":\"\\\\\\\\.\\\\pipe\\\\b\"}]", 16299, err));
}

static void paths_and_pipes_of_windows_are_checked(void **state)
{
    (void)state;
    assert_fails(check("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/etc\",\"Target\":\"C:\\\\e\"}]", 20348, err), ERR_INVALID,
                 "bind mount source");
    assert_fails(check("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"C:\\\\e\",\"Target\":\"C:\\\\\"}]", 20348, err), ERR_INVALID,
                 "mount target");
    assert_fails(check("\"Mounts\":[{\"Type\":\"npipe\",\"Source\":\"C:\\\\x\",\"Target\":\"\\\\\\\\.\\\\pipe\\\\b\"}]", 20348, err),
                 ERR_INVALID, "not a valid pipe path");
    assert_fails(check("\"Linux\":{},\"Windows\":{\"Unknown\":1}", 20348, err), ERR_INVALID, "Skep.Windows.Unknown: no such member");
}

static void targets_of_files_are_below_drive_c(void **state)
{
    static const struct {
        const char *target, *path; /* NULL: refused */
    } rows[] = {
        {"C:\\app.ini", "app.ini"},
        {"c:/app/sub/key", "app\\sub\\key"},
        {"C:\\/app.ini", "app.ini"},
        {"C:\\app\\", "app"},
        {"C:\\.config\\a b", ".config\\a b"},
        {"C:\\", NULL},
        {"C:key", NULL},
        {"C:\\..\\Windows\\key", NULL},
        {"C:\\app\\.\\key", NULL},
        {"C:\\app\\key:stream", NULL},
        {"C:\\app\\*", NULL},
        {"C:\\app. \\key", NULL},
        {"\\\\?\\C:\\key", NULL},
        {"\\\\server\\share\\key", NULL},
        {"/key", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free char *path = NULL;
        struct error why = {0};
        int result = windows_file_path(rows[i].target, &path, &why);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
        else
            assert_int_equal(result, ERR_UNSUPPORTED);
    }
}

static void a_container_of_linux_is_refused(void **state)
{
    cleanup_json cJSON *json = cJSON_Parse("{\"Container\":{\"Storage\":{\"Layers\":[{\"Path\":\"/l\"}]}},"
                                           "\"Skep\":{\"Process\":{\"CommandArgs\":[\"sh\"]}}}");
    cleanup_arena struct arena arena = {0};
    struct document document;

    (void)state;
    assert_ok(document_parse(json, &arena, &document, err));
    assert_fails(windows_check(&document, schema_of(20348), ISOLATION_HYPERV, err), ERR_UNSUPPORTED, "node.platform.os==linux");
}

static void an_image_without_a_base_layer_or_utility_vm_is_refused(void **state)
{
    struct given given;
    struct windows_place place;
    cJSON *out = NULL;

    (void)state;
    read_document("minimal", &given);
    place = place_of(&given.document, 20348, HYPERV);
    place.utility_vm_dir = NULL;
    assert_fails(windows_encode_container(&given.document, &place, &out, err), ERR_UNSUPPORTED, "no UtilityVM folder");
    place.layer_count = 0;
    assert_fails(windows_encode_container(&given.document, &place, &out, err), ERR_INVALID, "no FROM scratch");
    given_deinit(&given);
}

static void arguments_come_back_as_they_were(void **state)
{
    static const struct {
        const char *args[4];
        const char *line;
    } rows[] = {
        {{"cmd", "/c", "ver"}, "cmd /c ver"},
        {{"a b"}, "\"a b\""},
        {{""}, "\"\""},
        {{"say \"hi\""}, "\"say \\\"hi\\\"\""},
        {{"C:\\a b\\"}, "\"C:\\a b\\\\\""},
        {{"C:\\a\\"}, "C:\\a\\"},
        {{"a\\\\\"b"}, "\"a\\\\\\\\\\\"b\""},
        {{"\\\\host\\share", "x\ty"}, "\\\\host\\share \"x\ty\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct document_strings args = {.items = (const char **)(uintptr_t)rows[i].args};
        while (args.count < 4 && rows[i].args[args.count])
            args.count++;
        cleanup_free char *line = windows_command_line(&args);
        assert_string_equal(line, rows[i].line);
    }
}

static void signals_become_console_events(void **state)
{
    const char *name = "";

    (void)state;
    assert_ok(windows_signal_name("SIGTERM", &name, err));
    assert_string_equal(name, "CtrlShutdown");
    assert_ok(windows_signal_name("int", &name, err));
    assert_string_equal(name, "CtrlC");
    assert_ok(windows_signal_name("9", &name, err));
    assert_null(name);
    assert_fails(windows_signal_name("SIGHUP", &name, err), ERR_INVALID, "Invalid signal: SIGHUP");
}

static void changes_are_those_the_host_can_make(void **state)
{
    cleanup_json cJSON *memory =
        cJSON_Parse("{\"ResourcePath\":\"Container/Memory/SizeInMB\",\"RequestType\":\"Update\",\"Settings\":128}");
    cleanup_json cJSON *processor =
        cJSON_Parse("{\"ResourcePath\":\"Container/Processor/Maximum\",\"RequestType\":\"Update\",\"Settings\":5}");
    cleanup_json cJSON *pids = cJSON_Parse("{\"ResourcePath\":\"Skep/Linux/PidsLimit\",\"RequestType\":\"Update\",\"Settings\":5}");

    (void)state;
    assert_ok(windows_check_modify(memory, schema_of(17763), WINDOWS_FORM_2, err));
    assert_fails(windows_check_modify(processor, schema_of(17763), WINDOWS_FORM_2, err), ERR_UNSUPPORTED, "19042");
    assert_ok(windows_check_modify(processor, schema_of(20348), WINDOWS_FORM_2, err));
    assert_fails(windows_check_modify(memory, schema_of(20348), WINDOWS_FORM_1, err), ERR_UNSUPPORTED, "schema 1");
    assert_fails(windows_check_modify(pids, schema_of(20348), WINDOWS_FORM_2, err), ERR_UNSUPPORTED, "PidsLimit");
}

static void one_directory_is_shared_once(void **state)
{
    struct document_mount mounts[] = {{.type = MOUNT_BIND, .source = "D:\\data", .target = "C:\\a", .is_read_only = true},
                                      {.type = MOUNT_BIND, .source = "d:\\DATA", .target = "C:\\b"},
                                      {.type = MOUNT_BIND, .source = "D:\\other", .target = "C:\\c", .is_read_only = true}};
    struct document document = {.mounts = mounts, .mount_count = 3};
    struct windows_place place = {.layers = layers, .layer_count = 2};
    cleanup_arena struct arena arena = {0};
    const struct windows_share *shares = NULL;
    size_t count = 0;

    (void)state;
    windows_shares_of(&document, &place, &arena, &shares, &count);
    assert_int_equal(count, 4);
    assert_string_equal(shares[0].name, "s1");
    assert_int_equal(shares[1].kind, WINDOWS_SHARE_LAYER);
    assert_string_equal(shares[2].path, "D:\\data");
    assert_int_equal(shares[2].kind, WINDOWS_SHARE_WRITABLE); /* one of its two mounts is */
    assert_int_equal(shares[3].kind, WINDOWS_SHARE_READ_ONLY);
}

static void a_change_of_a_hosted_container_is_one_of_its_vm(void **state)
{
    cleanup_json cJSON *memory =
        cJSON_Parse("{\"ResourcePath\":\"Container/Memory/SizeInMB\",\"RequestType\":\"Update\",\"Settings\":129}");
    cleanup_json cJSON *processor =
        cJSON_Parse("{\"ResourcePath\":\"Container/Processor/Maximum\",\"RequestType\":\"Update\",\"Settings\":5000}");
    cleanup_json cJSON *of_memory = windows_encode_vm_update(memory), *of_processor = windows_encode_vm_update(processor);
    cleanup_free char *first = json_print(of_memory), *second = json_print(of_processor);

    (void)state;
    assert_string_equal(first, "{\"ResourcePath\":\"VirtualMachine/ComputeTopology/Memory/SizeInMB\",\"RequestType\":\"Update\","
                               "\"Settings\":130}");
    assert_string_equal(second, "{\"ResourcePath\":\"VirtualMachine/ComputeTopology/Processor/Limits\",\"RequestType\":\"Update\","
                                "\"Settings\":{\"Limit\":50000}}");
}

static void each_build_has_its_schema(void **state)
{
    const struct windows_schema *schema = NULL;

    (void)state;
    assert_fails(windows_schema_for(10586, &schema, err), ERR_UNSUPPORTED, "requires build 14393 or later");
    assert_int_equal(schema_of(17134)->process_form, WINDOWS_FORM_1);
    assert_int_equal(schema_of(17763)->process_form, WINDOWS_FORM_2);
    assert_int_equal(schema_of(17134)->hyperv_form, WINDOWS_FORM_1);
    assert_int_equal(schema_of(17763)->hyperv_form, WINDOWS_FORM_2);
    assert_int_equal(windows_form_for(schema_of(20348), ISOLATION_HYPERV, true, 20348), WINDOWS_FORM_2);
    assert_int_equal(windows_form_for(schema_of(20348), ISOLATION_HYPERV, true, 0), WINDOWS_FORM_2);
    assert_int_equal(windows_form_for(schema_of(20348), ISOLATION_HYPERV, true, 14393), WINDOWS_FORM_1); /* its guest knows no other */
    assert_int_equal(windows_form_for(schema_of(20348), ISOLATION_HYPERV, false, 20348), WINDOWS_FORM_1);
    assert_int_equal(windows_form_for(schema_of(20348), ISOLATION_PROCESS, false, 20348), WINDOWS_FORM_2);
    assert_int_equal(schema_of(26100)->minor, 6);
    assert_int_equal(windows_build_of("10.0.20348.2113"), 20348);
    assert_int_equal(windows_build_of("10.0"), 0);
    assert_int_equal(windows_build_of(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_as_reviewed),
        cmocka_unit_test(what_windows_cannot_do_is_refused_by_name),
        cmocka_unit_test(paths_and_pipes_of_windows_are_checked),
        cmocka_unit_test(targets_of_files_are_below_drive_c),
        cmocka_unit_test(a_container_of_linux_is_refused),
        cmocka_unit_test(an_image_without_a_base_layer_or_utility_vm_is_refused),
        cmocka_unit_test(arguments_come_back_as_they_were),
        cmocka_unit_test(signals_become_console_events),
        cmocka_unit_test(changes_are_those_the_host_can_make),
        cmocka_unit_test(one_directory_is_shared_once),
        cmocka_unit_test(a_change_of_a_hosted_container_is_one_of_its_vm),
        cmocka_unit_test(each_build_has_its_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
