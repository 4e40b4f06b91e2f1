/* cli/verb_payload.c – `skep secret` and `skep config`: what the swarm keeps for its services. Both are the same but for their names. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cells.h"
#include "cli/json_edit.h"
#include "cli/show.h"
#include "cli/table.h"

#define HELP                                                                                                                               \
    {                                                                                                                                      \
        "help", 'h', OPTION_SWITCH, NULL, "Print usage"                                                                                    \
    }

static const struct option_spec only_help[] = {HELP, {0}};

/* --- create --- */

static const struct option_spec create_specs[] = {
    {"label", 'l', OPTION_LIST, "list", "Labels"},
    {"template-driver", 0, OPTION_TEXT, "string", "Template driver"},
    HELP,
    {0},
};

static int read_stdin(struct buf *out, struct error *err)
{
    char piece[4096];
    uv_buf_t into = uv_buf_init(piece, sizeof piece);
    ssize_t size;
    int code = 0;
    do {
        uv_fs_t read;
        size = uv_fs_read(NULL, &read, 0, &into, 1, -1, NULL);
        uv_fs_req_cleanup(&read);
        if (size < 0)
            code = error_set_uv(err, (int)size, "read standard input");
        else
            code = buf_append_checked(out, piece, (size_t)size, err);
    } while (code == 0 && size > 0);
    mem_wipe(piece, sizeof piece);
    return code;
}

static int read_data(const char *path, cJSON *body, struct error *err)
{
    cleanup_buf struct buf data = {.is_secret = true, .limit = API_REQUEST_BODY_BYTES}, text = {.is_secret = true};
    int code = strcmp(path, "-") == 0 ? read_stdin(&data, err) : file_read(path, data.limit, &data, err);
    if (code < 0)
        return code;
    encode_base64(buf_bytes(&data), &text);
    edit_set_string(body, "Data", text.size > 0 ? (const char *)text.data : "");
    return 0;
}

static int create(struct cli *cli, const char *kind, const struct options *options, struct error *err)
{
    cleanup_json cJSON *body = cJSON_CreateObject(), *reply = NULL;
    cleanup_free char *path = mem_format(API_PREFIX "/%ss/create", kind);
    const char *driver = option_text(options, "template-driver", NULL);
    edit_set_string(body, "Name", options->words.items[0]);
    if (driver)
        edit_set_string(edit_object(body, "Templating"), "Name", driver);
    if (edit_set_pairs(edit_object(body, "Labels"), option_list(options, "label"), "label", err) < 0 ||
        read_data(options->words.items[1], body, err) < 0)
        return err->code;
    int code = cli_send_json(cli, "POST", path, body, &reply, err);
    char *data = cJSON_GetObjectItemCaseSensitive(body, "Data")->valuestring;
    mem_wipe(data, strlen(data));
    if (code == 0)
        fprintf(cli->out, "%s\n", json_string(reply, "ID", ""));
    return code;
}

static int run_create_secret(struct cli *cli, const struct options *options, struct error *err)
{
    return create(cli, "secret", options, err);
}

static int run_create_config(struct cli *cli, const struct options *options, struct error *err)
{
    return create(cli, "config", options, err);
}

/* --- ls --- */

static const struct option_spec ls_specs[] = {
    {"filter", 'f', OPTION_LIST, "filter", "Filter output: id, name, label"},
    {"format", 0, OPTION_TEXT, "string", "\"table\", \"json\", or a template such as '{{.Name}} {{.CreatedAt}}'"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Only display IDs"},
    HELP,
    {0},
};

static const struct table_column columns[] = {
    {"ID", "ID"}, {"Name", "NAME"}, {"CreatedAt", "CREATED"}, {"UpdatedAt", "UPDATED"}, {"Labels", NULL},
};
enum { COLUMNS_COUNT = sizeof columns / sizeof *columns };

static int list(struct cli *cli, const char *kind, const struct options *options, struct error *err)
{
    cleanup_buf struct buf path = {0}, out = {0};
    cleanup_json cJSON *objects = NULL;
    struct clock clock = clock_system();
    int64_t now = clock_wall_ns(&clock);
    const cJSON *object;
    struct table table;
    buf_append_format(&path, API_PREFIX "/%ss?all=1", kind);
    if (cli_append_filters(option_list(options, "filter"), &path, err) < 0 || cli_get_json(cli, (const char *)path.data, &objects, err) < 0)
        return err->code;
    table_init(&table, columns, COLUMNS_COUNT);
    cJSON_ArrayForEach (object, objects) {
        const cJSON *spec = json_object(object, "Spec");
        cleanup_free char *created = cell_ago(json_string(object, "CreatedAt", ""), now), *labels = cell_pairs(json_object(spec, "Labels"));
        cleanup_free char *updated = cell_ago(json_string(object, "UpdatedAt", ""), now);
        const char *const cells[COLUMNS_COUNT] = {json_string(object, "ID", ""), json_string(spec, "Name", ""), created, updated, labels};
        table_add(&table, cells);
    }
    int code = table_print(&table, option_switch(options, "quiet") ? "{{.ID}}" : option_text(options, "format", NULL), &out, err);
    cli_write(cli, &out);
    table_deinit(&table);
    return code;
}

static int run_ls_secrets(struct cli *cli, const struct options *options, struct error *err)
{
    return list(cli, "secret", options, err);
}

static int run_ls_configs(struct cli *cli, const struct options *options, struct error *err)
{
    return list(cli, "config", options, err);
}

/* --- inspect, rm --- */

static int get_secret(struct cli *cli, const char *name, cJSON **out, struct error *err)
{
    cleanup_free char *path = cli_path_of("secrets", name, "");
    return cli_get_json(cli, path, out, err);
}

static int run_inspect_secrets(struct cli *cli, const struct options *options, struct error *err)
{
    return show_each(cli, options, get_secret, err);
}

static int get_config(struct cli *cli, const char *name, cJSON **out, struct error *err)
{
    cleanup_free char *path = cli_path_of("configs", name, "");
    return cli_get_json(cli, path, out, err);
}

static int run_inspect_configs(struct cli *cli, const struct options *options, struct error *err)
{
    return show_each(cli, options, get_config, err);
}

static int remove_from(struct cli *cli, const char *kinds, const char *name, struct error *err)
{
    cleanup_free char *path = cli_path_of(kinds, name, "");
    if (cli_send_json(cli, "DELETE", path, NULL, NULL, err) < 0)
        return err->code;
    fprintf(cli->out, "%s\n", name);
    return 0;
}

static int remove_secret(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    (void)options;
    return remove_from(cli, "secrets", name, err);
}

static int run_rm_secrets(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, remove_secret, err);
}

static int remove_config(struct cli *cli, const struct options *options, const char *name, struct error *err)
{
    (void)options;
    return remove_from(cli, "configs", name, err);
}

static int run_rm_configs(struct cli *cli, const struct options *options, struct error *err)
{
    return cli_each_word(cli, options, remove_config, err);
}

/* --- the two groups --- */

static const struct command secret_create = {
    "secret create", "SECRET FILE|-", "Create a secret from a file or standard input", create_specs, 2, 2, .run = run_create_secret};
static const struct command secret_ls = {"secret ls", "", "List secrets", ls_specs, 0, 0, .run = run_ls_secrets};
static const struct command secret_inspect = {
    "secret inspect",          "SECRET...", "Display detailed information on one or more secrets", only_help, 1, OPTION_VALUES_COUNT,
    .run = run_inspect_secrets};
static const struct command secret_rm = {"secret rm", "SECRET...",         "Remove one or more secrets", only_help,
                                         1,           OPTION_VALUES_COUNT, .run = run_rm_secrets};

static const struct command config_create = {
    "config create", "CONFIG FILE|-", "Create a config from a file or standard input", create_specs, 2, 2, .run = run_create_config};
static const struct command config_ls = {"config ls", "", "List configs", ls_specs, 0, 0, .run = run_ls_configs};
static const struct command config_inspect = {
    "config inspect",          "CONFIG...", "Display detailed information on one or more configs", only_help, 1, OPTION_VALUES_COUNT,
    .run = run_inspect_configs};
static const struct command config_rm = {"config rm", "CONFIG...",         "Remove one or more configs", only_help,
                                         1,           OPTION_VALUES_COUNT, .run = run_rm_configs};

static const struct command *const secret_commands[] = {&secret_create, &secret_ls, &secret_inspect, &secret_rm, NULL};
static const struct command *const config_commands[] = {&config_create, &config_ls, &config_inspect, &config_rm, NULL};

const struct command command_secret = {.name = "secret", .summary = "Manage the swarm's secrets", .commands = secret_commands};
const struct command command_config = {.name = "config", .summary = "Manage the swarm's configs", .commands = config_commands};
