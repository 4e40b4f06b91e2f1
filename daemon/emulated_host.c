/* daemon/emulated_host.c – see emulated_host.h. */
#include "daemon/emulated_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { CLIENT_PROCESS_FROM = 17763 }; /* Windows' clients before it have hyperv only: hcs.md §6.2 */

struct reading {
    struct emulated_host *host;
    bool has_os, has_build, has_product, has_isolation, has_architecture;
};

static bool is_word(const char *value, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(value, word, size) == 0;
}

/* The static word of @words that is meant; NULL: none. */
static const char *one_of(const char *value, size_t size, const char *const *words)
{
    for (; *words; words++)
        if (is_word(value, size, *words))
            return *words;
    return NULL;
}

/* "20348", "20348.2113", or the whole "10.0.20348.2113". */
static int take_build(struct emulated_host *host, const char *value, size_t size, struct error *err)
{
    const char *whole = value;
    if (size > 5 && memcmp(value, "10.0.", 5) == 0) {
        value += 5;
        size -= 5;
    }
    size_t build = strspn(value, "0123456789"),
           revision = build < size && value[build] == '.' ? strspn(value + build + 1, "0123456789") : 0;
    bool is_whole = build == size || (revision > 0 && build + 1 + revision == size);
    if (build == 0 || build > 9 || revision > 9 || !is_whole)
        return error_set(err, ERR_INVALID, "build=%.*s: write BUILD or BUILD.REVISION, like 20348.2113", (int)strcspn(whole, ","), whole);
    snprintf(host->os_version, sizeof host->os_version, "10.0.%.*s", (int)size, value);
    return 0;
}

static int take_isolation(struct emulated_host *host, const char *value, size_t size, struct error *err)
{
    static const char *const words[] = {"process", "hyperv", "process+hyperv", "hyperv+process", "none", NULL};
    const char *word = one_of(value, size, words);
    if (!word)
        return error_set(err, ERR_INVALID, "isolation=%.*s: must be process, hyperv, process+hyperv or none", (int)size, value);
    host->offers_process = strstr(word, "process") != NULL;
    host->offers_hyperv = strstr(word, "hyperv") != NULL;
    return 0;
}

/* A part's value by its key; @seen says which one it was. */
static int take(struct reading *reading, const char *key, size_t key_size, const char *value, size_t size, bool **seen, struct error *err)
{
    static const char *const systems[] = {"linux", "windows", NULL}, *const products[] = {"server", "client", NULL};
    static const char *const architectures[] = {"amd64", "arm64", NULL};
    struct emulated_host *host = reading->host;
    if (is_word(key, key_size, "os")) {
        *seen = &reading->has_os;
        host->os = one_of(value, size, systems);
        return host->os ? 0 : error_set(err, ERR_INVALID, "os=%.*s: must be linux or windows", (int)size, value);
    }
    if (is_word(key, key_size, "arch")) {
        *seen = &reading->has_architecture;
        host->architecture = one_of(value, size, architectures);
        return host->architecture ? 0 : error_set(err, ERR_INVALID, "arch=%.*s: must be amd64 or arm64", (int)size, value);
    }
    if (is_word(key, key_size, "product")) {
        *seen = &reading->has_product;
        const char *product = one_of(value, size, products);
        host->is_client = product == products[1];
        return product ? 0 : error_set(err, ERR_INVALID, "product=%.*s: must be server or client", (int)size, value);
    }
    if (is_word(key, key_size, "build")) {
        *seen = &reading->has_build;
        return take_build(host, value, size, err);
    }
    if (is_word(key, key_size, "isolation")) {
        *seen = &reading->has_isolation;
        return take_isolation(host, value, size, err);
    }
    return error_set(err, ERR_INVALID, "%.*s: no such part; there are os, arch, build, product and isolation", (int)key_size, key);
}

static int read_parts(struct reading *reading, const char *text, struct error *err)
{
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t size = strcspn(at, ","), key_size = strcspn(at, "=,");
        bool *seen = NULL;
        if (key_size == size)
            return error_set(err, ERR_INVALID, "%.*s: write KEY=VALUE", (int)size, at);
        if (take(reading, at, key_size, at + key_size + 1, size - key_size - 1, &seen, err) < 0)
            return err->code;
        if (*seen)
            return error_set(err, ERR_INVALID, "%.*s is given twice", (int)key_size, at);
        *seen = true;
    }
    return 0;
}

static int check(const struct reading *reading, struct error *err)
{
    const struct emulated_host *host = reading->host;
    bool is_windows = strcmp(host->os, "windows") == 0;
    if (is_windows && !reading->has_build)
        return error_set(err, ERR_INVALID, "os=windows needs its build, like build=20348.2113");
    if (!is_windows && (reading->has_build || reading->has_product))
        return error_set(err, ERR_INVALID, "%s is of Windows only", reading->has_build ? "build" : "product");
    if (host->is_client && host->offers_process && strtol(host->os_version + strlen("10.0."), NULL, 10) < CLIENT_PROCESS_FROM)
        return error_set(err, ERR_INVALID, "isolation: a Windows client before build %d has hyperv isolation only", CLIENT_PROCESS_FROM);
    return 0;
}

int emulated_host_parse(const char *text, struct emulated_host *out, struct error *err)
{
    *out = (struct emulated_host){.os = "linux", .architecture = "amd64"};
    struct reading reading = {.host = out};
    if (read_parts(&reading, text, err) < 0)
        return err->code;
    if (!reading.has_isolation) {
        out->offers_hyperv = out->is_client;
        out->offers_process = !out->is_client;
    }
    return check(&reading, err);
}

const char *emulated_host_default_isolation(const struct emulated_host *host)
{
    return host->is_client ? "hyperv" : "process";
}
