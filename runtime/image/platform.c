/* runtime/image/platform.c – see platform.h. */
#include "runtime/image/platform.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct version {
    unsigned long part[4]; /* major, minor, build, revision */
};

const char *image_architecture_normal(const char *architecture)
{
    static const struct {
        const char *spelled, *normal;
    } words[] = {{"x86_64", "amd64"}, {"x86-64", "amd64"}, {"AMD64", "amd64"}, {"aarch64", "arm64"}, {"ARM64", "arm64"}, {"armhf", "arm"},
                 {"armel", "arm"},    {"armv7l", "arm"},   {"armv6l", "arm"},  {"i386", "386"},      {"i686", "386"}};
    if (text_empty(architecture))
        return "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].spelled, architecture) == 0)
            return words[i].normal;
    return architecture;
}

char *image_platform_text(const struct image_platform *platform)
{
    const char *variant = platform->variant ? platform->variant : "", *version = platform->os_version ? platform->os_version : "";
    return mem_format("%s/%s%s%s%s%s", text_empty(platform->os) ? "unknown" : platform->os,
                      text_empty(platform->architecture) ? "unknown" : image_architecture_normal(platform->architecture),
                      *variant ? "/" : "", variant, *version ? ":" : "", version);
}

/* The number in "v7"; without a variant, what the architecture means by itself. */
static unsigned long variant_number(const struct image_platform *platform)
{
    const char *variant = platform->variant;
    if (!text_empty(variant))
        return strtoul(variant + (*variant == 'v'), NULL, 10);
    const char *architecture = image_architecture_normal(platform->architecture);
    return text_equal(architecture, "arm64") ? 8 : text_equal(architecture, "arm") ? 7 : 1;
}

static struct version version_of(const char *text)
{
    struct version version = {{0}};
    for (size_t i = 0; i < 4 && text && *text; i++) {
        char *end;
        version.part[i] = strtoul(text, &end, 10);
        text = *end == '.' ? end + 1 : NULL;
    }
    return version;
}

static bool version_fits(const char *have_text, const char *want_text)
{
    if (text_empty(have_text) || text_empty(want_text))
        return true;
    struct version have = version_of(have_text), want = version_of(want_text);
    return have.part[0] == want.part[0] && have.part[1] == want.part[1] && have.part[2] <= want.part[2];
}

bool image_platform_fits(const struct image_platform *have, const struct image_platform *want)
{
    if (!text_empty(want->os) && !text_empty(have->os) && !text_equal(have->os, want->os))
        return false;
    const char *wanted = image_architecture_normal(want->architecture), *given = image_architecture_normal(have->architecture);
    if (*wanted && *given && (strcmp(given, wanted) != 0 || variant_number(have) > variant_number(want)))
        return false;
    return version_fits(have->os_version, want->os_version);
}

/* Both fit. The first of two equals stays. */
static bool is_better(const struct image_platform *a, const struct image_platform *b)
{
    if (variant_number(a) != variant_number(b))
        return variant_number(a) > variant_number(b);
    struct version version_a = version_of(a->os_version), version_b = version_of(b->os_version);
    for (size_t i = 0; i < 4; i++)
        if (version_a.part[i] != version_b.part[i])
            return version_a.part[i] > version_b.part[i];
    return false;
}

int image_platform_choose(const struct image_platform *have, size_t count, const struct image_platform *want)
{
    int best = -1;
    for (size_t i = 0; i < count; i++)
        if (image_platform_fits(&have[i], want) && (best < 0 || is_better(&have[i], &have[best])))
            best = (int)i;
    return best;
}
