/* The documents of an image: what is read, what is refused. */
#include "tests/unit/test.h"

#include "base/cleanup.h"
#include "runtime/image/spec.h"

#define HEX(d)   d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d
#define DIGEST_A "sha256:" HEX("aa")
#define DIGEST_B "sha256:" HEX("bb")
#define MEMBER(digest, os, architecture, more)                                                                                             \
    "{\"mediaType\":\"" IMAGE_MEDIA_OCI_MANIFEST "\",\"digest\":\"" digest "\",\"size\":7,\"platform\":{\"os\":\"" os                      \
    "\",\"architecture\":\"" architecture "\"}" more "}"
#define CONFIG "{\"mediaType\":\"x\",\"digest\":\"" DIGEST_A "\",\"size\":2}"

static struct arena arena;

static int free_arena(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static int parse(const char *text, struct image_document *out, struct error *why)
{
    return image_document_parse(bytes_of_string(text), &arena, out, why);
}

static int parse_spec(const char *text, struct image_spec *out, struct error *why)
{
    return image_spec_parse(bytes_of_string(text), &arena, out, why);
}

static void index_without_the_platform_says_what_it_has(void **state)
{
    (void)state;
    struct image_document index;
    const struct image_descriptor *item;
    struct image_platform windows = {.os = "windows", .architecture = "amd64"}, arm = {.os = "linux", .architecture = "aarch64"};
    assert_ok(parse(
        "{\"schemaVersion\":2,\"manifests\":[" MEMBER(DIGEST_A, "linux", "amd64", "") "," MEMBER(DIGEST_B, "linux", "arm64", "") "," MEMBER(
            DIGEST_A, "unknown", "unknown", ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}") "]}",
        &index, err));
    assert_fails(image_index_choose(&index, &windows, &item, err), ERR_NOT_FOUND,
                 "no image for windows/amd64 in this index: it has linux/amd64, linux/arm64");
    assert_ok(image_index_choose(&index, &arm, &item, err));
    assert_string_equal(item->digest, DIGEST_B);
}

static void manifest_gives_config_and_layers(void **state)
{
    (void)state;
    struct image_document manifest;
    assert_ok(parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"application/"
                    "vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" DIGEST_B "\",\"size\":5,\"urls\":[\"https://x/y\"]}]}",
                    &manifest, err));
    assert_int_equal(manifest.kind, IMAGE_DOCUMENT_MANIFEST);
    assert_string_equal(manifest.config.digest, DIGEST_A);
    assert_true(manifest.items[0].is_foreign);
    assert_string_equal(manifest.items[0].urls.items[0], "https://x/y");
}

static void documents_that_cannot_be_right_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
        int code;
    } rows[] = {
        {"", "not JSON", ERR_INVALID},
        {"[]", "not a JSON object", ERR_INVALID},
        {"{}", "neither manifests nor layers", ERR_INVALID},
        {"{\"manifests\":[],\"layers\":[]}", "an index and a manifest", ERR_INVALID},
        {"{\"manifests\":[],\"config\":{}}", "an index and a manifest", ERR_INVALID},
        {"{\"mediaType\":\"" IMAGE_MEDIA_OCI_MANIFEST "\",\"manifests\":[]}", "calls itself a manifest", ERR_INVALID},
        {"{\"mediaType\":\"" IMAGE_MEDIA_OCI_INDEX "\",\"config\":" CONFIG ",\"layers\":[]}", "calls itself an index", ERR_INVALID},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1", ERR_UNSUPPORTED},
        {"{\"layers\":[]}", "descriptor is missing", ERR_INVALID},
        {"{\"config\":{\"digest\":\"sha256:../../etc\",\"size\":1},\"layers\":[]}", "not a sha256 digest", ERR_INVALID},
        {"{\"config\":{\"digest\":\"" DIGEST_A "\",\"size\":-1},\"layers\":[]}", "has no size", ERR_INVALID},
        {"{\"config\":{\"digest\":7,\"size\":1},\"layers\":[]}", "\"digest\" is not a string", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct image_document document;
        assert_fails(parse(rows[i].text, &document, err), rows[i].code, rows[i].why);
    }
}

static void config_is_read_whole(void **state)
{
    (void)state;
    struct image_spec spec;
    assert_ok(parse_spec(
        "{\"os\":\"windows\",\"architecture\":\"amd64\",\"os.version\":\"10.0.20348.1\",\"config\":{\"Entrypoint\":[\"/e\"],"
        "\"Cmd\":[\"a\",\"b\"],\"Env\":[\"A=1\"],\"WorkingDir\":\"/w\",\"User\":\"u:g\",\"Labels\":{\"k\":\"v\"},"
        "\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/data\":{}},\"StopSignal\":\"SIGQUIT\",\"Shell\":[\"cmd\"],\"ArgsEscaped\":true,"
        "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":30000000000,\"Retries\":3}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST_A "\"]}}",
        &spec, err));
    assert_string_equal(spec.os_version, "10.0.20348.1");
    assert_string_equal(spec.config.entrypoint.items[0], "/e");
    assert_int_equal(spec.config.cmd.count, 2);
    assert_string_equal(spec.config.exposed_ports.items[0], "80/tcp");
    assert_string_equal(spec.config.volumes.items[0], "/data");
    assert_int_equal(spec.config.healthcheck.interval_ns, 30000000000);
    assert_int_equal(spec.config.healthcheck.test.count, 2);
    assert_int_equal(spec.diff_ids.count, 1);
    assert_true(spec.config.is_args_escaped);
}

static void nulls_and_gaps_mean_nothing_given(void **state)
{
    (void)state;
    struct image_spec spec;
    assert_ok(parse_spec("{\"config\":{\"Cmd\":null,\"Labels\":null,\"Healthcheck\":null},\"rootfs\":null}", &spec, err));
    assert_string_equal(spec.os, "linux");
    assert_string_equal(spec.config.user, "");
    assert_int_equal(spec.config.cmd.count, 0);
    assert_false(spec.config.is_args_escaped);
    assert_ok(parse_spec("{}", &spec, err));
}

static void config_of_wrong_types_names_the_field(void **state)
{
    (void)state;
    struct image_spec spec;
    assert_fails(parse_spec("{\"config\":{\"Cmd\":\"sh\"}}", &spec, err), ERR_INVALID, "\"Cmd\" is not a list");
    assert_fails(parse_spec("{\"config\":{\"Env\":[1]}}", &spec, err), ERR_INVALID, "\"Env\" holds something");
    assert_fails(parse_spec("{\"config\":[]}", &spec, err), ERR_INVALID, "\"config\" is not an object");
    assert_fails(parse_spec("{\"rootfs\":{\"diff_ids\":[\"sha256:x\"]}}", &spec, err), ERR_INVALID, "not a sha256 digest");
    assert_fails(parse_spec("{\"config\":{\"Labels\":{\"a\":1}}}", &spec, err), ERR_INVALID, "a label is not a string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(index_without_the_platform_says_what_it_has, free_arena),
        cmocka_unit_test_teardown(manifest_gives_config_and_layers, free_arena),
        cmocka_unit_test_teardown(documents_that_cannot_be_right_are_refused, free_arena),
        cmocka_unit_test_teardown(config_is_read_whole, free_arena),
        cmocka_unit_test_teardown(nulls_and_gaps_mean_nothing_given, free_arena),
        cmocka_unit_test_teardown(config_of_wrong_types_names_the_field, free_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
