/* cli/verb_node.c – `skep node`: the nodes of the swarm, from one of its managers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/cells.h"
#include "cli/json_edit.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/task_list.h"

#define HELP                                                                                                                               \
    {                                                                                                                                      \
        "help", 'h', OPTION_SWITCH, NULL, "Print usage"                                                                                    \
    }

/* "self" is this node. Freed with free(). */
static int node_path(struct cli *cli, const char *name, const char *rest, char **path, struct error *err)
{
    cleanup_json cJSON *info = NULL;
    if (text_equal(name, "self")) {
        if (cli_get_json(cli, API_PREFIX "/info", &info, err) < 0)
            return err->code;
        name = json_string(json_object(info, "Swarm"), "NodeID", "");
        if (text_empty(name))
            return error_set(err, ERR_PRECONDITION, "this node is in no swarm");
    }
    *path = cli_path_of("nodes", name, rest);
    return 0;
}

/* --- ls --- */

static const struct option_spec ls_specs[] = {
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: id, name, label, node.label, membership, role"},
    {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.Hostname}} {{.Status}}'"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display IDs"},
    HELP,
    {0},
};

static const struct table_column columns[] = {
    {"ID", "ID"},
    {"Hostname", "HOSTNAME"},
    {"Status", "STATUS"},
    {"Availability", "AVAILABILITY"},
    {"ManagerStatus", "MANAGER STATUS"},
    {"EngineVersion", "ENGINE VERSION"},
    {"Self", NULL},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns };

static void add_node(struct table *table, const cJSON *node, const char *own_id, bool is_table)
{
    const char *id = json_string(node, "ID", ""), *reachability = json_string(json_object(node, "ManagerStatus"), "Reachability", "");
    const cJSON *description = json_object(node, "Description");
    bool is_self = text_equal(id, own_id);
    cleanup_free char *shown_id = mem_format("%s%s", id, !is_table ? "" : is_self ? " *" : "");
    cleanup_free char *status = cell_capital(json_string(json_object(node, "Status"), "State", ""));
    cleanup_free char *availability = cell_capital(json_string(json_object(node, "Spec"), "Availability", ""));
    cleanup_free char *manager = cell_capital(json_bool(json_object(node, "ManagerStatus"), "Leader", false) ? "leader" : reachability);
    const char *const cells[COLUMNS_COUNT] = {shown_id,
                                              json_string(description, "Hostname", ""),
                                              status,
                                              availability,
                                              manager,
                                              json_string(json_object(description, "Engine"), "EngineVersion", ""),
                                              is_self ? "true" : "false"};
    table_add(table, cells);
}

static int run_ls(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0}, out = {0};
    cleanup_json cJSON *nodes = NULL, *info = NULL;
    const char *format = option_switch(options, "quiet") ? "{{.ID}}" : option_text(options, "format", "table");
    const cJSON *node;
    struct table table;
    buf_append_string(&path, API_PREFIX "/nodes?all=1");
    if (cli_append_filters(option_list(options, "filter"), &path, err) < 0 || cli_get_json(cli, (const char *)path.data, &nodes, err) < 0 ||
        cli_get_json(cli, API_PREFIX "/info", &info, err) < 0)
        return err->code;
    table_init(&table, columns, COLUMNS_COUNT);
    cJSON_ArrayForEach (node, nodes)
        add_node(&table, node, json_string(json_object(info, "Swarm"), "NodeID", NULL), text_equal(format, "table"));
    int code = table_print(&table, format, &out, err);
    cli_write(cli, &out);
    table_deinit(&table);
    return code;
}

static const struct command ls = {"node ls", "", "List nodes in the swarm", ls_specs, 0, 0, .run = run_ls};

/* --- inspect --- */

static const struct option_spec only_help[] = {HELP, {0}};

static int get_node(struct cli *cli, const char *name, cJSON **out, struct error *err)
{
    cleanup_free char *path = NULL;
    return node_path(cli, name, "", &path, err) < 0 ? err->code : cli_get_json(cli, path, out, err);
}

static int run_inspect(struct cli *cli, const struct options *options, struct error *err)
{
    return show_each(cli, options, get_node, err);
}

static const struct command inspect = {
    "node inspect",      "self|NODE...",    "Display detailed information on one or more nodes", only_help, 1,
    OPTION_VALUES_COUNT, .run = run_inspect};

/* --- update, promote, demote --- */

static const struct option_spec update_specs[] = {
    {"availability", 0, OPTION_TEXT, "string", "Availability of the node (\"active\", \"pause\", \"drain\")"},
    {"label-add", 0, OPTION_LIST, "list", "Add or update a node label (key=value)"},
    {"label-rm", 0, OPTION_LIST, "list", "Remove a node label if exists"},
    {"role", 0, OPTION_TEXT, "string", "Role of the node (\"worker\", \"manager\")"},
    HELP,
    {0},
};

struct change {
    const struct options *options; /* NULL: only the role */
    const char *role;
};

static int change_spec(const struct change *change, cJSON *spec, struct error *err)
{
    cJSON *labels = edit_object(spec, "Labels");
    if (change->role)
        edit_set_string(spec, "Role", change->role);
    if (change->options == NULL)
        return 0;
    edit_set_string_of(spec, "Availability", change->options, "availability");
    edit_set_string_of(spec, "Role", change->options, "role");
    edit_remove_keys(labels, option_list(change->options, "label-rm"));
    return edit_set_pairs(labels, option_list(change->options, "label-add"), "label-add", err);
}

static int change_node(struct cli *cli, const char *name, const struct change *change, struct error *err)
{
    cleanup_json cJSON *node = NULL;
    if (get_node(cli, name, &node, err) < 0)
        return err->code;
    cJSON *spec = edit_object(node, "Spec");
    if (change_spec(change, spec, err) < 0)
        return err->code;
    cleanup_free char *rest = mem_format("/update?version=%" PRId64, json_int(json_object(node, "Version"), "Index", 0));
    cleanup_free char *path = cli_path_of("nodes", json_string(node, "ID", ""), rest);
    return cli_send_json(cli, "POST", path, spec, NULL, err);
}

static int run_update(struct cli *cli, const struct options *options, struct error *err)
{
    const char *name = options->words.items[0];
    if (change_node(cli, name, &(struct change){.options = options}, err) < 0)
        return err->code;
    fprintf(cli->out, "%s\n", name);
    return 0;
}

static const struct command update = {"node update", "NODE", "Update a node", update_specs, 1, 1, .run = run_update};

static int set_role(struct cli *cli, const char *name, const char *role, const char *done, struct error *err)
{
    if (change_node(cli, name, &(struct change){.role = role}, err) < 0)
        return err->code;
    fprintf(cli->out, "%s %s in the swarm.\n", name, done);
    return 0;
}

static int promote_one(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    (void)options;
    return set_role(cli, name, "manager", "promoted to a manager", err);
}

static int run_promote(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, promote_one, err);
}

static const struct command promote = {
    "node promote", "NODE...", "Promote one or more nodes to manager in the swarm", only_help, 1, OPTION_VALUES_COUNT, .run = run_promote};

static int demote_one(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    (void)options;
    return set_role(cli, name, "worker", "demoted to a worker", err);
}

static int run_demote(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, demote_one, err);
}

static const struct command demote = {
    "node demote", "NODE...", "Demote one or more nodes from manager in the swarm", only_help, 1, OPTION_VALUES_COUNT, .run = run_demote};

/* --- rm, ps --- */

static const struct option_spec rm_specs[] = {
    {"force", 'f', OPTION_SWITCH, NULL, "Force remove a node from the swarm"},
    HELP,
    {0},
};

static int remove_one(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    cleanup_free char *path = cli_path_of("nodes", name, option_switch(options, "force") ? "?force=1" : "");
    if (cli_send_json(cli, "DELETE", path, NULL, NULL, err) < 0)
        return err->code;
    fprintf(cli->out, "%s\n", name);
    return 0;
}

static int run_rm(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, remove_one, err);
}

static const struct command rm = {"node rm",           "NODE...",    "Remove one or more nodes from the swarm", rm_specs, 1,
                                  OPTION_VALUES_COUNT, .run = run_rm};

static const struct option_spec ps_specs[] = {TASK_LIST_FLAGS, HELP, {0}};

static int run_ps(struct cli *cli, const struct options *options, struct error *err)
{
    struct option_values nodes = options->words;
    cleanup_json cJSON *info = NULL;
    if (nodes.count == 0)
        nodes.items[nodes.count++] = "self";
    for (size_t i = 0; i < nodes.count; i++) {
        if (!text_equal(nodes.items[i], "self"))
            continue;
        if (info == NULL && cli_get_json(cli, API_PREFIX "/info", &info, err) < 0)
            return err->code;
        nodes.items[i] = json_string(json_object(info, "Swarm"), "NodeID", "");
    }
    return task_list_print(cli, options, "node", &nodes, err);
}

static const struct command ps = {"node ps",    "[NODE...]", "List tasks running on one or more nodes, defaults to current node",
                                  ps_specs,     0,           OPTION_VALUES_COUNT,
                                  .run = run_ps};

static const struct command *const node_commands[] = {&ls, &inspect, &update, &promote, &demote, &rm, &ps, NULL};

const struct command command_node = {.name = "node", .summary = "Manage the swarm's nodes", .commands = node_commands};
