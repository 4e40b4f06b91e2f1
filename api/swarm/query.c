/* api/swarm/query.c – see query.h. */
#include "api/swarm/query.h"

#include <string.h>

#include "api/swarm/shape.h"
#include "base/text.h"
#include "base/time.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/message.h"

static bool parse_u64(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (text_empty(text))
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    *out = value;
    return true;
}

int swarm_query_version(const char *what, const char *text, uint64_t *out, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    if (parse_u64(text, out))
        return 0;
    return error_set(err, ERR_INVALID, "invalid %s version '%s': it is the Version.Index that the update is based on", what,
                     shape_quote(text ? text : "", quoted));
}

int swarm_query_bool(const char *name, const char *text, bool *out, struct error *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    char quoted[SHAPE_QUOTE_SIZE];
    *out = false;
    if (text_empty(text))
        return 0;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, no[i]) == 0)
            return 0;
        if (strcmp(text, yes[i]) == 0) {
            *out = true;
            return 0;
        }
    }
    return error_set(err, ERR_INVALID, "invalid value for %s: %s", name, shape_quote(text, quoted));
}

int swarm_query_rollback(const char *text, Docker__Swarmkit__V1__UpdateServiceRequest__Rollback *out, struct error *err)
{
    char quoted[SHAPE_QUOTE_SIZE];
    *out = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__NONE;
    if (text_empty(text) || strcmp(text, "none") == 0)
        return 0;
    if (strcmp(text, "previous") != 0)
        return error_set(err, ERR_INVALID, "unrecognized rollback option %s", shape_quote(text, quoted));
    *out = DOCKER__SWARMKIT__V1__UPDATE_SERVICE_REQUEST__ROLLBACK__PREVIOUS;
    return 0;
}

int swarm_query_auth_from(const char *text, enum swarm_auth_from *out, struct error *err)
{
    *out = SWARM_AUTH_FROM_SPEC;
    if (text_empty(text) || strcmp(text, "spec") == 0)
        return 0;
    if (strcmp(text, "previous-spec") != 0)
        return error_set(err, ERR_INVALID, "unsupported registryAuthFrom value: spec or previous-spec");
    *out = SWARM_AUTH_FROM_PREVIOUS_SPEC;
    return 0;
}

static int read_tail(const char *text, int64_t *out, struct error *err)
{
    int64_t lines;
    *out = 0;
    if (text_empty(text) || strcmp(text, "all") == 0)
        return 0;
    if (text_parse_i64(text, 0, INT32_MAX, &lines, NULL) < 0)
        return error_set(err, ERR_INVALID, "tail value must be a positive integer or \"all\"");
    *out = -(lines + 1);
    return 0;
}

int swarm_log_options(const struct swarm_log_query *query, struct arena *arena, Docker__Swarmkit__V1__LogSubscriptionOptions **out,
                      struct error *err)
{
    Docker__Swarmkit__V1__LogSubscriptionOptions *options = shape_new(&docker__swarmkit__v1__log_subscription_options__descriptor, arena);
    int64_t since_ns;
    if (!query->wants_stdout && !query->wants_stderr)
        return error_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    int rc = read_tail(query->tail, &options->tail, err);
    if (rc < 0)
        return rc;
    if (!text_empty(query->since)) {
        if (time_parse(query->since, &since_ns, err) < 0)
            return error_wrap(err, "since");
        options->since = arena_alloc(arena, sizeof *options->since);
        message_set_timestamp(options->since, since_ns);
    }
    options->follow = query->follow;
    options->streams = arena_alloc(arena, 2 * sizeof *options->streams);
    if (query->wants_stdout)
        options->streams[options->n_streams++] = DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDOUT;
    if (query->wants_stderr)
        options->streams[options->n_streams++] = DOCKER__SWARMKIT__V1__LOG_STREAM__LOG_STREAM_STDERR;
    *out = options;
    return 0;
}
