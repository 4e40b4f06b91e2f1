/* cli/task_list.c – see task_list.h. */
#include "cli/task_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cells.h"
#include "cli/table.h"

static const struct table_column columns[] = {
    {"ID", "ID"},
    {"Name", "NAME"},
    {"Image", "IMAGE"},
    {"Node", "NODE"},
    {"DesiredState", "DESIRED STATE"},
    {"CurrentState", "CURRENT STATE"},
    {"Error", "ERROR"},
    {"Ports", "PORTS"},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns, ERROR_CHARS = 30 };

struct row {
    const cJSON *task;
    char *name; /* "web.1" */
    const char *service;
    int64_t slot;
};

struct listing {
    const cJSON *services, *nodes; /* NULL: ids are shown */
    bool is_whole;
    int64_t now_wall_ns;
};

static struct row row_of(const struct listing *listing, const cJSON *task)
{
    static const char *const name[] = {"Spec", "Name", NULL};
    struct row row = {.task = task, .slot = json_int(task, "Slot", 0)};
    row.service = cell_name_of(listing->services, json_string(task, "ServiceID", ""), name);
    if (row.slot != 0)
        row.name = mem_format("%s.%" PRId64, row.service, row.slot);
    else
        row.name = mem_format("%s.%s", row.service, json_string(task, "NodeID", ""));
    return row;
}

/* By service, slot and node; of one place the newest first. */
static int compare(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    int order = strcmp(left->service, right->service);
    if (order == 0)
        order = (left->slot > right->slot) - (left->slot < right->slot);
    if (order == 0)
        order = strcmp(left->name, right->name);
    return order ? order : strcmp(json_string(right->task, "CreatedAt", ""), json_string(left->task, "CreatedAt", ""));
}

static char *image_text(const cJSON *task, bool is_whole)
{
    const char *image = json_string(json_object(json_object(task, "Spec"), "ContainerSpec"), "Image", "");
    const char *digest = strchr(image, '@');
    return mem_string_n(image, digest && !is_whole ? (size_t)(digest - image) : strlen(image));
}

static char *ports_text(const cJSON *status)
{
    struct buf text = {0};
    const cJSON *port;
    cJSON_ArrayForEach (port, json_array(json_object(status, "PortStatus"), "Ports"))
        buf_append_format(&text, "%s*:%" PRId64 "->%" PRId64 "/%s", text.size > 0 ? "," : "", json_int(port, "PublishedPort", 0),
                          json_int(port, "TargetPort", 0), json_string(port, "Protocol", ""));
    return buf_steal_string(&text);
}

static char *error_text(const cJSON *status, bool is_whole)
{
    cleanup_free char *error = cell_cut(json_string(status, "Err", ""), ERROR_CHARS, is_whole);
    return *error ? mem_format("\"%s\"", error) : mem_string("");
}

static void add_row(struct table *table, const struct listing *listing, const struct row *row, bool is_former)
{
    static const char *const hostname[] = {"Description", "Hostname", NULL};
    const cJSON *status = json_object(row->task, "Status");
    cleanup_free char *id = cell_id(json_string(row->task, "ID", ""), listing->is_whole);
    cleanup_free char *name = mem_format("%s%s", is_former ? " \\_ " : "", row->name), *image = image_text(row->task, listing->is_whole);
    cleanup_free char *state = cell_capital(json_string(status, "State", ""));
    cleanup_free char *ago = cell_ago(json_string(status, "Timestamp", ""), listing->now_wall_ns);
    cleanup_free char *current = mem_format("%s%s%s", state, *ago ? " " : "", ago);
    cleanup_free char *desired = cell_capital(json_string(row->task, "DesiredState", ""));
    cleanup_free char *error = error_text(status, listing->is_whole), *ports = ports_text(status);
    const char *const cells[COLUMNS_COUNT] = {
        id, name, image, cell_name_of(listing->nodes, json_string(row->task, "NodeID", ""), hostname), desired, current, error, ports};
    table_add(table, cells);
}

static int print(struct cli *cli, const struct options *options, const struct listing *listing, const cJSON *tasks, struct error *err)
{
    size_t count = (size_t)cJSON_GetArraySize(tasks), i = 0;
    struct row *rows = mem_array(count + 1, sizeof *rows);
    cleanup_buf struct buf out = {0};
    const cJSON *task;
    struct table table;
    cJSON_ArrayForEach (task, tasks)
        rows[i++] = row_of(listing, task);
    qsort(rows, count, sizeof *rows, compare);
    table_init(&table, columns, COLUMNS_COUNT);
    for (i = 0; i < count; i++)
        add_row(&table, listing, &rows[i], i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0);
    int code = table_print(&table, option_switch(options, "quiet") ? "{{.ID}}" : option_text(options, "format", NULL), &out, err);
    cli_write(cli, &out);
    table_deinit(&table);
    for (i = 0; i < count; i++)
        free(rows[i].name);
    free(rows);
    return code;
}

static int build_path(const struct options *options, const char *filter, const struct option_values *values, struct buf *path,
                      struct error *err)
{
    struct option_values filters = *option_list(options, "filter");
    char *made[OPTION_VALUES_COUNT];
    size_t count = 0;
    int code = 0;
    buf_append_string(path, API_PREFIX "/tasks?all=1");
    for (size_t i = 0; i < values->count && code == 0; i++) {
        if (filters.count == OPTION_VALUES_COUNT)
            code = error_set(err, ERR_LIMIT, "more than %d filters and names", OPTION_VALUES_COUNT);
        else
            filters.items[filters.count++] = made[count++] = mem_format("%s=%s", filter, values->items[i]);
    }
    if (code == 0)
        code = cli_append_filters(&filters, path, err);
    for (size_t i = 0; i < count; i++)
        free(made[i]);
    return code;
}

int task_list_print(struct cli *cli, const struct options *options, const char *filter, const struct option_values *values,
                    struct error *err)
{
    cleanup_buf struct buf path = {0};
    cleanup_json cJSON *tasks = NULL, *services = NULL, *nodes = NULL;
    struct clock clock = clock_system();
    bool shows_names = !option_switch(options, "no-resolve");
    if (build_path(options, filter, values, &path, err) < 0 || cli_get_json(cli, (const char *)path.data, &tasks, err) < 0)
        return err->code;
    if (shows_names &&
        (cli_get_json(cli, API_PREFIX "/services", &services, err) < 0 || cli_get_json(cli, API_PREFIX "/nodes", &nodes, err) < 0))
        return err->code;
    const struct listing listing = {
        .services = services, .nodes = nodes, .is_whole = option_switch(options, "no-trunc"), .now_wall_ns = clock_wall_ns(&clock)};
    return print(cli, options, &listing, tasks, err);
}
