/* daemon/config.c – see config.h. */
#include "daemon/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/socket.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "daemon/emulated_host.h"
#include "daemon/host.h"

enum kind { TEXT, LIST, CHOICE, DURATION };

struct option {
    const char *flag;
    enum kind kind;
    const char *argument, *help;
    size_t offset;
};

static const struct option options[] = {
#define X(field, flag, kind, argument, help) {flag, kind, argument, help, offsetof(struct config, field)},
    CONFIG_OPTIONS(X)
#undef X
};
#define OPTION_COUNT (sizeof options / sizeof *options)

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].flag) == length && memcmp(options[i].flag, name, length) == 0)
            return &options[i];
    return NULL;
}

static void *field(struct config *config, const struct option *option)
{
    return (char *)config + option->offset;
}

static void set_text(char **place, const char *value)
{
    free(*place);
    *place = mem_string(value);
}

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *word = choices; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
        if (length > 0 && strncmp(word, value, length) == 0 && (word[length] == '|' || word[length] == '\0'))
            return true;
    return false;
}

static int set_option(struct config *config, const struct option *option, const char *value, struct error *err)
{
    struct config_list *list;
    switch (option->kind) {
    case TEXT:
        set_text(field(config, option), value);
        return 0;
    case CHOICE:
        if (!is_choice(option->argument, value))
            return error_set(err, ERR_INVALID, "--%s %s: must be one of %s", option->flag, value, option->argument);
        set_text(field(config, option), value);
        return 0;
    case LIST:
        list = field(config, option);
        if (list->count == CONFIG_LIST_COUNT)
            return error_set(err, ERR_LIMIT, "--%s: more than %d values", option->flag, CONFIG_LIST_COUNT);
        list->values[list->count++] = mem_string(value);
        return 0;
    case DURATION:
        if (time_parse_duration(value, field(config, option), err) < 0)
            return error_wrap(err, "--%s", option->flag);
        return 0;
    }
    return error_set(err, ERR_INTERNAL, "--%s: an option of no kind", option->flag);
}

/* "--name=value" or "--name value"; @next moves over what was used. */
static int read_flag(int argc, char **argv, int *next, struct config *config, struct error *err)
{
    const char *arg = argv[(*next)++];
    assert(arg != NULL); /* *next was below argc */
    if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
        config->show_help = true;
        return 0;
    }
    if (strcmp(arg, "-v") == 0 || strcmp(arg, "--version") == 0) {
        config->show_version = true;
        return 0;
    }
    if (strcmp(arg, "--check") == 0) {
        config->check_only = true;
        return 0;
    }
    if (strcmp(arg, "-H") == 0)
        arg = "--host";
    if (!text_starts(arg, "--"))
        return error_set(err, ERR_INVALID, "%s: skepd takes flags only (see skepd --help)", arg);
    const char *name = arg + 2, *equals = strchr(name, '=');
    const struct option *option = find_option(name, equals ? (size_t)(equals - name) : strlen(name));
    if (option == NULL)
        return error_set(err, ERR_INVALID, "%s: no such flag (see skepd --help)", arg);
    if (equals)
        return set_option(config, option, equals + 1, err);
    if (*next == argc)
        return error_set(err, ERR_INVALID, "--%s: its value %s is missing", option->flag, option->argument);
    return set_option(config, option, argv[(*next)++], err);
}

static int set_member(struct config *config, const cJSON *item, struct error *err)
{
    const struct option *option = find_option(item->string, strlen(item->string));
    if (option == NULL || strcmp(option->flag, "config") == 0)
        return error_set(err, ERR_INVALID, "\"%s\": no such option", item->string);
    if (option->kind == LIST && cJSON_IsArray(item)) {
        const cJSON *value;
        cJSON_ArrayForEach (value, item) {
            if (!cJSON_IsString(value))
                return error_set(err, ERR_INVALID, "\"%s\": must be a list of strings", item->string);
            if (set_option(config, option, value->valuestring, err) < 0)
                return err->code;
        }
        return 0;
    }
    if (!cJSON_IsString(item))
        return error_set(err, ERR_INVALID, "\"%s\": must be a %s", item->string, option->kind == LIST ? "list of strings" : "string");
    return set_option(config, option, item->valuestring, err);
}

static int read_file(const char *path, struct config *config, struct error *err)
{
    cleanup_buf struct buf content = {0};
    cleanup_json cJSON *json = NULL;
    if (file_read(path, CONFIG_FILE_SIZE_BYTES, &content, err) < 0)
        return error_wrap(err, "configuration");
    if (json_parse(buf_bytes(&content), CONFIG_FILE_SIZE_BYTES, &json, err) < 0)
        return error_wrap(err, "configuration %s", path);
    if (!cJSON_IsObject(json))
        return error_set(err, ERR_INVALID, "configuration %s: must be one JSON object", path);
    const cJSON *item;
    cJSON_ArrayForEach (item, json)
        if (set_member(config, item, err) < 0)
            return error_wrap(err, "configuration %s", path);
    return 0;
}

/* The file is read before the flags, so that a flag wins; that takes one look ahead. */
static const char *file_named_by(int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[++i];
        else if (text_starts(argv[i], "--config="))
            path = argv[i] + strlen("--config=");
    return path;
}

static void set_defaults(struct config *config)
{
    config->state_dir = mem_string(config_defaults()->state_dir);
    config->run_dir = mem_string(config_defaults()->run_dir);
    config->runtime = mem_string("auto");
    config->bridge = mem_string("skep0");
    config->bridge_subnet = mem_string("172.30.0.0/16");
    config->cgroup_parent = mem_string("skep");
    config->image_gc_interval = CONFIG_IMAGE_GC_INTERVAL_S * (int64_t)NS_PER_S;
    config->log_format = mem_string("text");
    config->log_level = mem_string("info");
}

static int check_address(const char *flag, const char *value, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    return text_parse_address(value, 0, &host, &port, err) < 0 ? error_wrap(err, "--%s", flag) : 0;
}

/* Only for what is pretended; it also says what is given to tasks that ask for nothing. */
static int check_emulation(struct config *config, struct error *err)
{
    struct emulated_host host = {0};
    if (config->emulated_host && strcmp(config->runtime, "emulated") != 0)
        return error_set(err, ERR_INVALID, "--emulated-host: only with --runtime emulated");
    if (config->emulated_host && emulated_host_parse(config->emulated_host, &host, err) < 0)
        return error_wrap(err, "--emulated-host");
    if (config->default_isolation == NULL)
        config->default_isolation = mem_string(config->emulated_host ? emulated_host_default_isolation(&host) : host_default_isolation());
    return 0;
}

static int check_host(const char *address, struct error *err)
{
    cleanup_free char *path = socket_path(address, err);
    return path ? 0 : error_wrap(err, "--host");
}

static int check_whole(struct config *config, struct error *err)
{
    if (check_emulation(config, err) < 0)
        return err->code;
    for (size_t i = 0; i < config->labels.count; i++)
        if (text_key_length(config->labels.values[i]) < 0)
            return error_set(err, ERR_INVALID, "--label %s: write KEY=VALUE", config->labels.values[i]);
    for (size_t i = 0; i < config->hosts.count; i++)
        if (check_host(config->hosts.values[i], err) < 0)
            return err->code;
    if (config->metrics_addr && check_address("metrics-addr", config->metrics_addr, err) < 0)
        return err->code;
    if (config->image_gc_interval < 0)
        return error_set(err, ERR_INVALID, "--image-gc-interval: must not be negative");
    if (text_empty(config->state_dir) || text_empty(config->run_dir))
        return error_set(err, ERR_INVALID, "--state-dir and --run-dir: must not be empty");
    if (strcmp(config->state_dir, config->run_dir) == 0)
        return error_set(err, ERR_INVALID, "--state-dir and --run-dir are the same directory %s: one outlasts a reboot, the other must not",
                         config->state_dir);
    if (config->hosts.count == 0)
        config->hosts.values[config->hosts.count++] = mem_string(socket_default_address);
    return 0;
}

int config_read(int argc, char **argv, struct config *config, struct error *err)
{
    *config = (struct config){0};
    set_defaults(config);
    const char *path = file_named_by(argc, argv);
    if (path && read_file(path, config, err) < 0)
        return err->code;
    for (int next = 1; next < argc;)
        if (read_flag(argc, argv, &next, config, err) < 0)
            return err->code;
    return check_whole(config, err);
}

void config_deinit(struct config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        void *place = field(config, &options[i]);
        struct config_list *list = place;
        if (options[i].kind == TEXT || options[i].kind == CHOICE)
            free(*(char **)place);
        else if (options[i].kind == LIST)
            for (size_t k = 0; k < list->count; k++)
                free(list->values[k]);
    }
    *config = (struct config){0};
}

static bool is_same(const struct config *a, const struct config *b, const struct option *option)
{
    const void *x = (const char *)a + option->offset, *y = (const char *)b + option->offset;
    const struct config_list *list = x, *other = y;
    switch (option->kind) {
    case TEXT:
    case CHOICE:
        return text_equal(*(char *const *)x, *(char *const *)y);
    case DURATION:
        return *(const int64_t *)x == *(const int64_t *)y;
    case LIST:
        for (size_t i = 0; i < list->count && i < other->count; i++)
            if (!text_equal(list->values[i], other->values[i]))
                return false;
        return list->count == other->count;
    }
    return true;
}

char *config_fixed_changes(const struct config *before, const struct config *after)
{
    static const char *const changeable[] = {"label", "log-level", NULL};
    struct buf names = {0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_fixed = true;
        for (size_t k = 0; changeable[k]; k++)
            is_fixed = is_fixed && !text_equal(options[i].flag, changeable[k]);
        if (is_fixed && !is_same(before, after, &options[i]))
            buf_append_format(&names, "%s--%s", names.size ? ", " : "", options[i].flag);
    }
    return names.size ? buf_steal_string(&names) : NULL;
}

void config_print_help(FILE *out)
{
    fputs("Usage: skepd [FLAG]…\n\nThe Skep node agent: joins a swarm, runs the tasks it is given, serves the Docker API.\n\nFlags:\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", options[i].flag, options[i].argument);
        fprintf(out, "  %-36s %s\n", left, options[i].help);
    }
    fprintf(out, "  %-36s %s\n", "--check", "read and check the configuration, then exit");
    fprintf(out, "  %-36s %s\n", "-v, --version", "print the version and exit");
    fprintf(out, "  %-36s %s\n", "-h, --help", "print this and exit");
    fprintf(out, "\nDefaults: --state-dir %s --run-dir %s --host %s\n", config_defaults()->state_dir, config_defaults()->run_dir,
            socket_default_address);
    fputs("Containers are no children of skepd: stopping it, or killing it, leaves them running.\nSee skepd(8).\n", out);
}

enum log_format config_log_format(const struct config *config)
{
    return strcmp(config->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT;
}

enum log_level config_log_level(const struct config *config)
{
    enum log_level level = LOG_INFO;
    log_level_parse(config->log_level, &level);
    return level;
}
