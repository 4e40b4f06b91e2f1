/* tests/emulated_hcs/systems.c – the table of compute systems, and what each call makes of it. Source: hcs.md §2, §10.2. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

struct compute *systems;
struct handle *handles;

static const char *const state_names[] = {"Created", "Running", "Paused", "Stopped"};
static int64_t next_handle = 1;

/* --- handles --- */

struct handle *handle_new(struct client *client, struct compute *system, struct child *child)
{
    struct handle *h = calloc(1, sizeof *h);

    h->id = next_handle++;
    h->client = client;
    h->system = system;
    h->child = child;
    if (system)
        system->handles++;
    h->next = handles;
    handles = h;
    return h;
}

static struct handle *handle_find(const struct client *client, int64_t id)
{
    for (struct handle *h = handles; h; h = h->next)
        if (h->id == id && h->client == client)
            return h;
    return NULL;
}

static struct compute *system_find(const char *id)
{
    for (struct compute *s = systems; s; s = s->next)
        if (id && strcmp(s->id, id) == 0)
            return s;
    return NULL;
}

static void system_remove(struct compute *s)
{
    for (struct compute **place = &systems; *place; place = &(*place)->next)
        if (*place == s) {
            *place = s->next;
            break;
        }
    children_drop(s);
    CloseHandle(s->job);
    cJSON_Delete(s->document);
    free(s->id);
    free(s->owner);
    free(s->exit_document);
    free(s);
}

static void handle_close(struct handle *h)
{
    struct compute *s = h->system;

    for (struct handle **place = &handles; *place; place = &(*place)->next)
        if (*place == h) {
            *place = h->next;
            break;
        }
    free(h);
    if (!s || --s->handles > 0)
        return;
    if (s->dies_with_last_handle && s->state != STOPPED)
        compute_stop(s, HCS(0x107), "ForcedExit");
    if (s->state == STOPPED)
        system_remove(s);
}

void systems_client_gone(struct client *client)
{
    for (struct handle *h = handles, *next; h; h = next) {
        next = h->next;
        if (h->client == client)
            handle_close(h);
    }
}

bool systems_are_idle(void)
{
    return systems == NULL;
}

/* --- events --- */

static void emit(struct handle *h, const char *event, uint32_t code, const char *text)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddStringToObject(message, "ev", event);
    cJSON_AddNumberToObject(message, "h", (double)h->id);
    cJSON_AddNumberToObject(message, "hr", code);
    if (text)
        cJSON_AddStringToObject(message, "text", text);
    client_send(h->client, message);
}

void emit_exit_of_child(struct child *child)
{
    cJSON *status = child_status(child);
    char *text = cJSON_PrintUnformatted(status);

    for (struct handle *h = handles; h && !child->loses_exit; h = h->next)
        for (int i = 0; h->child == child && h->is_watched && i < (child->exits_twice ? 2 : 1); i++)
            emit(h, "process-exited", 0, text);
    cJSON_Delete(status);
    free(text);
}

void compute_stop(struct compute *s, uint32_t status, const char *exit_type)
{
    if (s->state == STOPPED)
        return;
    children_kill(s, 1);
    files_hide(s);
    s->state = STOPPED;
    free(s->exit_document);
    s->exit_document = text_format("{\"Status\":%d,\"ExitType\":\"%s\"}", (int32_t)status, exit_type);
    for (struct handle *h = handles; h && !s->loses_exit; h = h->next)
        for (int i = 0; h->system == s && !h->child && h->is_watched && i < (s->exits_twice ? 2 : 1); i++)
            emit(h, "system-exited", status ? (status | 0x40000000u) : 0, s->exit_document);
    if (s->handles == 0)
        system_remove(s);
}

static void disconnect_all(void)
{
    for (struct handle *h = handles; h; h = h->next) {
        h->is_dead = true;
        emit(h, "lost", HCS(0x11E), NULL);
    }
}

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

/* --- calls --- */

static uint32_t refuse(struct answer *answer, uint32_t code, char *why)
{
    answer->text = problem(code, why);
    free(why);
    return code;
}

static uint32_t do_create(struct request *r, struct answer *answer)
{
    const char *id = member(r->json, "id"), *text = member(r->json, "text");
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    char *wrong = document ? shape_check_system(document) : text_of("no JSON");
    const char *endpoint = wrong ? NULL : network_missing_endpoint(document);
    struct compute *s, **end = &systems;

    if (endpoint) {
        refuse(answer, 0, text_format("no endpoint %s", endpoint));
        cJSON_Delete(document);
        return 0x803B0002;
    }
    if (wrong || system_find(id)) {
        cJSON_Delete(document);
        return wrong ? refuse(answer, HCS(0x10D), wrong) : HCS(0x10F);
    }
    s = calloc(1, sizeof *s);
    s->id = text_of(id);
    s->owner = text_of(member(document, "Owner") ? member(document, "Owner") : "");
    s->document = document;
    s->is_virtual = cJSON_IsTrue(cJSON_GetObjectItem(document, "HvPartition")) || cJSON_GetObjectItem(document, "VirtualMachine");
    s->dies_with_last_handle = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "ShouldTerminateOnLastHandleClosed")) ||
                               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "TerminateOnLastHandleClosed"));
    s->job = CreateJobObjectW(NULL, NULL);
    s->created_ms = GetTickCount64();
    while (*end)
        end = &(*end)->next;
    *end = s;
    r->handle->system = r->system = s;
    s->handles++;
    return 0;
}

static uint32_t do_start(struct request *r)
{
    if (r->system->state != CREATED)
        return HCS(0x105);
    r->system->state = RUNNING;
    r->system->started_ms = GetTickCount64();
    files_show(r->system);
    r->system->loses_exit = r->rule && r->rule->loses_exit;
    r->system->exits_twice = r->rule && r->rule->exits_twice;
    if (r->rule && r->rule->has_exit_first) {
        compute_stop(r->system, HCS(0x106), "UnexpectedExit");
        return HCS(0x100);
    }
    return 0;
}

/* True when the container does not stop for it. */
static bool ignores(const struct request *r)
{
    return strcmp(r->call, "shutdown") == 0 && r->system && r->system->state == RUNNING && children_ignore_shutdown(r->system);
}

static uint32_t do_stop(struct request *r)
{
    bool is_graceful = strcmp(r->call, "shutdown") == 0;

    if (r->system->state == STOPPED)
        return HCS(0x110);
    if (is_graceful && r->system->state == CREATED)
        return HCS(0x105);
    r->system->handles++; /* it may be the last thing that holds it */
    compute_stop(r->system, is_graceful ? 0 : HCS(0x107), is_graceful ? "GracefulExit" : "ForcedExit");
    r->system->handles--;
    return 0;
}

static uint32_t do_pause(struct request *r)
{
    bool pauses = strcmp(r->call, "pause") == 0;

    if (!r->system->is_virtual)
        return FROM_WIN32(0x32);
    if (r->system->state != (pauses ? RUNNING : PAUSED))
        return HCS(0x105);
    r->system->state = pauses ? PAUSED : RUNNING;
    return 0;
}

static cJSON *properties_of(const struct compute *s)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "Id", s->id);
    cJSON_AddStringToObject(json, "SystemType", s->is_virtual ? "VirtualMachine" : "Container");
    cJSON_AddStringToObject(json, "RuntimeOsType", "Windows");
    cJSON_AddStringToObject(json, "Name", s->id);
    cJSON_AddStringToObject(json, "Owner", s->owner);
    cJSON_AddStringToObject(json, "RuntimeId", "00000000-0000-0000-0000-000000000000");
    cJSON_AddStringToObject(json, "State", state_names[s->state]);
    if (s->state == STOPPED)
        cJSON_AddBoolToObject(json, "Stopped", true);
    return json;
}

static bool asks_for(const struct request *r, const char *type)
{
    const char *text = member(r->json, "text");
    char *quoted = text_format("\"%s\"", type);
    bool is_asked = text && strstr(text, quoted);

    free(quoted);
    return is_asked;
}

static uint32_t do_properties(struct request *r, struct answer *answer)
{
    cJSON *json = properties_of(r->system);

    if (asks_for(r, "Statistics")) {
        cJSON *statistics = cJSON_AddObjectToObject(json, "Statistics");
        cJSON_AddNumberToObject(statistics, "Uptime100ns", (double)(GetTickCount64() - r->system->started_ms) * 10000);
        children_statistics(r->system, statistics);
    }
    if (asks_for(r, "ProcessList"))
        cJSON_AddItemToObject(json, "ProcessList", children_list(r->system));
    answer->text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return 0;
}

static uint32_t do_enumerate(struct request *r, struct answer *answer)
{
    const char *text = member(r->json, "text");
    cJSON *query = text && text[0] ? cJSON_Parse(text) : NULL, *list = cJSON_CreateArray();
    const cJSON *owner = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(query, "Owners"), 0);

    for (struct compute *s = systems; s; s = s->next)
        if (s->state != STOPPED && (!owner || strcmp(owner->valuestring, s->owner) == 0))
            cJSON_AddItemToArray(list, properties_of(s));
    answer->text = cJSON_PrintUnformatted(list);
    cJSON_Delete(list);
    cJSON_Delete(query);
    return 0;
}

static uint32_t do_open(struct request *r)
{
    struct compute *s = system_find(member(r->json, "id"));

    if (!s)
        return HCS(0x10E);
    r->handle = handle_new(r->client, s, NULL);
    return 0;
}

static uint32_t do_open_process(struct request *r)
{
    struct child *child = child_find(r->system, (DWORD)member_number(r->json, "pid"));

    if (!child)
        return FROM_WIN32(0x490);
    r->handle = handle_new(r->client, r->system, child);
    return 0;
}

static uint32_t do_process_properties(struct request *r, struct answer *answer)
{
    cJSON *status = child_status(r->child);

    answer->text = cJSON_PrintUnformatted(status);
    cJSON_Delete(status);
    return 0;
}

static uint32_t do_signal_process(struct request *r)
{
    if (r->child->has_exited)
        return HCS(0x11F);
    if (!r->child->ignores_shutdown || strcmp(r->call, "terminate-process") == 0)
        TerminateProcess(r->child->process, strcmp(r->call, "signal-process") == 0 ? 0xC000013A : 1);
    return 0;
}

/* As a service that dies: nobody is told anything. */
static uint32_t do_quit(void)
{
    for (struct compute *system = systems; system; system = system->next)
        TerminateJobObject(system->job, 1);
    ExitProcess(0);
}

static uint32_t carry_out(struct request *r, struct answer *answer)
{
    const char *call = r->call;

    if (network_call(r, answer) || hns_call(r, answer))
        return answer->code;
    if (strcmp(call, "create") == 0)
        return do_create(r, answer);
    if (strcmp(call, "open") == 0)
        return do_open(r);
    if (strcmp(call, "enumerate") == 0)
        return do_enumerate(r, answer);
    if (strcmp(call, "quit") == 0)
        return do_quit();
    if (!r->system)
        return HCS(0x10E);
    if (strcmp(call, "start") == 0)
        return do_start(r);
    if (strcmp(call, "shutdown") == 0 || strcmp(call, "terminate") == 0)
        return do_stop(r);
    if (strcmp(call, "pause") == 0 || strcmp(call, "resume") == 0)
        return do_pause(r);
    if (strcmp(call, "properties") == 0)
        return do_properties(r, answer);
    if (strcmp(call, "modify") == 0)
        return r->system->state == RUNNING ? 0 : HCS(0x105);
    if (strcmp(call, "create-process") == 0)
        return child_create(r, answer);
    if (strcmp(call, "open-process") == 0)
        return do_open_process(r);
    if (!r->child)
        return FROM_WIN32(0x490);
    if (strcmp(call, "process-properties") == 0)
        return do_process_properties(r, answer);
    if (strcmp(call, "signal-process") == 0 || strcmp(call, "terminate-process") == 0)
        return do_signal_process(r);
    if (strcmp(call, "process-info") == 0) {
        answer->info = child_info(r->child, r->client, true);
        return 0;
    }
    return strcmp(call, "modify-process") == 0 ? 0 : FROM_WIN32(0x7F);
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

    if (ignores(r))
        return;
    r->system = r->handle && r->handle->system ? r->handle->system : NULL; /* it may be gone by now */
    if (is_done)
        answer.code = carry_out(r, &answer);
    if (r->rule && r->rule->fail) {
        answer.code = r->rule->fail;
        if (r->rule->message) {
            free(answer.text);
            answer.text = problem(answer.code, r->rule->message);
        }
    }
    if (r->rule && r->rule->disconnects) {
        disconnect_all();
        answer.code = HCS(0x11E);
    }
    if (!r->rule || !r->rule->hangs)
        complete(r, &answer);
    free(answer.text);
    cJSON_Delete(answer.info);
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
    r.rule = script_take(call, r.system ? r.system->id : member(json, "id"));
    accept_call(&r);
    delayed = calloc(1, sizeof *delayed);
    delayed->request = r;
    uv_timer_init(server_loop, &delayed->timer);
    uv_timer_start(&delayed->timer, on_due, r.rule ? r.rule->delay_ms : 0, 0);
}
