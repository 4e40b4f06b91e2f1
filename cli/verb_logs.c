/* cli/verb_logs.c – `skep logs` and `skep service logs`: what a container, or the tasks of a service, wrote, each stream to the stream of
 * ours that it was written to. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_text.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/log_demux.h"
#include "cli/verb_service.h"

static const struct option_spec specs[] = {
    {"follow", 'f', OPTION_SWITCH, NULL, "Follow log output"},
    {"since", 0, OPTION_TEXT, "string", "Show logs since timestamp (2026-01-02T13:23:37Z) or relative (42m for 42 minutes)"},
    {"tail", 'n', OPTION_TEXT, "string", "Number of lines to show from the end of the logs (default \"all\")"},
    {"timestamps", 't', OPTION_SWITCH, NULL, "Show timestamps"},
    {"until", 0, OPTION_TEXT, "string", "Show logs before a timestamp or relative time"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

static const struct option_spec service_specs[] = {
    {"follow", 'f', OPTION_SWITCH, NULL, "Follow log output"},
    {"since", 0, OPTION_TEXT, "string", "Show logs since timestamp (2026-01-02T13:23:37Z) or relative (42m for 42 minutes)"},
    {"tail", 'n', OPTION_TEXT, "string", "Number of lines of each task to show from the end of the logs (default \"all\")"},
    {"timestamps", 't', OPTION_SWITCH, NULL, "Show timestamps"},
    {"help", 'h', OPTION_SWITCH, NULL, "Print usage"},
    {0},
};

/* "42m" is so long ago; everything else is an instant as it stands. */
static int append_instant(struct buf *path, const char *key, const char *text, struct error *err)
{
    struct clock clock = clock_system();
    int64_t ago_ns, wall_ns;
    if (text == NULL)
        return 0;
    if (time_parse(text, &wall_ns, err) < 0) {
        if (time_parse_duration(text, &ago_ns, err) < 0)
            return error_set(err, ERR_INVALID, "--%s %s: neither a time (2026-11-23T22:00:00Z) nor a duration (10m)", key, text);
        wall_ns = clock_wall_ns(&clock) - ago_ns;
    }
    buf_append_format(path, "&%s=%" PRId64 ".%09" PRId64, key, wall_ns / (int64_t)NS_PER_S, wall_ns % (int64_t)NS_PER_S);
    return 0;
}

static int build_path(const struct options *options, const char *whose, struct buf *path, struct error *err)
{
    buf_append_format(path, API_PREFIX "/%s/", whose);
    http_text_encode(path, options->words.items[0], false);
    buf_append_format(path, "/logs?stdout=1&stderr=1&follow=%d&timestamps=%d&tail=", option_switch(options, "follow"),
                      option_switch(options, "timestamps"));
    http_text_encode(path, option_text(options, "tail", "all"), false);
    if (append_instant(path, "since", option_text(options, "since", NULL), err) < 0)
        return err->code;
    bool has_until = strcmp(whose, "containers") == 0; /* the managers know no end */
    return has_until ? append_instant(path, "until", option_text(options, "until", NULL), err) : 0;
}

struct printing {
    struct cli *cli;
    struct client_response *response; /* its type says whether there are frames */
    struct log_demux demux;
    bool is_incomplete;
};

static void print_text(void *ctx, int stream, struct bytes text)
{
    struct printing *printing = ctx;
    printing->is_incomplete = printing->is_incomplete || stream == 3;
    fwrite(text.data, 1, text.size, stream > 1 ? printing->cli->err_out : printing->cli->out);
}

static int on_data(void *ctx, struct bytes data, struct error *err)
{
    struct printing *printing = ctx;
    if (!text_equal(printing->response->content_type, "application/vnd.docker.multiplexed-stream"))
        print_text(printing, 1, data);
    else if (log_demux_add(&printing->demux, data, err) < 0)
        return err->code;
    if (fflush(printing->cli->out) != 0)
        return error_set(err, ERR_IO, "the output cannot be written");
    return 0;
}

static int read_logs(struct cli *cli, const struct options *options, const char *whose, struct error *err)
{
    cleanup_buf struct buf path = {0};
    struct client_response response;
    struct printing printing = {.cli = cli, .response = &response};
    printing.demux = (struct log_demux){.on_text = print_text, .ctx = &printing};
    if (build_path(options, whose, &path, err) < 0)
        return err->code;
    const struct client_request request = {
        .host = cli->host, .method = "GET", .path = (const char *)path.data, .on_data = on_data, .ctx = &printing};
    int code = client_call(&request, &response, err);
    client_response_deinit(&response);
    if (code == 0 && printing.is_incomplete)
        return error_set(err, ERR_PEER, "the log of %s is not complete", options->words.items[0]);
    return code;
}

static int run(struct cli *cli, const struct options *options, struct error *err)
{
    return read_logs(cli, options, "containers", err);
}

static int run_service(struct cli *cli, const struct options *options, struct error *err)
{
    return read_logs(cli, options, "services", err);
}

const struct command command_service_logs = {
    "service logs",    "SERVICE", "Fetch the logs of a service's tasks, line by line as they wrote them", service_specs, 1, 1,
    .run = run_service};

const struct command command_logs = {"logs", "CONTAINER", "Fetch the logs of a container", specs, 1, 1, .run = run};
