#include "agent/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/swarmkit/types.pb-c.h"
#include "runtime/image/image.h"

typedef Docker__Swarmkit__V1__HealthConfig HealthConfig;
typedef Google__Protobuf__Duration Duration;

const char *health_status_text(enum health_status status)
{
    static const char *const texts[] = {"none", "starting", "healthy", "unhealthy"};
    return texts[status];
}

/* --- the document --- */

static int read_duration(const Duration *wish, int64_t image_ns, int64_t fallback_ns, const char *name, int64_t *out, struct error *err)
{
    int64_t ns = image_ns;
    if (wish && (wish->seconds < 0 || wish->nanos < 0 || wish->seconds > INT64_MAX / (int64_t)NS_PER_S - 1))
        return error_set(err, ERR_INVALID, "healthcheck: %s cannot be negative or that long", name);
    if (wish && (wish->seconds || wish->nanos))
        ns = wish->seconds * (int64_t)NS_PER_S + wish->nanos;
    if (ns <= 0)
        ns = fallback_ns;
    if (ns != 0 && ns < HEALTH_DURATION_MIN_MS * (int64_t)NS_PER_MS)
        return error_set(err, ERR_INVALID, "healthcheck: %s cannot be less than 1ms", name);
    *out = ns;
    return 0;
}

static int add_durations(cJSON *json, const HealthConfig *wish, const struct image_healthcheck *image, struct error *err)
{
    const struct image_healthcheck none = {0};
    const struct image_healthcheck *base = image ? image : &none;
    const struct {
        const char *key, *name;
        const Duration *wish;
        int64_t image_ns, fallback_ms;
    } rows[] = {
        {"Interval", "interval", wish ? wish->interval : NULL, base->interval_ns, HEALTH_INTERVAL_MS},
        {"Timeout", "timeout", wish ? wish->timeout : NULL, base->timeout_ns, HEALTH_TIMEOUT_MS},
        {"StartPeriod", "start_period", wish ? wish->start_period : NULL, base->start_period_ns, 0},
        {"StartInterval", "start_interval", wish ? wish->start_interval : NULL, base->start_interval_ns, HEALTH_START_INTERVAL_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = 0;
        int result = read_duration(rows[i].wish, rows[i].image_ns, rows[i].fallback_ms * (int64_t)NS_PER_MS, rows[i].name, &ns, err);
        if (result < 0)
            return result;
        json_add_int(json, rows[i].key, ns);
    }
    int64_t retries = wish && wish->retries ? wish->retries : base->retries;
    if (retries < 0)
        return error_set(err, ERR_INVALID, "healthcheck: retries cannot be negative");
    json_add_int(json, "Retries", retries ? retries : HEALTH_RETRIES_COUNT);
    return 0;
}

/* What to run: the words after CMD, or the shell with the line of CMD-SHELL. */
static int add_command(cJSON *json, char *const *test, size_t count, const char *const *shell, size_t shell_count, struct error *err)
{
    static const char *const default_shell[] = {"/bin/sh", "-c"};
    if (count < 2)
        return error_set(err, ERR_INVALID, "healthcheck: test: %s needs a command", test[0]);
    if (strcmp(test[0], "CMD") == 0) {
        json_add_strings(json, "Command", test + 1, count - 1);
        return 0;
    }
    if (strcmp(test[0], "CMD-SHELL") != 0)
        return error_set(err, ERR_INVALID, "healthcheck: test: unknown type \"%s\": it is NONE, CMD or CMD-SHELL", test[0]);
    cJSON *command = cJSON_AddArrayToObject(json, "Command");
    for (size_t i = 0; i < (shell_count ? shell_count : 2); i++)
        cJSON_AddItemToArray(command, cJSON_CreateString(shell_count ? shell[i] : default_shell[i]));
    cJSON_AddItemToArray(command, cJSON_CreateString(test[1]));
    return 0;
}

int health_document(const HealthConfig *wish, const struct image_healthcheck *image, const char *const *shell, size_t shell_count,
                    cJSON **out, struct error *err)
{
    char *const *test = wish && wish->n_test ? wish->test : image ? (char *const *)image->test.items : NULL;
    size_t count = wish && wish->n_test ? wish->n_test : image ? image->test.count : 0;
    *out = NULL;
    if (count == 0 || strcmp(test[0], "NONE") == 0)
        return 0;
    cleanup_json cJSON *json = cJSON_CreateObject();
    json_add_strings(json, "Test", test, count);
    int result = add_command(json, test, count, shell, shell_count, err);
    if (result == 0)
        result = add_durations(json, wish, image, err);
    if (result < 0)
        return result;
    *out = steal(&json);
    return 0;
}

static uint64_t duration_of(const cJSON *json, const char *key, uint64_t fallback_ms)
{
    int64_t ns = json_int(json, key, 0);
    return ns > 0 ? (uint64_t)ns : fallback_ms * NS_PER_MS;
}

void health_config_read(const cJSON *document, struct health_config *out)
{
    *out = (struct health_config){0};
    const cJSON *command = json_array(document, "Command");
    if (!command || cJSON_GetArraySize(command) == 0)
        return;
    int64_t retries = json_int(document, "Retries", HEALTH_RETRIES_COUNT);
    *out = (struct health_config){.is_on = true,
                                  .interval_ns = duration_of(document, "Interval", HEALTH_INTERVAL_MS),
                                  .timeout_ns = duration_of(document, "Timeout", HEALTH_TIMEOUT_MS),
                                  .start_period_ns = duration_of(document, "StartPeriod", 0),
                                  .start_interval_ns = duration_of(document, "StartInterval", HEALTH_START_INTERVAL_MS),
                                  .retries = retries > 0 && retries < 1000000 ? (unsigned)retries : HEALTH_RETRIES_COUNT};
}

/* --- the schedule --- */

static bool is_in_start_period(const struct health *health, uint64_t now_ns)
{
    return health->status == HEALTH_STARTING && now_ns - health->started_ns < health->config.start_period_ns;
}

static void plan(struct health *health, uint64_t now_ns)
{
    uint64_t wait_ns = is_in_start_period(health, now_ns) ? health->config.start_interval_ns : health->config.interval_ns;
    health->next_ns = wait_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + wait_ns;
}

void health_init(struct health *health, const struct health_config *config, uint64_t now_ns)
{
    *health = (struct health){.config = *config, .status = config->is_on ? HEALTH_STARTING : HEALTH_NONE, .started_ns = now_ns};
    plan(health, now_ns);
}

bool health_is_due(const struct health *health, uint64_t now_ns)
{
    return health->config.is_on && !health->is_probing && now_ns >= health->next_ns;
}

uint64_t health_wake_ns(const struct health *health)
{
    return health->config.is_on && !health->is_probing ? health->next_ns : UINT64_MAX;
}

void health_probe_started(struct health *health)
{
    health->is_probing = true;
}

bool health_result(struct health *health, bool is_success, uint64_t now_ns)
{
    enum health_status before = health->status;
    health->is_probing = false;
    if (is_success) {
        health->failures = 0;
        health->status = HEALTH_HEALTHY;
    } else if (!is_in_start_period(health, now_ns) && ++health->failures >= health->config.retries) {
        health->status = HEALTH_UNHEALTHY;
    }
    plan(health, now_ns);
    return health->status != before;
}
