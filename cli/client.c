/* cli/client.c – see client.h. */
#include "cli/client.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/socket.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum { PIECE_SIZE_BYTES = 64 * KIB };

struct call {
    const struct client_request *request;
    struct client_response *response;
    struct error *err;
    int code; /* of the failure in @err */
    uv_loop_t loop;
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    uv_fs_t read;
    struct buf out;
    http_parser parser;
    char name[64]; /* of the header that is being read */
    bool is_value, is_done, is_closing, is_reading_file;
    char file_piece[PIECE_SIZE_BYTES], socket_piece[PIECE_SIZE_BYTES];
};

static void close_call(struct call *call)
{
    if (call->is_closing)
        return;
    call->is_closing = true;
    uv_close((uv_handle_t *)&call->pipe, NULL);
}

static void fail(struct call *call, int code)
{
    if (call->code == 0 && !call->is_done)
        call->code = code;
    close_call(call);
}

/* --- the answer --- */

static int on_field(http_parser *parser, const char *at, size_t length)
{
    struct call *call = parser->data;
    size_t used = call->is_value ? 0 : strlen(call->name);
    call->is_value = false;
    snprintf(call->name + used, sizeof call->name - used, "%.*s", (int)length, at);
    return 0;
}

static bool is_content_type(const char *name)
{
    static const char wanted[] = "content-type";
    size_t i = 0;
    for (; name[i] && i < sizeof wanted; i++)
        if ((name[i] | 0x20) != wanted[i] && name[i] != wanted[i])
            return false;
    return i == sizeof wanted - 1;
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct call *call = parser->data;
    char *type = call->response->content_type;
    size_t used = call->is_value ? strlen(type) : 0;
    call->is_value = true;
    if (is_content_type(call->name))
        snprintf(type + used, sizeof call->response->content_type - used, "%.*s", (int)length, at);
    return 0;
}

static int on_head(http_parser *parser)
{
    struct call *call = parser->data;
    call->response->status = (int)parser->status_code;
    return strcmp(call->request->method, "HEAD") == 0 ? 1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct call *call = parser->data;
    struct bytes data = bytes_of(at, length);
    if (call->request->on_data && call->response->status < 400)
        call->code = call->request->on_data(call->request->ctx, data, call->err);
    else
        call->code = buf_append_checked(&call->response->body, data.data, data.size, call->err);
    return call->code;
}

static int on_complete(http_parser *parser)
{
    struct call *call = parser->data;
    if (call->response->status >= 200) { /* 100 Continue is none yet */
        call->is_done = true;
        close_call(call);
    }
    return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void give_piece(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct call *call = handle->data;
    (void)suggested;
    *buf = uv_buf_init(call->socket_piece, PIECE_SIZE_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct call *call = stream->data;
    if (size == 0)
        return;
    http_parser_execute(&call->parser, &settings, buf->base, size > 0 ? (size_t)size : 0);
    if (call->is_done || call->is_closing)
        return;
    enum http_errno code = HTTP_PARSER_ERRNO(&call->parser);
    if (call->code != 0)
        close_call(call);
    else if (code != HPE_OK)
        fail(call, error_set(call->err, ERR_PEER, "the daemon's answer is no HTTP: %s", http_errno_description(code)));
    else if (size < 0)
        fail(call, error_set(call->err, ERR_PEER, "the daemon closed the connection before its answer ended"));
}

/* --- the request --- */

static void send_more(struct call *call);

static void on_written(uv_write_t *write, int status)
{
    struct call *call = write->data;
    buf_clear(&call->out);
    if (status == 0 && !call->is_closing)
        send_more(call);
    /* a failed write is no failure yet: the daemon may have answered before the end of the body */
}

static void write_out(struct call *call)
{
    uv_buf_t piece = uv_buf_init((char *)call->out.data, (unsigned)call->out.size);
    uv_write(&call->write, (uv_stream_t *)&call->pipe, &piece, 1, on_written);
}

static void file_read_done(uv_fs_t *read)
{
    struct call *call = read->data;
    ssize_t size = read->result;
    uv_fs_req_cleanup(read);
    call->is_reading_file = size > 0;
    if (call->is_closing)
        return;
    if (size < 0) {
        fail(call, error_set_uv(call->err, (int)size, "read the archive"));
        return;
    }
    buf_append_format(&call->out, "%zx\r\n", (size_t)size);
    buf_append(&call->out, call->file_piece, (size_t)size);
    buf_append_string(&call->out, "\r\n");
    write_out(call);
}

static void send_more(struct call *call)
{
    uv_buf_t piece = uv_buf_init(call->file_piece, PIECE_SIZE_BYTES);
    if (call->is_reading_file)
        uv_fs_read(&call->loop, &call->read, call->request->file, &piece, 1, -1, file_read_done);
}

static void write_head(struct call *call)
{
    const struct client_request *request = call->request;
    buf_append_format(&call->out, "%s %s HTTP/1.1\r\nHost: skep\r\nUser-Agent: skep/" SKEP_VERSION "\r\n%s", request->method, request->path,
                      request->headers ? request->headers : "");
    if (request->sends_file)
        buf_append_string(&call->out, "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n");
    else if (request->body)
        buf_append_format(&call->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(request->body),
                          request->body);
    else
        buf_append_string(&call->out, "Content-Length: 0\r\n\r\n");
    call->is_reading_file = request->sends_file;
    write_out(call);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct call *call = connect->data;
    const char *host = call->request->host;
    if (status == UV_EACCES || status == UV_EPERM) {
        fail(call,
             error_set(call->err, ERR_PERMISSION, "permission denied at %s: you are not in the group that may use the Skep daemon", host));
    } else if (status < 0) {
        fail(call, error_set(call->err, ERR_UNAVAILABLE, "Cannot connect to the Skep daemon at %s. Is skepd running?", host));
    } else {
        uv_read_start((uv_stream_t *)&call->pipe, give_piece, on_read);
        write_head(call);
    }
}

int client_code_of_status(int status)
{
    switch (status) {
    case 400:
        return ERR_INVALID;
    case 401:
        return ERR_TRUST;
    case 403:
        return ERR_PERMISSION;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_PRECONDITION;
    case 413:
        return ERR_LIMIT;
    case 501:
        return ERR_UNSUPPORTED;
    case 502:
        return ERR_PEER;
    case 503:
        return ERR_UNAVAILABLE;
    case 504:
        return ERR_DEADLINE;
    case 507:
        return ERR_NO_SPACE;
    default:
        return status >= 500 ? ERR_IO : ERR_INVALID;
    }
}

int client_code_of_answer(const cJSON *json, int status)
{
    int code = error_from_name(json_string(json, "kind", NULL));
    return code ? code : client_code_of_status(status);
}

static int check_status(const struct client_response *response, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    struct error ignored;
    if (response->status < 400)
        return 0;
    if (json_parse(buf_bytes(&response->body), API_REQUEST_BODY_BYTES, &json, &ignored) < 0)
        json = NULL;
    const char *message = json_string(json, "message", "(no message)");
    return error_set(err, client_code_of_answer(json, response->status), "Error response from daemon: %s", message);
}

static void run(struct call *call, const char *path)
{
    uv_loop_init(&call->loop);
    uv_pipe_init(&call->loop, &call->pipe, 0);
    call->pipe.data = call->connect.data = call->write.data = call->read.data = call->parser.data = call;
    uv_pipe_connect(&call->connect, &call->pipe, path, on_connected);
    uv_run(&call->loop, UV_RUN_DEFAULT);
    uv_loop_close(&call->loop);
    buf_deinit(&call->out);
}

int client_call(const struct client_request *request, struct client_response *out, struct error *err)
{
    *out = (struct client_response){.body = {.limit = API_SEND_MAX_BYTES}};
    cleanup_free char *path = socket_path(request->host, err);
    if (path == NULL)
        return err->code;
    struct call *call = mem_alloc(sizeof *call);
    call->request = request;
    call->response = out;
    call->err = err;
    http_parser_init(&call->parser, HTTP_RESPONSE);
    run(call, path);
    int code = call->code;
    free(call);
    return code != 0 ? code : check_status(out, err);
}

void client_response_deinit(struct client_response *response)
{
    buf_deinit(&response->body);
}
