/* cli/cli.c – from words on the command line to a verb, and its help. */
#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"

static const struct command *const commands[] = {
    &command_init,       &command_join,  &command_join_token, &command_leave,   &command_unlock,
    &command_unlock_key, &command_swarm, &command_node,       &command_service, &command_secret,
    &command_config,     &command_info,  &command_ps,         &command_logs,    &command_images,
    &command_load,       &command_pull,  &command_rmi,        &command_image,   &command_raft,
    &command_version,    NULL,
};

static const struct option_spec global_specs[] = {
    {"host", 'H', OPTION_TEXT, "string",
     "Address of the daemon's socket (SKEP_HOST; unix:///run/skep.sock, on Windows npipe:////./pipe/skep)"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {"version", 'v', OPTION_SWITCH, NULL, "Print the version of this command"},
    {0},
};

static void print_commands(const struct command *const *list, size_t skip, FILE *out)
{
    fputs("\nCommands:\n", out);
    for (; *list; list++)
        fprintf(out, "  %-10s  %s\n", (*list)->name + skip, (*list)->summary);
}

static void print_usage(FILE *out)
{
    fputs("Usage:  skep [OPTIONS] COMMAND\n\nA node of a swarm: begin or join one, see what runs here, and manage it.\n\nOptions:\n", out);
    options_print(global_specs, out);
    print_commands(commands, 0, out);
    fputs("  help        Show this, or what is known about a command\n\nRun 'skep COMMAND --help' for more about a command.\n", out);
}

static void print_command_usage(const struct command *command, FILE *out)
{
    if (command->commands) {
        fprintf(out, "Usage:  skep %s COMMAND\n\n%s\n", command->name, command->summary);
        print_commands(command->commands, strlen(command->name) + 1, out);
        fprintf(out, "\nRun 'skep %s COMMAND --help' for more about a command.\n", command->name);
        return;
    }
    fprintf(out, "Usage:  skep %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", command->name, *command->words ? " " : "", command->words,
            command->summary);
    options_print(command->specs, out);
}

/* @skip: the length of the group's name and the space behind it. */
static const struct command *find_command(const struct command *const *list, size_t skip, const char *name)
{
    for (; *list; list++)
        if (strcmp((*list)->name + skip, name) == 0)
            return *list;
    return NULL;
}

static const struct command *find_in_group(const struct command *group, const char *name)
{
    return find_command(group->commands, strlen(group->name) + 1, name);
}

static int complain(FILE *err_out, const struct error *err)
{
    fprintf(err_out, "%s\n", err->message);
    return error_exit_code(err->code);
}

static int check_words(const struct command *command, const struct options *options, struct error *err)
{
    size_t count = options->words.count;
    if (count >= command->words_min && count <= command->words_max)
        return 0;
    const char *bound = command->words_min == command->words_max ? "exactly" : count < command->words_min ? "at least" : "at most";
    size_t wanted = count < command->words_min ? command->words_min : command->words_max;
    return error_set(err, ERR_INVALID, "\"skep %s\" requires %s %zu argument%s.\nSee 'skep %s --help'.", command->name, bound, wanted,
                     wanted == 1 ? "" : "s", command->name);
}

static int parse(const struct command *command, int argc, char **argv, struct options *options, struct error *err)
{
    int code = options_parse(argc, argv, command->specs, command->has_rest, options, err);
    for (size_t i = options->used; code == 0 && i < (size_t)argc; i++)
        code = options_add_word(options, argv[i], err);
    return code;
}

static int run_command(const struct command *command, struct cli *cli, int argc, char **argv)
{
    struct options options;
    struct error err;
    int code = parse(command, argc, argv, &options, &err);
    if (code < 0) {
        complain(cli->err_out, &err);
        fprintf(cli->err_out, "See 'skep %s --help'.\n", command->name);
        return error_exit_code(code);
    }
    if (option_switch(&options, "help")) {
        print_command_usage(command, cli->out);
        return 0;
    }
    if (check_words(command, &options, &err) < 0 || command->run(cli, &options, &err) < 0)
        return complain(cli->err_out, &err);
    if (fflush(cli->out) != 0 || ferror(cli->out)) /* whoever read it has gone: no message helps */
        return error_exit_code(ERR_IO);
    return 0;
}

static int run_group(const struct command *group, struct cli *cli, int argc, char **argv)
{
    bool asks_help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    const struct command *command = argc > 0 ? find_in_group(group, argv[0]) : NULL;
    if (command)
        return run_command(command, cli, argc - 1, argv + 1);
    if (argc > 0 && !asks_help)
        fprintf(cli->err_out, "skep: '%s' is not a command of skep %s.\nSee 'skep %s --help'.\n", argv[0], group->name, group->name);
    else
        print_command_usage(group, asks_help ? cli->out : cli->err_out);
    return asks_help ? 0 : error_exit_code(ERR_INVALID);
}

static int help(struct cli *cli, int argc, char **argv)
{
    const struct command *command = argc > 1 ? find_command(commands, 0, argv[1]) : NULL;
    if (command && command->commands && argc > 2)
        command = find_in_group(command, argv[2]);
    if (argc > 1 && command == NULL) {
        fprintf(cli->err_out, "skep: '%s%s%s' is not a skep command.\n", argv[1], argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
        return error_exit_code(ERR_INVALID);
    }
    if (command)
        print_command_usage(command, cli->out);
    else
        print_usage(cli->out);
    return 0;
}

int cli_main(int argc, char **argv, const char *default_host, FILE *out, FILE *err_out, bool is_tty)
{
    struct options options;
    struct error err;
    if (options_parse(argc, argv, global_specs, true, &options, &err) < 0) {
        fprintf(err_out, "%s\nSee 'skep --help'.\n", err.message);
        return error_exit_code(err.code);
    }
    struct cli cli = {.host = option_text(&options, "host", default_host), .out = out, .err_out = err_out, .is_tty = is_tty};
    argc -= (int)options.used;
    argv += options.used;
    if (option_switch(&options, "version")) {
        fprintf(out, "Skep version %s\n", SKEP_VERSION);
        return 0;
    }
    if (option_switch(&options, "help") || (argc > 0 && strcmp(argv[0], "help") == 0))
        return help(&cli, argc, argv);
    const struct command *command = argc > 0 ? find_command(commands, 0, argv[0]) : NULL;
    if (command)
        return (command->commands ? run_group : run_command)(command, &cli, argc - 1, argv + 1);
    if (argc == 0)
        print_usage(err_out);
    else
        fprintf(err_out, "skep: '%s' is not a skep command.\nSee 'skep --help'.\n", argv[0]);
    return error_exit_code(ERR_INVALID);
}

/* --- what the verbs share --- */

int cli_send_json(const struct cli *cli, const char *method, const char *path, const cJSON *body, cJSON **out, struct error *err)
{
    struct client_response response;
    char *text = body ? json_print(body) : NULL;
    const struct client_request request = {.host = cli->host, .method = method, .path = path, .body = text};
    int code = client_call(&request, &response, err);
    if (code == 0 && out && (code = json_parse(buf_bytes(&response.body), API_SEND_MAX_BYTES, out, err)) < 0)
        error_wrap(err, "the daemon's answer");
    if (text)
        mem_wipe(text, strlen(text));
    free(text);
    response.body.is_secret = true;
    client_response_deinit(&response);
    return code;
}

int cli_get_json(const struct cli *cli, const char *path, cJSON **out, struct error *err)
{
    return cli_send_json(cli, "GET", path, NULL, out, err);
}

char *cli_path_of(const char *kind, const char *name, const char *rest)
{
    struct buf path = {0};
    buf_append_format(&path, API_PREFIX "/%s/", kind);
    http_text_encode(&path, name, false);
    buf_append_string(&path, rest);
    return buf_steal_string(&path);
}

int cli_each_word(struct cli *cli, const struct options *options, cli_word_fn *fn, struct error *err)
{
    int code = 0;
    for (size_t i = 0; i < options->words.count; i++) {
        struct error cause = {0};
        if (fn(cli, options, options->words.items[i], &cause) == 0)
            continue;
        if (code == 0)
            code = error_set(err, cause.code, "%s", cause.message);
        else
            fprintf(cli->err_out, "%s\n", cause.message);
    }
    return code;
}

static int add_filter(cJSON *json, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return error_set(err, ERR_INVALID, "invalid argument \"%s\" for \"--filter\" flag: write KEY=VALUE", text);
    cleanup_free char *key = mem_string_n(text, (size_t)(equals - text));
    cJSON *list = cJSON_GetObjectItemCaseSensitive(json, key);
    if (list == NULL)
        list = cJSON_AddArrayToObject(json, key);
    cJSON_AddItemToArray(list, cJSON_CreateString(equals + 1));
    return 0;
}

int cli_append_filters(const struct option_values *filters, struct buf *path, struct error *err)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    if (filters->count == 0)
        return 0;
    for (size_t i = 0; i < filters->count; i++)
        if (add_filter(json, filters->items[i], err) < 0)
            return err->code;
    cleanup_free char *text = json_print(json);
    buf_append_string(path, "&filters=");
    http_text_encode(path, text, false);
    return 0;
}

void cli_write(struct cli *cli, const struct buf *text)
{
    if (text->size > 0)
        fwrite(text->data, 1, text->size, cli->out);
}
