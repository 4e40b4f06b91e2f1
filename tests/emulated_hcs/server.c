/* tests/emulated_hcs/server.c – hcs_emulator.exe DIRECTORY: holds the emulated HCS's systems for all its clients. It ends when told to, or
 * when it has had neither client nor system for a while. */
#include "tests/emulated_hcs/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/wire.h"

enum { IDLE_MS = 20000 };

uv_loop_t *server_loop;
const WCHAR *server_dir;

static uv_pipe_t listener;
static uv_timer_t idle;
static struct client *clients;

char *text_of(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    memcpy(copy, text, size);
    return copy;
}

char *text_format(const char *format, ...)
{
    char buffer[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    return text_of(buffer);
}

const char *member(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

double member_number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* --- clients --- */

struct sent {
    uv_write_t write;
    uint32_t size;
    char *text;
};

static void on_sent(uv_write_t *write, int status)
{
    struct sent *sent = (struct sent *)write;

    (void)status;
    free(sent->text);
    free(sent);
}

void client_send(struct client *client, cJSON *message)
{
    struct sent *sent = calloc(1, sizeof *sent);
    uv_buf_t buffers[2];

    sent->text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    sent->size = (uint32_t)strlen(sent->text);
    buffers[0] = uv_buf_init((char *)&sent->size, sizeof sent->size);
    buffers[1] = uv_buf_init(sent->text, sent->size);
    if (client->is_closed || uv_write(&sent->write, (uv_stream_t *)&client->pipe, buffers, 2, on_sent) < 0)
        on_sent(&sent->write, 0);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    for (struct client **place = &clients; *place; place = &(*place)->next)
        if (*place == client) {
            *place = client->next;
            break;
        }
    free(client->buffer);
    client->buffer = NULL; /* requests that are delayed may still point here: a client's few bytes stay */
}

static void take_messages(struct client *client)
{
    uint32_t size;

    while (client->size >= sizeof size) {
        memcpy(&size, client->buffer, sizeof size);
        if (client->size < sizeof size + size)
            return;
        cJSON *json = cJSON_ParseWithLength(client->buffer + sizeof size, size);
        client->size -= sizeof size + size;
        memmove(client->buffer, client->buffer + sizeof size + size, client->size);
        if (json)
            systems_call(client, json);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;

    (void)suggested;
    if (client->capacity - client->size < 65536) {
        client->capacity = client->capacity * 2 + 65536;
        client->buffer = realloc(client->buffer, client->capacity);
    }
    *buf = uv_buf_init(client->buffer + client->size, 65536);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *client = stream->data;

    (void)buf;
    if (n > 0) {
        client->size += (size_t)n;
        take_messages(client);
    } else if (n < 0 && !client->is_closed) {
        client->is_closed = true;
        systems_client_gone(client);
        uv_close((uv_handle_t *)stream, on_client_closed);
        uv_timer_start(&idle, idle.timer_cb, IDLE_MS, IDLE_MS);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct client *client = calloc(1, sizeof *client);

    uv_pipe_init(server_loop, &client->pipe, 0);
    client->pipe.data = client;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&client->pipe) < 0) {
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
        return;
    }
    client->next = clients;
    clients = client;
    uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
}

static void on_idle(uv_timer_t *timer)
{
    (void)timer;
    if (!clients && systems_are_idle())
        ExitProcess(0);
}

int wmain(int argc, WCHAR **argv);
int wmain(int argc, WCHAR **argv)
{
    WCHAR wide[64];
    char name[256];

    if (argc != 2)
        return 2;
    server_dir = argv[1];
    emulated_pipe_name(server_dir, wide);
    CreateMutexW(NULL, FALSE, wide + 9); /* behind the prefix of pipes */
    if (GetLastError() == ERROR_ALREADY_EXISTS)
        return 0;
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, name, sizeof name, NULL, NULL);
    server_loop = uv_default_loop();
    children_init();
    uv_timer_init(server_loop, &idle);
    uv_timer_start(&idle, on_idle, IDLE_MS, IDLE_MS);
    uv_pipe_init(server_loop, &listener, 0);
    if (uv_pipe_bind(&listener, name) < 0 || uv_listen((uv_stream_t *)&listener, 64, on_connection) < 0)
        return 1;
    uv_run(server_loop, UV_RUN_DEFAULT);
    return 0;
}
