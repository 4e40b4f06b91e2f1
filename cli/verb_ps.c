/* cli/verb_ps.c – `skep ps`: the containers of this node. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/human.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/table.h"

static const struct option_spec specs[] = {
    {"all", 'a', OPTION_SWITCH, NULL, "Show all containers (default shows just running)"},
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: name, label, status, id, ancestor, exited, health, network"},
    {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.ID}} {{.Status}}'"},
    {"last", 'n', OPTION_TEXT, "int", "Show n last created containers (includes all states)"},
    {"latest", 'l', OPTION_SWITCH, NULL, "Show the latest created container (includes all states)"},
    {"no-trunc", 0, OPTION_SWITCH, NULL, "Don't truncate output"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display container IDs"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static const struct table_column columns[] = {
    {"ID", "CONTAINER ID"}, {"Image", "IMAGE"}, {"Command", "COMMAND"}, {"RunningFor", "CREATED"}, {"Status", "STATUS"},
    {"Ports", "PORTS"},     {"Names", "NAMES"}, {"CreatedAt", NULL},    {"State", NULL},           {"Labels", NULL},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns, SHORT_ID_CHARS = 12, SHORT_COMMAND_CHARS = 20 };

static char *ports_text(const cJSON *ports)
{
    struct buf text = {0};
    const cJSON *port;
    cJSON_ArrayForEach (port, ports) {
        buf_append_string(&text, text.size > 0 ? ", " : "");
        if (json_int(port, "PublicPort", 0) > 0)
            buf_append_format(&text, "%s:%" PRId64 "->", json_string(port, "IP", ""), json_int(port, "PublicPort", 0));
        buf_append_format(&text, "%" PRId64 "/%s", json_int(port, "PrivatePort", 0), json_string(port, "Type", ""));
    }
    return buf_steal_string(&text);
}

static char *labels_text(const cJSON *labels)
{
    struct buf text = {0};
    const cJSON *label;
    cJSON_ArrayForEach (label, labels) {
        if (cJSON_IsString(label))
            buf_append_format(&text, "%s%s=%s", text.size > 0 ? "," : "", label->string, label->valuestring);
    }
    return buf_steal_string(&text);
}

/* In quotes; shortened to whole characters with "…". */
static char *command_text(const char *command, bool is_whole)
{
    size_t length = strlen(command);
    if (is_whole || length <= SHORT_COMMAND_CHARS)
        return mem_format("\"%s\"", command);
    length = SHORT_COMMAND_CHARS - 1;
    while (length > 0 && ((unsigned char)command[length] & 0xc0) == 0x80)
        length--;
    return mem_format("\"%.*s…\"", (int)length, command);
}

static void add_row(struct table *table, const cJSON *container, bool is_whole, int64_t now_wall_ns)
{
    const char *id = json_string(container, "Id", ""), *name = "";
    const cJSON *names = json_array(container, "Names");
    int64_t created_ns = json_int(container, "Created", 0) * (int64_t)NS_PER_S;
    char ago[HUMAN_SIZE], created[TIME_RFC3339_SIZE];
    if (cJSON_IsString(cJSON_GetArrayItem(names, 0)))
        name = cJSON_GetArrayItem(names, 0)->valuestring;
    human_duration(now_wall_ns - created_ns, ago);
    time_format_rfc3339(created_ns, created);
    cleanup_free char *shown_id = mem_string_n(id, is_whole || strlen(id) < SHORT_ID_CHARS ? strlen(id) : SHORT_ID_CHARS);
    cleanup_free char *command = command_text(json_string(container, "Command", ""), is_whole), *since = mem_format("%s ago", ago);
    cleanup_free char *ports = ports_text(json_array(container, "Ports")), *labels = labels_text(json_object(container, "Labels"));
    const char *const cells[COLUMNS_COUNT] = {
        shown_id, json_string(container, "Image", ""), command, since, json_string(container, "Status", ""), ports, name + (*name == '/'),
        created,  json_string(container, "State", ""), labels};
    table_add(table, cells);
}

static int build_path(const struct options *options, struct buf *path, struct error *err)
{
    const char *last = option_switch(options, "latest") ? "1" : option_text(options, "last", NULL);
    int64_t limit;
    buf_append_format(path, API_PREFIX "/containers/json?all=%d", option_switch(options, "all"));
    if (last && text_parse_i64(last, -1, INT32_MAX, &limit, err) < 0)
        return error_wrap(err, "--last");
    if (last)
        buf_append_format(path, "&limit=%s", last);
    return cli_append_filters(option_list(options, "filter"), path, err);
}

static int run(struct cli *cli, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0}, out = {0};
    cleanup_json cJSON *containers = NULL;
    struct clock clock = clock_system();
    struct table table;
    const cJSON *container;
    const char *format = option_switch(options, "quiet") ? "{{.ID}}" : option_text(options, "format", NULL);
    if (build_path(options, &path, err) < 0 || cli_get_json(cli, (const char *)path.data, &containers, err) < 0)
        return err->code;
    table_init(&table, columns, COLUMNS_COUNT);
    cJSON_ArrayForEach (container, containers)
        add_row(&table, container, option_switch(options, "no-trunc"), clock_wall_ns(&clock));
    int code = table_print(&table, format, &out, err);
    cli_write(cli, &out);
    table_deinit(&table);
    return code;
}

const struct command command_ps = {"ps", "", "List the containers on this node", specs, 0, 0, .run = run};
