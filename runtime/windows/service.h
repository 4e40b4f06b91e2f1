/* runtime/windows/service.h – HCS's calls with one face over its two APIs: computecore.dll's operations and vmcompute.dll's notifications.
 *
 * Every call blocks its thread until HCS answered or the time given has passed, and never longer where HCS lets us; none is made on the
 * loop. What a call was given belongs to it until it returns. A time-out is an answer like any other (windows_is_timeout): the request goes
 * on at HCS, and the caller asks what became of it.
 *
 * Source: hcs.md §1.2–§1.4 (calls), §2.3 (what vmcompute notifies), §2.5 (closing), §2.7 (time-outs). */
#ifndef SKEP_RUNTIME_WINDOWS_SERVICE_H
#define SKEP_RUNTIME_WINDOWS_SERVICE_H

#include <stdatomic.h>

#include "runtime/windows/api.h"

/* HCS's code (an HRESULT: bit 31 set is a failure) and its document in UTF-8, NULL where it gave none; freed by reply_deinit. */
struct windows_reply {
    uint32_t code;
    char *text;
};
void windows_reply_deinit(struct windows_reply *reply);
#define cleanup_reply __attribute__((cleanup(windows_reply_deinit)))

static inline bool windows_failed(const struct windows_reply *reply)
{
    return (int32_t)reply->code < 0;
}

enum windows_event { WINDOWS_EXITED, WINDOWS_LOST };

/* Comes on a thread of HCS's, at any time until the close has returned; takes no lock that a closer holds. @data: HCS's document, borrowed;
 * may be NULL. */
typedef void (*windows_event_cb)(void *ctx, enum windows_event event, const char *data);

struct windows_watch {
    windows_event_cb on_event;
    void *ctx;
};

struct windows_handle; /* of a system or of a process; closed exactly once */

/* Streams that were asked for; the others NULL. The caller's to close. */
struct windows_streams {
    HANDLE in, out, err;
};

struct windows_service {
    const struct windows_api *api;
    const struct windows_service_ops *ops;
    const char *name; /* "computecore.dll" */
};

/* Which of the two; ERR_UNSUPPORTED naming what is missing. */
int windows_service_core(const struct windows_api *api, struct windows_service *out, struct error *err);
int windows_service_legacy(const struct windows_api *api, struct windows_service *out, struct error *err);

struct windows_service_ops {
    struct windows_reply (*enumerate)(const struct windows_service *service, const char *query, DWORD timeout_ms);
    /* *out is set whenever there is a handle, also where the call failed or timed out: close it. @watch copied. */
    struct windows_reply (*create)(const struct windows_service *service, const char *id, const char *document,
                                   const struct windows_watch *watch, DWORD timeout_ms, struct windows_handle **out);
    struct windows_reply (*open)(const struct windows_service *service, const char *id, const struct windows_watch *watch,
                                 struct windows_handle **out);
    struct windows_reply (*start)(struct windows_handle *system, DWORD timeout_ms);
    struct windows_reply (*shutdown)(struct windows_handle *system, DWORD timeout_ms);
    struct windows_reply (*terminate)(struct windows_handle *system, DWORD timeout_ms);
    struct windows_reply (*pause)(struct windows_handle *system, DWORD timeout_ms);
    struct windows_reply (*resume)(struct windows_handle *system, DWORD timeout_ms);
    struct windows_reply (*properties)(struct windows_handle *system, const char *query, DWORD timeout_ms);
    struct windows_reply (*modify)(struct windows_handle *system, const char *request, DWORD timeout_ms);
    struct windows_reply (*process_create)(struct windows_handle *system, const char *parameters, const struct windows_watch *watch,
                                           DWORD timeout_ms, DWORD *pid, struct windows_streams *streams, struct windows_handle **out);
    struct windows_reply (*process_open)(struct windows_handle *system, DWORD pid, const struct windows_watch *watch,
                                         struct windows_handle **out);
    struct windows_reply (*process_signal)(struct windows_handle *process, const char *options, DWORD timeout_ms);
    struct windows_reply (*process_terminate)(struct windows_handle *process, DWORD timeout_ms);
    struct windows_reply (*process_properties)(struct windows_handle *process, DWORD timeout_ms);
    struct windows_reply (*process_modify)(struct windows_handle *process, const char *request, DWORD timeout_ms);
    void (*close)(struct windows_handle *handle); /* NULL: nothing; waits for callbacks that run */
};

/* Where it is set and becomes true, a call on this thread that waits gives up soon: it answers ERROR_CANCELLED, and the request goes on. */
extern _Thread_local const atomic_bool *windows_give_up;

static inline bool windows_is_given_up(void)
{
    return windows_give_up && atomic_load(windows_give_up);
}

void windows_streams_close(struct windows_streams *streams);

#endif
