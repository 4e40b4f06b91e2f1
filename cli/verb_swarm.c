/* cli/verb_swarm.c – `skep join` and `skep leave`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lines.h"

/* --- the token --- */

static void strip_space(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
}

static int read_stdin(struct buf *out, struct error *err)
{
    char piece[TOKEN_SIZE_CHARS];
    uv_fs_t read;
    uv_buf_t into = uv_buf_init(piece, sizeof piece);
    for (;;) {
        ssize_t size = uv_fs_read(NULL, &read, 0, &into, 1, -1, NULL);
        uv_fs_req_cleanup(&read);
        if (size < 0)
            return error_set_uv(err, (int)size, "read the token");
        if (size == 0)
            return 0;
        if (buf_append_checked(out, piece, (size_t)size, err) < 0)
            return error_wrap(err, "the token");
    }
}

/* From --token, or from --token-file so that it does not stand in the list of processes. Wiped and freed by the caller. */
static int read_token(const struct options *options, char **token, struct error *err)
{
    const char *given = option_text(options, "token", NULL), *path = option_text(options, "token-file", NULL);
    struct buf text = {.limit = 4 * KIB};
    if ((given == NULL) == (path == NULL))
        return error_set(err, ERR_INVALID, "the token is needed: give --token TOKEN, or --token-file FILE (- for standard input)");
    if (given) {
        *token = mem_string(given);
        return 0;
    }
    int code = strcmp(path, "-") == 0 ? read_stdin(&text, err) : file_read(path, text.limit, &text, err);
    if (code < 0) {
        buf_deinit(&text);
        return code;
    }
    *token = buf_steal_string(&text);
    strip_space(*token);
    return 0;
}

/* --- join --- */

static const struct option_spec join_specs[] = {
    {"token", 0, OPTION_TEXT, "string", "Token for entry into the swarm"},
    {"token-file", 0, OPTION_TEXT, "file", "Read the token from this file (- for standard input)"},
    {"advertise-addr", 0, OPTION_TEXT, "string", "Advertised address (format: \"<ip|interface>[:port]\")"},
    {"listen-addr", 0, OPTION_TEXT, "node-addr", "Listen address (format: \"<ip|interface>[:port]\") (default 0.0.0.0:2377)"},
    {"data-path-addr", 0, OPTION_TEXT, "string", "Address or interface to use for data path traffic"},
    {"availability", 0, OPTION_TEXT, "string", "Availability of the node (\"active\", \"pause\", \"drain\") (default \"active\")"},
    {"quiet", 'q', OPTION_SWITCH, NULL, "Do not show the phases"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

struct joining {
    struct cli *cli;
    struct clock clock;
    uint64_t began_ns;
    bool is_quiet, is_done;
};

static int join_line(void *ctx, const cJSON *line, struct error *err)
{
    struct joining *joining = ctx;
    const char *phase = json_string(line, "phase", NULL), *error = json_string(line, "error", NULL);
    uint64_t passed_ms = (clock_monotonic_ns(&joining->clock) - joining->began_ns) / NS_PER_MS;
    if (error)
        return error_set(err, client_code_of_answer(line, 502), "Error response from daemon: %s", error);
    if (json_bool(line, "done", false))
        joining->is_done = true;
    if (phase && !joining->is_quiet) {
        fprintf(joining->cli->out, "%4" PRIu64 ".%03" PRIu64 "s  %s\n", passed_ms / 1000, passed_ms % 1000, phase);
        fflush(joining->cli->out);
    }
    return 0;
}

static int join_data(void *ctx, struct bytes data, struct error *err)
{
    return lines_add(ctx, data, err);
}

static char *join_body(const struct options *options, const char *token)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    const char *availability = option_text(options, "availability", NULL);
    json_add_string(json, "ListenAddr", option_text(options, "listen-addr", "0.0.0.0:2377"));
    json_add_string(json, "AdvertiseAddr", option_text(options, "advertise-addr", ""));
    json_add_string(json, "DataPathAddr", option_text(options, "data-path-addr", ""));
    cJSON *remotes = cJSON_AddArrayToObject(json, "RemoteAddrs");
    for (size_t i = 0; i < options->words.count; i++)
        cJSON_AddItemToArray(remotes, cJSON_CreateString(options->words.items[i]));
    json_add_string(json, "JoinToken", token);
    json_add_string(json, "Availability", availability);
    return json_print(json);
}

static int call_join(struct cli *cli, const struct options *options, const char *body, struct error *err)
{
    struct joining joining = {.cli = cli, .clock = clock_system(), .is_quiet = option_switch(options, "quiet")};
    struct lines lines = {.on_line = join_line, .ctx = &joining};
    struct client_response response;
    const struct client_request request = {.host = cli->host,
                                           .method = "POST",
                                           .path = API_PREFIX "/swarm/join?progress=1",
                                           .body = body,
                                           .on_data = join_data,
                                           .ctx = &lines};
    joining.began_ns = clock_monotonic_ns(&joining.clock);
    int code = client_call(&request, &response, err);
    if (code == 0)
        code = lines_end(&lines, err);
    if (code == 0 && !joining.is_done && response.content_type[0] != '\0')
        code = error_set(err, ERR_PEER, "the daemon did not say how the join ended; see `skep info`");
    lines_deinit(&lines);
    client_response_deinit(&response);
    return code;
}

static int run_join(struct cli *cli, const struct options *options, struct error *err)
{
    char *token = NULL;
    if (read_token(options, &token, err) < 0 || token == NULL)
        return err->code;
    char *body = join_body(options, token);
    int code = call_join(cli, options, body, err);
    mem_wipe(token, strlen(token));
    mem_wipe(body, strlen(body));
    free(token);
    free(body);
    if (code == 0)
        fputs("This node joined a swarm as a worker.\n", cli->out);
    return code;
}

const struct command command_join = {"join", "HOST:PORT...", "Join a swarm as a node", join_specs, 1, OPTION_VALUES_COUNT, .run = run_join};

/* --- leave --- */

static const struct option_spec leave_specs[] = {
    {"force", 'f', OPTION_SWITCH, NULL, "Force this node to leave the swarm, ignoring warnings"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static int run_leave(struct cli *cli, const struct options *options, struct error *err)
{
    struct client_response response;
    const struct client_request request = {
        .host = cli->host,
        .method = "POST",
        .path = option_switch(options, "force") ? API_PREFIX "/swarm/leave?force=1" : API_PREFIX "/swarm/leave",
    };
    int code = client_call(&request, &response, err);
    client_response_deinit(&response);
    if (code == 0)
        fputs("Node left the swarm.\n", cli->out);
    return code;
}

const struct command command_leave = {"leave", "", "Leave the swarm", leave_specs, 0, 0, .run = run_leave};
