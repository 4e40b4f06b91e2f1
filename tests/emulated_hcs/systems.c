/* tests/emulated_hcs/systems.c – the table of compute systems, and what each call makes of it. Source: hcs.md §2, §10.2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

struct compute *systems;

static const char *const state_names[] = {"Created", "Running", "Paused", "Stopped"};

/* --- the table --- */

struct compute *compute_find(const char *id)
{
    for (struct compute *s = systems; s; s = s->next)
        if (id && strcmp(s->id, id) == 0)
            return s;
    return NULL;
}

void compute_remove(struct compute *s)
{
    for (struct compute **place = &systems; *place; place = &(*place)->next)
        if (*place == s) {
            *place = s->next;
            break;
        }
    vm_remove(s);
    children_drop(s);
    CloseHandle(s->job);
    cJSON_Delete(s->document);
    free(s->id);
    free(s->owner);
    free(s->exit_document);
    free(s);
}

bool systems_are_idle(void)
{
    return systems == NULL;
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
    emit_exit_of_system(s, status);
    vm_stop_hosted(s);
    if (s->handles == 0)
        compute_remove(s);
}

/* --- calls --- */

static uint32_t do_create(struct request *r, struct answer *answer)
{
    const char *id = member(r->json, "id"), *text = member(r->json, "text");
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    char *wrong = document ? shape_check_system(document) : text_of("no JSON");
    const char *endpoint = wrong ? NULL : network_missing_endpoint(document);
    struct compute *s, **end = &systems, *host = NULL;
    uint32_t code = 0;

    record("create", id, document);
    if (endpoint)
        code = refuse(answer, 0x803B0002, text_format("no endpoint %s", endpoint));
    else if (wrong)
        code = refuse(answer, HCS(0x10D), wrong);
    else if (compute_find(id))
        code = HCS(0x10F);
    else if ((code = vm_check_hosted(document, &host, &wrong)) != 0 || (code = guard_check(document, host, &wrong)) != 0)
        code = refuse(answer, code, wrong);
    if (code) {
        cJSON_Delete(document);
        return code;
    }
    s = calloc(1, sizeof *s);
    s->id = text_of(id);
    s->owner = text_of(member(document, "Owner") ? member(document, "Owner") : "");
    s->document = document;
    s->is_virtual = cJSON_IsTrue(cJSON_GetObjectItem(document, "HvPartition")) || cJSON_GetObjectItem(document, "VirtualMachine");
    s->dies_with_last_handle = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "ShouldTerminateOnLastHandleClosed")) ||
                               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "TerminateOnLastHandleClosed"));
    s->host = host;
    vm_add(s);
    s->job = CreateJobObjectW(NULL, NULL);
    s->created_ms = GetTickCount64();
    while (*end)
        end = &(*end)->next;
    *end = s;
    r->handle->system = r->system = s;
    s->handles++;
    return 0;
}

static uint32_t do_start(struct request *r, struct answer *answer)
{
    char *wrong = NULL;
    uint32_t code;

    if (r->system->state != CREATED || (r->system->host && r->system->host->state != RUNNING))
        return HCS(0x105);
    if ((code = vm_check_start(r->system, &wrong)) != 0)
        return refuse(answer, code, wrong);
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
bool systems_ignore(const struct request *r)
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
    if (asks_for(r, "GuestConnection"))
        vm_show_guest(r->system, r->rule && r->rule->has_old_guest, json);
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
    struct compute *s = compute_find(member(r->json, "id"));

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

static uint32_t do_modify(struct request *r, struct answer *answer)
{
    const char *text = member(r->json, "text");
    cJSON *request = text ? cJSON_Parse(text) : NULL;
    char *wrong = NULL;
    uint32_t code = HCS(0x105);

    record("modify", r->system->id, request);
    if (r->system->state == RUNNING)
        code = vm_modify(r->system, request, &wrong);
    cJSON_Delete(request);
    return wrong ? refuse(answer, code, wrong) : code;
}

/* As a service that dies: nobody is told anything. */
static uint32_t do_quit(void)
{
    for (struct compute *system = systems; system; system = system->next)
        TerminateJobObject(system->job, 1);
    ExitProcess(0);
}

uint32_t systems_carry_out(struct request *r, struct answer *answer)
{
    const char *call = r->call;

    if (network_call(r, answer) || hns_call(r, answer) || guard_call(r, answer) || vm_grant_call(r, answer))
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
        return do_start(r, answer);
    if (strcmp(call, "shutdown") == 0 || strcmp(call, "terminate") == 0)
        return do_stop(r);
    if (strcmp(call, "pause") == 0 || strcmp(call, "resume") == 0)
        return do_pause(r);
    if (strcmp(call, "properties") == 0)
        return do_properties(r, answer);
    if (strcmp(call, "modify") == 0)
        return do_modify(r, answer);
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
