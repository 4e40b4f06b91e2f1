/* The isolation rule. Each kind has one function that says yes or why not; choosing tries them in the wish's order. */
#include "base/isolation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { BUILD_OLDEST = 14393, BUILD_RANGES_FROM = 20348 };

/* Windows' long-term server releases, oldest first: hcs.md §6.1. */
static const long long_term_builds[] = {14393, 17763, 20348, 26100};
enum { LONG_TERM_COUNT = sizeof long_term_builds / sizeof long_term_builds[0] };

struct windows_version {
    long major, minor, build, revision;
};

const char *isolation_name(enum isolation isolation)
{
    return isolation == ISOLATION_PROCESS ? "process" : isolation == ISOLATION_HYPERV ? "hyperv" : "default";
}

const char *isolation_architecture_normal(const char *architecture)
{
    static const char *const same[][2] = {
        {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"i686", "386"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (text_equal(architecture, same[i][0]))
            return same[i][1];
    return architecture;
}

static bool fits(const char *wanted, const char *got)
{
    return text_empty(wanted) || text_empty(got) || strcmp(wanted, got) == 0;
}

/* "10.0.20348.2113"; the revision may be missing (-1). */
static bool parse_version(const char *text, struct windows_version *out)
{
    long *const parts[] = {&out->major, &out->minor, &out->build, &out->revision};
    out->revision = -1;
    for (int i = 0; i < 4; i++) {
        char *end;
        if (text_empty(text) || *text < '0' || *text > '9' || strspn(text, "0123456789") > 9)
            return i == 3;
        *parts[i] = strtol(text, &end, 10);
        if (*end != '.')
            return i >= 2 && *end == '\0';
        text = end + 1;
    }
    return true;
}

/* The long-term release before the newest one that is not above @build. */
static long floor_build(long build)
{
    int newest = 0;
    for (int i = 0; i < LONG_TERM_COUNT; i++)
        if (long_term_builds[i] <= build)
            newest = i;
    return long_term_builds[newest > 2 ? newest - 1 : 2];
}

static bool process_build_fits(const struct windows_version *host, const struct windows_version *image)
{
    if (image->major != host->major || image->minor != host->minor)
        return false;
    if (host->build == BUILD_OLDEST)
        return image->build == host->build && image->revision == host->revision;
    if (host->build < BUILD_RANGES_FROM)
        return image->build == host->build;
    return image->build >= floor_build(host->build) && image->build <= host->build;
}

static bool hyperv_build_fits(const struct windows_version *host, const struct windows_version *image)
{
    return image->build >= BUILD_OLDEST && image->build <= host->build;
}

static bool is_windows(const struct isolation_host *host)
{
    return text_equal(host->os, "windows");
}

/* Can @image run here with this isolation? Where not, @why says why; NULL with size 0: nobody wants to know. */
static bool is_possible(const struct isolation_host *host, const struct isolation_image *image, enum isolation isolation, char *why,
                        size_t size)
{
    bool is_process = isolation == ISOLATION_PROCESS;
    if (!(is_process ? host->offers_process : host->offers_hyperv)) {
        const char *missing = is_process ? host->process_missing : host->hyperv_missing;
        (void)snprintf(why, size, "%s isolation is not offered here%s%s", isolation_name(isolation), missing ? ": " : "",
                       missing ? missing : "");
        return false;
    }
    struct windows_version have, want;
    if (!is_windows(host) || !parse_version(image->os_version, &want))
        return true;
    if (!parse_version(host->os_version, &have)) {
        (void)snprintf(why, size, "the host's Windows build is not known");
        return false;
    }
    if (is_process ? process_build_fits(&have, &want) : hyperv_build_fits(&have, &want))
        return true;
    if (!is_process)
        (void)snprintf(why, size, "hyperv isolation needs an image build from %d to %ld: the image is %s, the host %s", BUILD_OLDEST,
                       have.build, image->os_version, host->os_version);
    else if (have.build >= BUILD_RANGES_FROM)
        (void)snprintf(why, size, "process isolation needs an image build from %ld to %ld: the image is %s, the host %s",
                       floor_build(have.build), have.build, image->os_version, host->os_version);
    else
        (void)snprintf(why, size, "process isolation needs an image of the same build%s: the image is %s, the host %s",
                       have.build == BUILD_OLDEST ? " and revision" : "", image->os_version, host->os_version);
    return false;
}

/* The last check that a platform fails, or ISOLATION_KIND where it fits. */
static enum isolation_check check_platform(const struct isolation_host *host, const struct isolation_image *image, char *why, size_t size)
{
    if (!fits(image->os, host->os)) {
        (void)snprintf(why, size, "operating system: the image is for %s, the host is %s", image->os, host->os);
        return ISOLATION_OS;
    }
    const char *want = isolation_architecture_normal(image->architecture), *have = isolation_architecture_normal(host->architecture);
    if (!fits(want, have)) {
        (void)snprintf(why, size, "architecture: the image is for %s, the host is %s", want, have);
        return ISOLATION_ARCHITECTURE;
    }
    return ISOLATION_KIND;
}

struct isolation_verdict isolation_judge(const struct isolation_host *host, const struct isolation_image *image, enum isolation wish,
                                         char *why, size_t size)
{
    char first_why[400] = "", hyperv_why[400] = "";
    size_t text_size = why ? sizeof first_why : 0;
    enum isolation first = wish != ISOLATION_DEFAULT ? wish : host->preferred == ISOLATION_HYPERV ? ISOLATION_HYPERV : ISOLATION_PROCESS;
    struct isolation_verdict verdict = {.failed = check_platform(host, image, why, why ? size : 0)};
    if (verdict.failed != ISOLATION_KIND)
        return verdict;
    if (is_possible(host, image, first, first_why, text_size))
        return (struct isolation_verdict){.is_possible = true, .isolation = first};
    bool would_hyperv = first == ISOLATION_PROCESS && is_possible(host, image, ISOLATION_HYPERV, hyperv_why, text_size);
    if (wish == ISOLATION_DEFAULT && would_hyperv)
        return (struct isolation_verdict){.is_possible = true, .isolation = ISOLATION_HYPERV};
    verdict.hyperv_would_work = would_hyperv;
    if (why && wish == ISOLATION_DEFAULT && first == ISOLATION_PROCESS)
        (void)snprintf(why, size, "isolation default: %s; %s", first_why, hyperv_why);
    else if (why)
        (void)snprintf(why, size, "isolation %s: %s%s", isolation_name(wish), first_why, would_hyperv ? "; hyperv would work here" : "");
    return verdict;
}

int isolation_choose(const struct isolation_host *host, const struct isolation_image *image, enum isolation wish, enum isolation *out,
                     struct error *err)
{
    char why[900] = "";
    struct isolation_verdict verdict = isolation_judge(host, image, wish, why, sizeof why);
    if (!verdict.is_possible)
        return error_set(err, ERR_UNSUPPORTED, "node %s: %s", host->node, why);
    *out = verdict.isolation;
    return 0;
}
