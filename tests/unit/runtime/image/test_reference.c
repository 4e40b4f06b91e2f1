/* Names of images by Docker's rules: what they mean, how they are shown, what is refused. */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "runtime/image/reference.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

static void names_are_completed_and_shown_as_docker_does(void **state)
{
    (void)state;
    static const struct {
        const char *text, *full, *familiar, *registry;
    } rows[] = {
        {"busybox", "docker.io/library/busybox:latest", "busybox:latest", "registry-1.docker.io"},
        {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36", "registry-1.docker.io"},
        {"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest", "registry-1.docker.io"},
        {"index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest", "registry-1.docker.io"},
        {"docker.io/example.com/a", "docker.io/example.com/a:latest", "docker.io/example.com/a:latest", "registry-1.docker.io"},
        {"team/app", "docker.io/team/app:latest", "team/app:latest", "registry-1.docker.io"},
        {"localhost/app", "localhost/app:latest", "localhost/app:latest", "localhost"},
        {"localhost:5000/a/b_c/d__e/f--g:V1.2-x", "localhost:5000/a/b_c/d__e/f--g:V1.2-x", "localhost:5000/a/b_c/d__e/f--g:V1.2-x",
         "localhost:5000"},
        {"[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest", "[::1]:5000"},
        {"Host/app", "Host/app:latest", "Host/app:latest", "Host"},
        {"busybox@" DIGEST, "docker.io/library/busybox@" DIGEST, "busybox@" DIGEST, "registry-1.docker.io"},
        {"r.io/x:1@" DIGEST, "r.io/x@" DIGEST, "r.io/x@" DIGEST, "r.io"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct image_reference reference;
        assert_ok(image_reference_parse(rows[i].text, &reference, err));
        cleanup_free char *full = image_reference_full(&reference), *familiar = image_reference_familiar(&reference);
        assert_string_equal(full, rows[i].full);
        assert_string_equal(familiar, rows[i].familiar);
        assert_string_equal(image_reference_registry(&reference), rows[i].registry);
    }
}

static void digest_keeps_the_tag_beside_it(void **state)
{
    (void)state;
    struct image_reference reference;
    assert_ok(image_reference_parse("r.io/x:1@" DIGEST, &reference, err));
    assert_string_equal(reference.tag, "1");
    assert_string_equal(reference.digest, DIGEST);
    assert_ok(image_reference_parse("x@" DIGEST, &reference, err));
    assert_string_equal(reference.tag, "");
}

static void bad_names_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty"},
        {"team/App", "lowercase"},
        {"a//b", "parts"},
        {"/a", "parts"},
        {"a/", "parts"},
        {"-a", "parts"},
        {"a..b", "parts"},
        {"a___b", "parts"},
        {"a:", "tag"},
        {"a:-x", "tag"},
        {"a:b:c", "parts"},
        {"a b", "parts"},
        {"../etc/passwd", "registry"},
        {"http://host/a", "registry"},
        {"host:99999999/a", "registry"},
        {"host.:5/a", "registry"},
        {"a@sha256:12", "digest"},
        {"a@sha512:" HEX64, "digest"},
        {"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "digest"},
        {"a\n", "parts"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct image_reference reference;
        assert_fails(image_reference_parse(rows[i].text, &reference, err), ERR_INVALID, rows[i].why);
    }
}

static void endless_names_are_refused(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct image_reference reference;
    assert_fails(image_reference_parse(text, &reference, err), ERR_INVALID, "longer");
    text[250] = '\0';
    assert_fails(image_reference_parse(text, &reference, err), ERR_INVALID, "240");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_completed_and_shown_as_docker_does),
        cmocka_unit_test(digest_keeps_the_tag_beside_it),
        cmocka_unit_test(bad_names_are_refused_with_the_reason),
        cmocka_unit_test(endless_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
