/* cli/cli.c – from words on the command line to a verb, and its help. */
#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"

static const struct command *const commands[] = {
    &command_join, &command_leave, &command_info, &command_ps,    &command_logs, &command_images,
    &command_load, &command_pull,  &command_rmi,  &command_image, &command_raft, &command_version,
};
enum { COMMANDS_COUNT = sizeof commands / sizeof commands[0] };

static const struct option_spec global_specs[] = {
    {"host", 'H', OPTION_TEXT, "string", "Address of the daemon's socket (SKEP_HOST; unix:///run/skep.sock)"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {"version", 'v', OPTION_SWITCH, NULL, "Print the version of this command"},
    {0},
};

static void print_usage(FILE *out)
{
    fputs("Usage:  skep [OPTIONS] COMMAND\n\nA node of a swarm: join one, and see what runs here.\n\nOptions:\n", out);
    options_print(global_specs, out);
    fputs("\nCommands:\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        fprintf(out, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help        Show this, or what is known about a command\n\nRun 'skep COMMAND --help' for more about a command.\n", out);
}

static void print_command_usage(const struct command *command, FILE *out)
{
    fprintf(out, "Usage:  skep %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", command->name, *command->words ? " " : "", command->words,
            command->summary);
    options_print(command->specs, out);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
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

static int run_command(const struct command *command, struct cli *cli, int argc, char **argv)
{
    struct options options;
    struct error err;
    int code = options_parse(argc, argv, command->specs, false, &options, &err);
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

static int help(struct cli *cli, int argc, char **argv)
{
    const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;
    if (argc > 1 && command == NULL) {
        fprintf(cli->err_out, "skep: '%s' is not a skep command.\n", argv[1]);
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
    const struct command *command = argc > 0 ? find_command(argv[0]) : NULL;
    if (command)
        return run_command(command, &cli, argc - 1, argv + 1);
    if (argc == 0)
        print_usage(err_out);
    else
        fprintf(err_out, "skep: '%s' is not a skep command.\nSee 'skep --help'.\n", argv[0]);
    return error_exit_code(ERR_INVALID);
}

/* --- what the verbs share --- */

int cli_get_json(const struct cli *cli, const char *path, cJSON **out, struct error *err)
{
    struct client_response response;
    const struct client_request request = {.host = cli->host, .method = "GET", .path = path};
    int code = client_call(&request, &response, err);
    if (code == 0 && (code = json_parse(buf_bytes(&response.body), API_SEND_MAX_BYTES, out, err)) < 0)
        error_wrap(err, "the daemon's answer");
    client_response_deinit(&response);
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
