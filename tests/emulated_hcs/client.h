/* tests/emulated_hcs/client.h – what the emulated DLLs share: one connection per DLL, its handles, and a thread for callbacks. */
#ifndef SKEP_TESTS_EMULATED_HCS_CLIENT_H
#define SKEP_TESTS_EMULATED_HCS_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

#include <computedefs.h>

/* Behind HCS_SYSTEM and HCS_PROCESS. */
struct emulated_handle {
    struct emulated_handle *next;
    int64_t id;
    HCS_EVENT_CALLBACK on_event;               /* computecore's */
    HCS_NOTIFICATION_CALLBACK on_notification; /* vmcompute's */
    void *ctx;
    unsigned running; /* callbacks */
};

/* Behind HCS_OPERATION. Closed while under way: freed by its end. */
struct emulated_operation {
    struct emulated_operation *next;
    int64_t id;
    HCS_OPERATION_TYPE type;
    HCS_OPERATION_COMPLETION on_done;
    const void *ctx;
    void *system, *process;
    bool is_started, is_done, is_closed;
    uint32_t code;
    char *text;
    HCS_PROCESS_INFORMATION info;
};

/* Set by the DLL before its first call. */
extern bool emulated_is_legacy;

cJSON *emulated_request(const char *call);
void emulated_add_wide(cJSON *request, const char *key, PCWSTR text);

/* Ask; the answer is freed by the caller; NULL when the emulator cannot be reached. @request taken. */
cJSON *emulated_ask(cJSON *request);

/* Ask with a result of text, as the synchronous calls do: the code; *text from the process' heap. */
HRESULT emulated_ask_text(cJSON *request, PWSTR *text, int64_t *handle, HCS_PROCESS_INFORMATION *info);

/* Ask on an operation. @handle: where the call gives one. */
HRESULT emulated_begin(struct emulated_operation *operation, HCS_OPERATION_TYPE type, cJSON *request, int64_t *handle);

void emulated_operation_close(struct emulated_operation *operation);

struct emulated_handle *emulated_handle_new(int64_t id);
void emulated_handle_close(struct emulated_handle *handle);
void emulated_handle_watch(struct emulated_handle *handle, bool is_on);

PWSTR emulated_wide(const char *text); /* from the process' heap; NULL gives NULL */

extern CRITICAL_SECTION emulated_lock;
extern CONDITION_VARIABLE emulated_changed;

/* By each DLL: one event of a handle, on the callback thread. */
void emulated_dispatch(struct emulated_handle *handle, const char *event, uint32_t code, const char *text);

#endif
