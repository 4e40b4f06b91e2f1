/* agent/session_wire.h – one connection to a manager and the calls on it, for agent/session_driver.h: what starts gets a tag, what comes
 * back carries it.
 *
 * One TLS connection carries everything: Session, Assignments, Heartbeat, ListenSubscriptions, UpdateTaskStatus, PublishLogs. Closing it
 * silences all of it at once. */
#ifndef SKEP_AGENT_SESSION_WIRE_H
#define SKEP_AGENT_SESSION_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>
#include <uv.h>

#include "agent/log_publisher.h"
#include "base/clock.h"
#include "base/random.h"

struct grpc_channel;
struct session_wire;
struct tls_credentials;

/* X(name, service, method, deadline in ms; 0: none) */
#define WIRE_CALLS(X)                                                                                                                      \
    X(SESSION, Dispatcher, Session, 0)                                                                                                     \
    X(ASSIGNMENTS, Dispatcher, Assignments, 0)                                                                                             \
    X(HEARTBEAT, Dispatcher, Heartbeat, HEARTBEAT_TIMEOUT_MS)                                                                              \
    X(REPORT, Dispatcher, UpdateTaskStatus, STATUS_TIMEOUT_MS)                                                                             \
    X(SUBSCRIPTIONS, LogBroker, ListenSubscriptions, 0)                                                                                    \
    X(PUBLISH, LogBroker, PublishLogs, 0)

enum wire_call {
#define X(name, service, method, deadline_ms) WIRE_##name,
    WIRE_CALLS(X)
#undef X
};

/* All come from the loop, none from inside a function of this header. */
struct session_wire_listener {
    void (*on_ready)(void *ctx, uint32_t tag);
    void (*on_failed)(void *ctx, uint32_t tag, const char *why);
    void (*on_message)(void *ctx, enum wire_call kind, uint32_t tag, ProtobufCMessage *message);       /* borrowed */
    void (*on_ended)(void *ctx, enum wire_call kind, uint32_t tag, int grpc_status, const char *text); /* all but PUBLISH */
    void (*on_publish_writable)(void *ctx, void *publication);
    void (*on_publish_ended)(void *ctx, void *publication, int grpc_status, const char *text);
    void *ctx;
};

struct session_wire_options {
    uv_loop_t *loop;
    struct clock clock;
    struct random random;
    struct tls_credentials *credentials; /* borrowed */
    struct session_wire_listener listener;
};

struct session_wire *session_wire_new(const struct session_wire_options *options);
void session_wire_free(struct session_wire *wire); /* closes; no callback afterwards */

/* Connect to "host:port" in place of any connection there is. */
int session_wire_dial(struct session_wire *wire, const char *addr, uint32_t tag, struct error *err);
void session_wire_close(struct session_wire *wire);

/* Start a call with its one request. The packed form is for what is packed already. */
void session_wire_call(struct session_wire *wire, enum wire_call kind, uint32_t tag, const ProtobufCMessage *request);
void session_wire_call_packed(struct session_wire *wire, enum wire_call kind, uint32_t tag, struct bytes request);
void session_wire_cancel(struct session_wire *wire, enum wire_call kind); /* all of a kind, without an on_ended */

struct log_sink session_wire_log_sink(struct session_wire *wire);

/* The connection while it is ready, NULL otherwise. Borrowed until control returns to the loop. */
struct grpc_channel *session_wire_channel(const struct session_wire *wire);

#endif
