/* runtime/image/reference.c – see reference.h. */
#include "runtime/image/reference.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#define OFFICIAL "library/"

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool image_digest_is_valid(const char *text)
{
    if (!text_starts(text, "sha256:") || strlen(text) != IMAGE_DIGEST_SIZE_CHARS)
        return false;
    return strspn(text + 7, "0123456789abcdef") == 64;
}

static int bad(struct error *err, const char *text, const char *why)
{
    return error_set(err, ERR_INVALID, "invalid reference format: %.*s: %s", 300, text, why);
}

static bool tag_is_valid(const char *tag)
{
    size_t length = strlen(tag);
    if (length == 0 || length > IMAGE_TAG_SIZE_CHARS || !is_word(tag[0]))
        return false;
    for (const char *c = tag; *c; c++)
        if (!is_word(*c) && *c != '.' && *c != '-')
            return false;
    return true;
}

/* What stands between two letters of a path part: one '.', one or two '_', or any number of '-'. */
static bool separator_is_valid(const char *text, size_t length)
{
    if (text[0] == '-')
        return strspn(text, "-") >= length;
    return length == 1 || (length == 2 && text[0] == '_' && text[1] == '_');
}

static bool part_is_valid(const char *part, size_t length)
{
    if (length == 0 || !is_lower_alnum(part[0]) || !is_lower_alnum(part[length - 1]))
        return false;
    for (size_t i = 0; i < length;) {
        size_t separator = strcspn(part + i, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (separator == 0) {
            i++;
            continue;
        }
        if (strspn(part + i, "._-") < separator || !separator_is_valid(part + i, separator))
            return false;
        i += separator;
    }
    return true;
}

static bool path_is_valid(const char *path)
{
    for (;;) {
        size_t length = strcspn(path, "/");
        if (!part_is_valid(path, length))
            return false;
        if (path[length] == '\0')
            return true;
        path += length + 1;
    }
}

static bool port_is_valid(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    return digits > 0 && digits <= 5 && port[digits] == '\0';
}

static bool domain_is_valid(const char *domain)
{
    if (domain[0] == '[') {
        size_t inner = strspn(domain + 1, "0123456789abcdefABCDEF:.");
        const char *rest = domain + 1 + inner;
        return inner > 0 && *rest == ']' && (rest[1] == '\0' || (rest[1] == ':' && port_is_valid(rest + 2)));
    }
    char before = '.';
    for (const char *c = domain; *c; c++) {
        if (*c == ':')
            return before != '.' && before != '-' && port_is_valid(c + 1);
        bool is_alnum = is_word(*c) && *c != '_';
        if (!is_alnum && *c != '.' && *c != '-')
            return false;
        if (before == '.' && !is_alnum)
            return false;
        before = *c;
    }
    return before != '.' && before != '-';
}

static bool looks_like_domain(const char *part, size_t length)
{
    if (length == 9 && memcmp(part, "localhost", 9) == 0)
        return true;
    for (size_t i = 0; i < length; i++)
        if (strchr(".:[", part[i]) || (part[i] >= 'A' && part[i] <= 'Z'))
            return true;
    return false;
}

/* Cuts "@sha256:…" off the end of @name into @out. */
static int take_digest(char *name, struct image_reference *out, const char *text, struct error *err)
{
    char *at = strchr(name, '@');
    if (!at)
        return 0;
    if (!image_digest_is_valid(at + 1))
        return bad(err, text, "the digest must be sha256: and 64 hex digits");
    memcpy(out->digest, at + 1, IMAGE_DIGEST_SIZE_CHARS + 1);
    *at = '\0';
    return 0;
}

/* Cuts ":tag" off the end of @name: a colon behind the last slash. */
static int take_tag(char *name, struct image_reference *out, const char *text, struct error *err)
{
    char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
    if (!colon || (slash && colon < slash))
        return 0;
    if (!tag_is_valid(colon + 1))
        return bad(err, text, "the tag must be up to 128 letters, digits, '_', '.' and '-'");
    snprintf(out->tag, sizeof out->tag, "%s", colon + 1);
    *colon = '\0';
    return 0;
}

static int take_name(const char *name, struct image_reference *out, const char *text, struct error *err)
{
    const char *slash = strchr(name, '/'), *path = name, *prefix = "";
    snprintf(out->domain, sizeof out->domain, "%s", IMAGE_DEFAULT_DOMAIN);
    if (slash && looks_like_domain(name, (size_t)(slash - name))) {
        snprintf(out->domain, sizeof out->domain, "%.*s", (int)(slash - name), name);
        path = slash + 1;
    }
    if (strcmp(out->domain, "index.docker.io") == 0)
        snprintf(out->domain, sizeof out->domain, "%s", IMAGE_DEFAULT_DOMAIN);
    if (strcmp(out->domain, IMAGE_DEFAULT_DOMAIN) == 0 && !strchr(path, '/'))
        prefix = OFFICIAL;
    if (!domain_is_valid(out->domain))
        return bad(err, text, "the registry must be a host name or address, with a port if needed");
    for (const char *c = path; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            return bad(err, text, "repository name must be lowercase");
    if (!path_is_valid(path))
        return bad(err, text, "the name's parts must be letters and digits, with '.', '_' or '-' between them");
    snprintf(out->path, sizeof out->path, "%s%s", prefix, path);
    return 0;
}

int image_reference_parse(const char *text, struct image_reference *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    if (text_empty(text))
        return error_set(err, ERR_INVALID, "invalid reference format: the name is empty");
    if (strlen(text) > IMAGE_NAME_SIZE_CHARS)
        return bad(err, text, "longer than any name can be");
    cleanup_free char *name = mem_string(text);
    int failed = take_digest(name, out, text, err);
    if (failed == 0)
        failed = take_tag(name, out, text, err);
    if (failed < 0)
        return failed;
    if (strlen(name) > 240)
        return bad(err, text, "repository name must not be more than 240 characters");
    failed = take_name(name, out, text, err);
    if (failed == 0 && strlen(out->domain) + 1 + strlen(out->path) > 240)
        failed = bad(err, text, "repository name must not be more than 240 characters");
    if (failed == 0 && out->tag[0] == '\0' && out->digest[0] == '\0')
        snprintf(out->tag, sizeof out->tag, "%s", IMAGE_DEFAULT_TAG);
    return failed;
}

static char *with_end(const char *name, const struct image_reference *reference)
{
    if (reference->digest[0])
        return mem_format("%s@%s", name, reference->digest);
    return mem_format("%s:%s", name, reference->tag);
}

char *image_reference_full(const struct image_reference *reference)
{
    cleanup_free char *name = mem_format("%s/%s", reference->domain, reference->path);
    return with_end(name, reference);
}

char *image_reference_repository(const struct image_reference *reference)
{
    const char *slash = strchr(reference->path, '/');
    /* "docker.io/example.com/a" without its domain would name another registry. */
    bool is_ambiguous = slash && looks_like_domain(reference->path, (size_t)(slash - reference->path));
    if (strcmp(reference->domain, IMAGE_DEFAULT_DOMAIN) != 0 || is_ambiguous)
        return mem_format("%s/%s", reference->domain, reference->path);
    bool official = text_starts(reference->path, OFFICIAL) && !strchr(reference->path + strlen(OFFICIAL), '/');
    return mem_string(reference->path + (official ? strlen(OFFICIAL) : 0));
}

char *image_reference_familiar(const struct image_reference *reference)
{
    cleanup_free char *name = image_reference_repository(reference);
    return with_end(name, reference);
}

const char *image_reference_registry(const struct image_reference *reference)
{
    return strcmp(reference->domain, IMAGE_DEFAULT_DOMAIN) == 0 ? "registry-1.docker.io" : reference->domain;
}
