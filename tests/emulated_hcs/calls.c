/* tests/emulated_hcs/calls.c – a request's way from a client to its answer: what the script makes of it, and when. Source: hcs.md §1.3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

/* --- answers --- */

static bool is_pending_call(const char *call)
{
    static const char *const calls[] = {"create", "start", "shutdown", "terminate", "pause", "resume"};

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(call, calls[i]) == 0)
            return true;
    return false;
}

static void respond(struct request *r, uint32_t code, const struct answer *answer)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddItemToObject(message, "n", cJSON_Duplicate(cJSON_GetObjectItem(r->json, "n"), true));
    cJSON_AddNumberToObject(message, "hr", code);
    cJSON_AddNumberToObject(message, "h", r->handle && !r->handle->is_dead ? (double)r->handle->id : 0);
    if (answer && answer->text)
        cJSON_AddStringToObject(message, "text", answer->text);
    if (answer && answer->info)
        cJSON_AddItemToObject(message, "info", cJSON_Duplicate(answer->info, true));
    client_send(r->client, message);
}

static void complete(struct request *r, const struct answer *answer)
{
    double operation = member_number(r->json, "op");
    cJSON *message;

    if (operation == 0 && !(r->client->is_legacy && is_pending_call(r->call))) {
        respond(r, answer->code, answer);
        return;
    }
    message = cJSON_CreateObject();
    if (operation != 0) {
        cJSON_AddNumberToObject(message, "op", operation);
    } else {
        cJSON_AddStringToObject(message, "ev", r->call);
        cJSON_AddNumberToObject(message, "h", member_number(r->json, "h") ? member_number(r->json, "h") : (double)r->handle->id);
    }
    cJSON_AddNumberToObject(message, "hr", answer->code);
    if (answer->text)
        cJSON_AddStringToObject(message, "text", answer->text);
    if (answer->info)
        cJSON_AddItemToObject(message, "info", cJSON_Duplicate(answer->info, true));
    client_send(r->client, message);
}

static char *problem(uint32_t code, const char *text)
{
    cJSON *json = cJSON_CreateObject(), *event = cJSON_CreateObject();
    char *printed;

    cJSON_AddNumberToObject(json, "Error", (int32_t)code);
    cJSON_AddStringToObject(json, "ErrorMessage", "");
    cJSON_AddStringToObject(event, "Message", text);
    cJSON_AddStringToObject(event, "Provider", "emulated HCS");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "ErrorEvents"), event);
    printed = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return printed;
}

uint32_t refuse(struct answer *answer, uint32_t code, char *why)
{
    answer->text = problem(code, why);
    free(why);
    return code;
}

/* Where a test has made requests.jsonl in our directory, it has in it what we were given. */
void record(const char *call, const char *id, const cJSON *document)
{
    WCHAR path[MAX_PATH];
    cJSON *line;
    char *text;
    FILE *file;

    _snwprintf(path, MAX_PATH, L"%ls\\requests.jsonl", server_dir);
    if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES || (file = _wfopen(path, L"ab")) == NULL)
        return;
    line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "call", call);
    cJSON_AddStringToObject(line, "id", id ? id : "");
    cJSON_AddItemToObject(line, "document", document ? cJSON_Duplicate(document, true) : cJSON_CreateNull());
    text = cJSON_PrintUnformatted(line);
    fprintf(file, "%s\n", text);
    fclose(file);
    free(text);
    cJSON_Delete(line);
}

/* --- the order of things --- */

struct delayed {
    uv_timer_t timer;
    struct request request;
};

static void request_end(struct request *r)
{
    cJSON_Delete(r->json);
}

static void finish(struct request *r)
{
    struct answer answer = {0};
    bool is_done = !r->rule || (!r->rule->fail && !r->rule->hangs) || r->rule->is_done;

    if (systems_ignore(r))
        return;
    r->system = r->handle && r->handle->system ? r->handle->system : NULL; /* it may be gone by now */
    if (is_done)
        answer.code = systems_carry_out(r, &answer);
    if (r->rule && r->rule->fail) {
        answer.code = r->rule->fail;
        if (r->rule->message) {
            free(answer.text);
            answer.text = problem(answer.code, r->rule->message);
        }
    }
    if (r->rule && r->rule->disconnects) {
        handles_disconnect();
        answer.code = HCS(0x11E);
    }
    if (!r->rule || !r->rule->hangs)
        complete(r, &answer);
    free(answer.text);
    cJSON_Delete(answer.info);
    if (r->rule && r->system && (r->rule->has_vm_exit || r->rule->has_guest_lost))
        vm_end_later(r->system, r->rule->has_guest_lost, r->rule->vm_exit_ms);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct delayed *delayed = (struct delayed *)handle;

    request_end(&delayed->request);
    free(delayed);
}

static void on_due(uv_timer_t *timer)
{
    struct delayed *delayed = (struct delayed *)timer;
    struct handle *still = NULL;

    for (struct handle *h = handles; h; h = h->next)
        if (h == delayed->request.handle)
            still = h;
    if (delayed->request.handle && !still) { /* closed meanwhile: a create still comes to be */
        if (strcmp(delayed->request.call, "create") == 0)
            delayed->request.handle = handle_new(delayed->request.client, NULL, NULL);
        else
            delayed->request.handle = NULL;
    }
    finish(&delayed->request);
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

/* The handle is given at once; what it is a handle of comes with the answer. */
static void accept_call(struct request *r)
{
    bool has_operation = member_number(r->json, "op") != 0, is_legacy_pending = r->client->is_legacy && is_pending_call(r->call);
    struct handle *given = r->handle;

    if (strcmp(r->call, "create") == 0)
        r->handle = given = handle_new(r->client, NULL, NULL);
    else if (has_operation && strcmp(r->call, "create-process") == 0) {
        given = handle_new(r->client, r->system, NULL);
        cJSON_AddNumberToObject(r->json, "given", (double)given->id);
    }
    if (!has_operation && !is_legacy_pending)
        return;
    struct request shown = *r;
    shown.handle = given;
    respond(&shown, has_operation ? 0 : 0xC0370103, NULL);
}

static bool is_ours(struct client *client, cJSON *json, const char *call)
{
    struct handle *h = handle_find(client, (int64_t)member_number(json, "h"));

    if (strcmp(call, "hello") == 0) {
        client->pid = (DWORD)member_number(json, "pid");
        client->is_legacy = cJSON_IsTrue(cJSON_GetObjectItem(json, "legacy"));
    } else if (strcmp(call, "watch") == 0 && h) {
        h->is_watched = cJSON_IsTrue(cJSON_GetObjectItem(json, "on"));
    } else if (strcmp(call, "close") == 0 && h) {
        handle_close(h);
    } else {
        return false;
    }
    return true;
}

void systems_call(struct client *client, cJSON *json)
{
    const char *call = member(json, "call") ? member(json, "call") : "";
    struct request r = {.client = client, .json = json, .call = call};
    struct delayed *delayed;

    r.handle = handle_find(client, (int64_t)member_number(json, "h"));
    r.system = r.handle ? r.handle->system : NULL;
    r.child = r.handle ? r.handle->child : NULL;
    if (r.handle && r.handle->is_dead && strcmp(call, "close") != 0) {
        respond(&r, HCS(0x11E), NULL);
        cJSON_Delete(json);
        return;
    }
    if (is_ours(client, json, call)) {
        r.handle = NULL;
        respond(&r, 0, NULL);
        cJSON_Delete(json);
        return;
    }
    r.rule = script_take(call, r.system ? r.system->id : member(json, "id"), member(json, "text"));
    accept_call(&r);
    delayed = calloc(1, sizeof *delayed);
    delayed->request = r;
    uv_timer_init(server_loop, &delayed->timer);
    uv_timer_start(&delayed->timer, on_due, r.rule ? r.rule->delay_ms : 0, 0);
}
