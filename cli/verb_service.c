/* cli/verb_service.c – `skep service`: the services of the swarm, from one of its managers. What they are made of is in
 * verb_service_spec.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/cells.h"
#include "cli/json_edit.h"
#include "cli/service_change.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/task_list.h"
#include "cli/verb_service.h"

#define HELP                                                                                                                               \
    {                                                                                                                                      \
        "help", 'h', OPTION_SWITCH, NULL, "Print usage"                                                                                    \
    }

static const struct option_spec only_help[] = {HELP, {0}};

/* --- ls --- */

static const struct option_spec ls_specs[] = {
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: id, name, label, mode"},
    {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.Name}} {{.Replicas}}'"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display IDs"},
    HELP,
    {0},
};

static const struct table_column columns[] = {
    {"ID", "ID"}, {"Name", "NAME"}, {"Mode", "MODE"}, {"Replicas", "REPLICAS"}, {"Image", "IMAGE"}, {"Ports", "PORTS"}, {"Labels", NULL},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns };

static const char *mode_text(const cJSON *mode)
{
    static const char *const names[][2] = {
        {"Replicated", "replicated"}, {"Global", "global"}, {"ReplicatedJob", "replicated job"}, {"GlobalJob", "global job"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object(mode, names[i][0]))
            return names[i][1];
    return "";
}

static char *replicas_text(const cJSON *service)
{
    const cJSON *status = json_object(service, "ServiceStatus"), *spec = json_object(service, "Spec");
    const cJSON *job = json_object(json_object(spec, "Mode"), "ReplicatedJob");
    int64_t most = json_int(json_object(json_object(spec, "TaskTemplate"), "Placement"), "MaxReplicas", 0);
    int64_t running = json_int(status, "RunningTasks", 0), desired = json_int(status, "DesiredTasks", 0);
    if (job)
        return mem_format("%" PRId64 "/%" PRId64 " (%" PRId64 "/%" PRId64 " completed)", running, desired,
                          json_int(status, "CompletedTasks", 0), json_int(job, "TotalCompletions", 0));
    return most > 0 ? mem_format("%" PRId64 "/%" PRId64 " (max %" PRId64 " per node)", running, desired, most)
                    : mem_format("%" PRId64 "/%" PRId64, running, desired);
}

/* Those of the routing mesh, as docker: a port on the nodes themselves is its task's. */
static char *ports_text(const cJSON *service)
{
    struct buf text = {0};
    const cJSON *port;
    cJSON_ArrayForEach (port, json_array(json_object(service, "Endpoint"), "Ports")) {
        if (text_equal(json_string(port, "PublishMode", ""), "ingress"))
            buf_append_format(&text, "%s*:%" PRId64 "->%" PRId64 "/%s", text.size > 0 ? ", " : "", json_int(port, "PublishedPort", 0),
                              json_int(port, "TargetPort", 0), json_string(port, "Protocol", ""));
    }
    return buf_steal_string(&text);
}

static void add_service(struct table *table, const cJSON *service, bool is_short)
{
    const cJSON *spec = json_object(service, "Spec");
    const char *image = json_string(json_object(json_object(spec, "TaskTemplate"), "ContainerSpec"), "Image", "");
    const char *digest = strchr(image, '@');
    cleanup_free char *id = cell_id(json_string(service, "ID", ""), !is_short), *replicas = replicas_text(service);
    cleanup_free char *shown_image = mem_string_n(image, digest ? (size_t)(digest - image) : strlen(image));
    cleanup_free char *ports = ports_text(service), *labels = cell_pairs(json_object(spec, "Labels"));
    const char *const cells[COLUMNS_COUNT] = {
        id, json_string(spec, "Name", ""), mode_text(json_object(spec, "Mode")), replicas, shown_image, ports, labels};
    table_add(table, cells);
}

static int run_ls(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0}, out = {0};
    cleanup_json cJSON *services = NULL;
    bool is_quiet = option_switch(options, "quiet");
    const cJSON *service;
    struct table table;
    buf_append_string(&path, API_PREFIX "/services?status=true");
    if (cli_append_filters(option_list(options, "filter"), &path, err) < 0 ||
        cli_get_json(cli, (const char *)path.data, &services, err) < 0)
        return err->code;
    table_init(&table, columns, COLUMNS_COUNT);
    cJSON_ArrayForEach (service, services)
        add_service(&table, service, true);
    int code = table_print(&table, is_quiet ? "{{.ID}}" : option_text(options, "format", NULL), &out, err);
    cli_write(cli, &out);
    table_deinit(&table);
    return code;
}

static const struct command ls = {"service ls", "", "List services", ls_specs, 0, 0, .run = run_ls};

/* --- inspect, ps --- */

static int get_service(struct cli *cli, const char *name, cJSON **out, struct error *err)
{
    cleanup_free char *path = cli_path_of("services", name, "?insertDefaults=true");
    return cli_get_json(cli, path, out, err);
}

static int run_inspect(struct cli *cli, const struct options *options, struct error *err)
{
    return show_each(cli, options, get_service, err);
}

static const struct command inspect = {
    "service inspect",   "SERVICE...",      "Display detailed information on one or more services", only_help, 1,
    OPTION_VALUES_COUNT, .run = run_inspect};

static const struct option_spec ps_specs[] = {TASK_LIST_FLAGS, HELP, {0}};

static int run_ps(struct cli *cli, const struct options *options, struct error *err)
{
    return task_list_print(cli, options, "service", &options->words, err);
}

static const struct command ps = {"service ps",        "SERVICE...", "List the tasks of one or more services", ps_specs, 1,
                                  OPTION_VALUES_COUNT, .run = run_ps};

/* --- rm --- */

static int remove_one(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    cleanup_free char *path = cli_path_of("services", name, "");
    (void)options;
    if (cli_send_json(cli, "DELETE", path, NULL, NULL, err) < 0)
        return err->code;
    fprintf(cli->out, "%s\n", name);
    return 0;
}

static int run_rm(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, remove_one, err);
}

static const struct command rm = {"service rm",        "SERVICE...", "Remove one or more services", only_help, 1,
                                  OPTION_VALUES_COUNT, .run = run_rm};

/* --- scale, rollback --- */

static const struct option_spec scale_specs[] = {
    {"detach", 'd', OPTION_SWITCH, NULL, "Exit immediately instead of waiting for the service to converge"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Suppress progress output"},
    HELP,
    {0},
};

static int set_replicas(struct cli *cli, const struct service_change *change, cJSON *spec, struct error *err)
{
    cJSON *mode = edit_object(spec, "Mode");
    bool is_job = json_object(mode, "ReplicatedJob") != NULL;
    int64_t replicas;
    (void)cli;
    if (!is_job && json_object(mode, "Replicated") == NULL)
        return error_set(err, ERR_INVALID, "scale can only be used with replicated or replicated-job mode");
    if (text_parse_i64(change->replicas, 0, INT64_MAX, &replicas, err) < 0)
        return error_wrap(err, "invalid replicas value");
    edit_set_int(edit_object(mode, is_job ? "ReplicatedJob" : "Replicated"), is_job ? "TotalCompletions" : "Replicas", replicas);
    return 0;
}

static int scale_one(struct cli *cli, const struct options *options, const char *word, struct error *err)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word)
        return error_set(err, ERR_INVALID, "invalid scale specifier '%s': write SERVICE=REPLICAS", word);
    cleanup_free char *name = mem_string_n(word, (size_t)(equals - word)), *done = mem_format(" scaled to %s", equals + 1);
    return service_change(
        cli, name, &(struct service_change){.options = options, .fn = set_replicas, .query = "", .replicas = equals + 1, .done = done},
        err);
}

static int run_scale(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, scale_one, err);
}

static const struct command scale = {
    "service scale",     "SERVICE=REPLICAS...", "Scale one or multiple replicated services", scale_specs, 1,
    OPTION_VALUES_COUNT, .run = run_scale};

static int run_rollback(struct cli *cli, const struct options *options, struct error *err)
{
    return service_change(cli, options->words.items[0],
                          &(struct service_change){.options = options, .query = "&rollback=previous", .done = ""}, err);
}

static const struct command rollback = {"service rollback", "SERVICE", "Revert changes to a service's configuration", scale_specs, 1, 1,
                                        .run = run_rollback};

static const struct command *const service_commands[] = {&command_service_create, &ls,    &inspect,  &ps, &command_service_update,
                                                         &command_service_logs,   &scale, &rollback, &rm, NULL};

const struct command command_service = {.name = "service", .summary = "Manage the swarm's services", .commands = service_commands};
