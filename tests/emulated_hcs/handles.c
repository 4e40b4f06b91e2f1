/* tests/emulated_hcs/handles.c – who holds what, and what they are told without asking. Source: hcs.md §2.2, §2.5. */
#include <stdlib.h>

#include "tests/emulated_hcs/server.h"

struct handle *handles;

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

struct handle *handle_find(const struct client *client, int64_t id)
{
    for (struct handle *h = handles; h; h = h->next)
        if (h->id == id && h->client == client)
            return h;
    return NULL;
}

void handle_close(struct handle *h)
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
        compute_remove(s);
}

void systems_client_gone(struct client *client)
{
    for (struct handle *h = handles, *next; h; h = next) {
        next = h->next;
        if (h->client == client)
            handle_close(h);
    }
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

void emit_exit_of_system(const struct compute *s, uint32_t status)
{
    for (struct handle *h = handles; h && !s->loses_exit; h = h->next)
        for (int i = 0; h->system == s && !h->child && h->is_watched && i < (s->exits_twice ? 2 : 1); i++)
            emit(h, "system-exited", status ? (status | 0x40000000u) : 0, s->exit_document);
}

void emit_guest_lost(const struct compute *s)
{
    for (struct handle *h = handles; h; h = h->next)
        if (h->system == s && !h->child && h->is_watched)
            emit(h, "guest-lost", 0, NULL);
}

void handles_disconnect(void)
{
    for (struct handle *h = handles; h; h = h->next) {
        h->is_dead = true;
        emit(h, "lost", HCS(0x11E), NULL);
    }
}
