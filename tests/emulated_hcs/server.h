/* tests/emulated_hcs/server.h – what the emulator holds. One thread, one libuv loop; processes' ends come over an async handle. */
#ifndef SKEP_TESTS_EMULATED_HCS_SERVER_H
#define SKEP_TESTS_EMULATED_HCS_SERVER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <uv.h>
#include <windows.h>

#define HCS(low)        ((uint32_t)0x80370000u + (low))
#define FROM_WIN32(low) ((uint32_t)0x80070000u + (low))

enum state { CREATED, RUNNING, PAUSED, STOPPED };

struct client {
    struct client *next;
    uv_pipe_t pipe;
    char *buffer;
    size_t size, capacity;
    DWORD pid;
    bool is_legacy, is_closed;
};

struct vm;

struct compute {
    struct compute *next, *host; /* host: the utility VM it is hosted in */
    struct vm *vm;               /* of a utility VM */
    char *id, *owner, *exit_document;
    cJSON *document;
    struct shown *shown;
    enum state state;
    bool is_virtual, dies_with_last_handle, loses_exit, exits_twice, is_busy;
    unsigned handles, processes;
    HANDLE job;
    ULONGLONG created_ms, started_ms;
};

struct child {
    struct child *next;
    struct compute *system;
    HANDLE process, wait;
    HANDLE streams[3]; /* kept for a get-process-info only */
    DWORD pid;
    uint32_t exit_code;
    bool has_exited, is_gone, loses_exit, exits_twice, ignores_shutdown;
    unsigned handles;
};

struct handle {
    struct handle *next;
    int64_t id;
    struct client *client;
    struct compute *system;
    struct child *child; /* NULL: a handle of the system */
    bool is_watched, is_dead;
};

struct rule {
    struct rule *next;
    char *call, *id, *with, *message;
    uint32_t fail;
    unsigned skip, count, used, delay_ms;
    bool hangs, is_done, has_exit_first, loses_exit, exits_twice, lacks_info, disconnects, has_old_guest, has_vm_exit, has_guest_lost;
    uint32_t exit_code;
    unsigned vm_exit_ms;
};

/* A request on its way to its answer. */
struct request {
    struct client *client;
    cJSON *json; /* {"n","call","h","op",…} */
    const char *call;
    struct handle *handle;
    struct compute *system;
    struct child *child;
    struct rule *rule;
};

struct answer {
    uint32_t code;
    char *text; /* owned; NULL */
    cJSON *info;
    int64_t handle;
};

extern uv_loop_t *server_loop;
extern const WCHAR *server_dir;

/* script.c */
struct rule *script_take(const char *call, const char *id, const char *text);

/* shape.c: the first member that is not known or of another type; NULL when all is well. Freed by the caller. */
char *shape_check_system(const cJSON *document);
char *shape_check_process(const cJSON *document);

char *shape_check(const cJSON *json, const char *const *shape);

/* handles.c */
extern struct handle *handles;
struct handle *handle_new(struct client *client, struct compute *system, struct child *child);
struct handle *handle_find(const struct client *client, int64_t id);
void handle_close(struct handle *h);
void handles_disconnect(void);
void systems_client_gone(struct client *client);
void emit_exit_of_child(struct child *child);
void emit_exit_of_system(const struct compute *system, uint32_t status);
void emit_guest_lost(const struct compute *system);

/* calls.c */
void systems_call(struct client *client, cJSON *request);         /* taken */
uint32_t refuse(struct answer *answer, uint32_t code, char *why); /* @why taken */
void record(const char *call, const char *id, const cJSON *document);

/* systems.c */
extern struct compute *systems;
uint32_t systems_carry_out(struct request *request, struct answer *answer);
bool systems_ignore(const struct request *request); /* a container that does not stop for it */
bool systems_are_idle(void);
struct compute *compute_find(const char *id);
void compute_stop(struct compute *system, uint32_t status, const char *exit_type);
void compute_remove(struct compute *system);

/* vm.c, vm_modify.c: utility VMs. Each answers a code, with the reason in *wrong where there is one; freed by the caller */
void vm_add(struct compute *system); /* does nothing to one that is no VM; so do the others */
void vm_remove(struct compute *system);
void vm_stop_hosted(struct compute *system);
uint32_t vm_check_start(const struct compute *system, char **wrong);
uint32_t vm_check_hosted(const cJSON *document, struct compute **host, char **wrong);
uint32_t vm_modify(struct compute *system, const cJSON *request, char **wrong);
void vm_show_guest(const struct compute *system, bool is_old, cJSON *properties);
void vm_end_later(struct compute *system, bool is_guest_only, unsigned ms); /* the VM that hosts it, or it itself */
bool vm_grant_call(struct request *request, struct answer *answer);         /* false: not its call */

/* guard.c: credential guards */
bool guard_call(struct request *request, struct answer *answer); /* false: not its call */
uint32_t guard_check(const cJSON *document, const struct compute *host, char **wrong);

/* child.c */
void children_init(void);
uint32_t child_create(struct request *request, struct answer *answer);
cJSON *child_info(struct child *child, struct client *client, bool takes_streams);
struct child *child_find(struct compute *system, DWORD pid);
cJSON *child_status(const struct child *child);
void children_kill(struct compute *system, uint32_t exit_code);
bool children_ignore_shutdown(const struct compute *system);
cJSON *children_list(const struct compute *system);
void children_drop(struct compute *system);
void children_statistics(const struct compute *system, cJSON *out);

/* files.c */
void files_show(struct compute *system);
void files_hide(struct compute *system);

/* network.c, hns.c */
bool network_call(struct request *request, struct answer *answer); /* false: not its call */
bool hns_call(struct request *request, struct answer *answer);     /* false: not its call */
const char *network_missing_endpoint(const cJSON *document);

/* server.c */
void client_send(struct client *client, cJSON *message); /* taken */
char *text_of(const char *text);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *member(const cJSON *json, const char *key);
double member_number(const cJSON *json, const char *key);

#endif
