/* tests/unit/manager/scheduler/test_image_facts.c – image facts as a document, and what is refused. */
#include "base/mem.h"
#include "google/protobuf/any.pb-c.h"
#include "manager/scheduler/image_facts.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static int parse(const char *text, struct image_facts *out, struct error *err)
{
    return image_facts_parse(bytes_of_string(text), out, err);
}

static void a_document_is_read(void **state)
{
    struct image_facts facts;
    (void)state;
    assert_ok(parse("{\"image\": \"host:5000/app:1@sha256:ab\", \"from\": [1], \"platforms\": ["
                    "{\"architecture\": \"amd64\", \"os\": \"windows\", \"os.version\": \"10.0.20348.2113\", \"variant\": 7}, {}]}",
                    &facts, err));
    assert_string_equal(facts.image, "host:5000/app:1@sha256:ab");
    assert_int_equal(facts.count, 2);
    assert_string_equal(facts.platforms[0].os, "windows");
    assert_string_equal(facts.platforms[0].architecture, "amd64");
    assert_string_equal(facts.platforms[0].os_version, "10.0.20348.2113");
    assert_string_equal(facts.platforms[1].os, "");
    assert_string_equal(facts.platforms[1].architecture, "");
    assert_string_equal(facts.platforms[1].os_version, "");
    image_facts_deinit(&facts);
    assert_ok(parse("{\"image\":\"a\",\"platforms\":[]}", &facts, err)); /* nothing is known of it */
    assert_int_equal(facts.count, 0);
    image_facts_deinit(&facts);
}

static void what_is_no_document_is_refused(void **state)
{
    struct image_facts facts;
    (void)state;
    assert_fails(parse("", &facts, err), ERR_INVALID, "image facts: not JSON");
    assert_fails(parse("[]", &facts, err), ERR_INVALID, "image facts: no object");
    assert_fails(parse("{\"platforms\":[]}", &facts, err), ERR_INVALID, "image is missing");
    assert_fails(parse("{\"image\":\"\",\"platforms\":[]}", &facts, err), ERR_INVALID, "image is missing");
    assert_fails(parse("{\"image\":7,\"platforms\":[]}", &facts, err), ERR_INVALID, "image is no text");
    assert_fails(parse("{\"image\":\"a b\",\"platforms\":[]}", &facts, err), ERR_INVALID,
                 "image has a character that is not printable at 1");
    assert_fails(parse("{\"image\":\"\\u00fc\",\"platforms\":[]}", &facts, err), ERR_INVALID, "not printable at 0");
    assert_fails(parse("{\"image\":\"a\"}", &facts, err), ERR_INVALID, "platforms is no list");
    assert_fails(parse("{\"image\":\"a\",\"platforms\":{}}", &facts, err), ERR_INVALID, "platforms is no list");
    assert_fails(parse("{\"image\":\"a\",\"platforms\":[{},7]}", &facts, err), ERR_INVALID, "platform 1: no object");
    assert_fails(parse("{\"image\":\"a\",\"platforms\":[{\"os.version\":null}]}", &facts, err), ERR_INVALID,
                 "platform 0: os.version is no text");
}

/* A text of @length characters in the place of %s. */
static int parse_long(const char *format, size_t length, struct image_facts *out, struct error *err)
{
    cleanup_free char *word = mem_alloc(length + 1);
    memset(word, 'x', length);
    cleanup_buf struct buf text = {0};
    const char *at = strstr(format, "%s");
    buf_append(&text, format, (size_t)(at - format));
    buf_append_string(&text, word);
    buf_append_string(&text, at + 2);
    return image_facts_parse(buf_bytes(&text), out, err);
}

static void what_is_too_long_is_refused(void **state)
{
    struct image_facts facts;
    cleanup_buf struct buf text = {0};
    (void)state;
    assert_ok(parse_long("{\"image\":\"%s\",\"platforms\":[]}", IMAGE_FACTS_REFERENCE_CHARS, &facts, err));
    image_facts_deinit(&facts);
    assert_fails(parse_long("{\"image\":\"%s\",\"platforms\":[]}", IMAGE_FACTS_REFERENCE_CHARS + 1, &facts, err), ERR_LIMIT,
                 "image is 513 characters long: at most 512");
    assert_fails(parse_long("{\"image\":\"a\",\"platforms\":[{\"os\":\"%s\"}]}", IMAGE_FACTS_WORD_CHARS + 1, &facts, err), ERR_LIMIT,
                 "platform 0: os is 65 characters long");
    assert_fails(parse_long("{\"image\":\"a\",\"platforms\":[],\"x\":\"%s\"}", IMAGE_FACTS_SIZE_BYTES, &facts, err), ERR_LIMIT, "bytes");
    for (size_t most = IMAGE_INDEX_ENTRIES_COUNT; most <= IMAGE_INDEX_ENTRIES_COUNT + 1; most++) {
        buf_clear(&text);
        buf_append_string(&text, "{\"image\":\"a\",\"platforms\":[{}");
        for (size_t i = 1; i < most; i++)
            buf_append_string(&text, ",{}");
        buf_append_string(&text, "]}");
        if (most > IMAGE_INDEX_ENTRIES_COUNT) {
            assert_fails(image_facts_parse(buf_bytes(&text), &facts, err), ERR_LIMIT, "1001 platforms: at most 1000");
            continue;
        }
        assert_ok(image_facts_parse(buf_bytes(&text), &facts, err));
        assert_int_equal(facts.count, most);
        image_facts_deinit(&facts);
    }
}

static void what_is_printed_is_read_again(void **state)
{
    static const struct scheduler_platform platforms[] = {{"windows", "amd64", "10.0.17763.1"}, {"linux", NULL, ""}, {"", "arm64", NULL}};
    const struct image_facts facts = {.image = "a\"b\\c/d:1", .platforms = platforms, .count = 3};
    struct image_facts again;
    cleanup_buf struct buf text = {0};
    (void)state;
    assert_ok(image_facts_print(&facts, &text, err));
    assert_ok(image_facts_parse(buf_bytes(&text), &again, err));
    assert_string_equal(again.image, facts.image);
    assert_int_equal(again.count, 3);
    assert_string_equal(again.platforms[0].os_version, "10.0.17763.1");
    assert_string_equal(again.platforms[1].os, "linux");
    assert_string_equal(again.platforms[1].architecture, "");
    assert_string_equal(again.platforms[2].architecture, "arm64");
    image_facts_deinit(&again);
}

static void what_would_not_be_read_is_not_printed(void **state)
{
    const struct scheduler_platform odd = {"win dows", "", ""};
    cleanup_buf struct buf text = {0};
    (void)state;
    assert_fails(image_facts_print(&(struct image_facts){0}, &text, err), ERR_INVALID, "without an image");
    assert_fails(image_facts_print(&(struct image_facts){.image = "a\n"}, &text, err), ERR_INVALID, "not printable");
    assert_fails(image_facts_print(&(struct image_facts){.image = "a", .platforms = &odd, .count = 1}, &text, err), ERR_INVALID,
                 "not printable");
    assert_fails(image_facts_print(&(struct image_facts){.image = "a", .count = IMAGE_INDEX_ENTRIES_COUNT + 1}, &text, err), ERR_LIMIT,
                 "1001 platforms");
    assert_int_equal(text.size, 0);
}

static void errors_name_the_object(void **state)
{
    Docker__Swarmkit__V1__Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    Google__Protobuf__Any payload = GOOGLE__PROTOBUF__ANY__INIT;
    struct image_facts facts;
    char id[] = "r1", newer[] = "skep.image/2", type[] = IMAGE_FACTS_TYPE;
    (void)state;
    resource.id = id;
    assert_fails(image_facts_read(&resource, &facts, err), ERR_INVALID, "resource r1: image facts without a payload");
    resource.payload = &payload;
    payload.type_url = newer;
    assert_fails(image_facts_read(&resource, &facts, err), ERR_UNSUPPORTED,
                 "image facts of type skep.image/2: this version reads skep.image/1");
    payload.type_url = type;
    assert_fails(image_facts_read(&resource, &facts, err), ERR_INVALID, "resource r1: image facts: not JSON");
}

static void digest_is_kept_where_it_is_known(void **state)
{
    const struct scheduler_platform platform = {"linux", "amd64", ""};
    struct image_facts facts = {.image = "app:1", .digest = "sha256:abc", .platforms = &platform, .count = 1}, read;
    cleanup_buf struct buf payload = {0};
    (void)state;
    assert_ok(image_facts_print(&facts, &payload, err));
    assert_ok(image_facts_parse(buf_bytes(&payload), &read, err));
    assert_string_equal(read.digest, "sha256:abc");
    image_facts_deinit(&read);
    assert_ok(image_facts_parse(bytes_of_string("{\"image\":\"app:1\",\"platforms\":[]}"), &read, err));
    assert_string_equal(read.digest, "");
    image_facts_deinit(&read);
    facts.digest = "sha256: abc";
    assert_fails(image_facts_print(&facts, &payload, err), ERR_INVALID, "digest");
    assert_fails(image_facts_parse(bytes_of_string("{\"image\":\"app:1\",\"digest\":7,\"platforms\":[]}"), &read, err), ERR_INVALID,
                 "digest is no text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(what_is_printed_is_read_again),
        cmocka_unit_test(what_would_not_be_read_is_not_printed),
        cmocka_unit_test(digest_is_kept_where_it_is_known),
        cmocka_unit_test(errors_name_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
