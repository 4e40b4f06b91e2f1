/* manager/read_logs.c – the host's own reading of tasks' logs: from the broker where this manager leads, else from whoever does, one
 * message at a time. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/inside.h"
#include "proto/message.h"

struct manager_logs {
    struct log_reader reader;
    struct log_subscription *here; /* one of these two, until it is over */
    struct grpc_call *there;
    ProtobufCMessage *waiting; /* from there: the reader had no room for it */
    struct error err;          /* the leader's last word, behind what waits */
    bool has_ended, has_err, is_closed;
};

static void end(struct manager_logs *logs, const struct error *err)
{
    struct log_reader reader = logs->reader;

    if (logs->waiting)
        message_free(logs->waiting);
    bool is_closed = logs->is_closed;
    free(logs);
    if (!is_closed)
        reader.end(reader.ctx, err);
}

/* --- here --- */

static int deliver(void *ctx, const Docker__Swarmkit__V1__SubscribeLogsMessage *message, struct error *err)
{
    struct manager_logs *logs = ctx;
    return logs->reader.deliver(logs->reader.ctx, message, err);
}

static void ended_here(void *ctx, const struct error *err)
{
    end(ctx, err);
}

/* --- at the leader --- */

static void on_message(struct grpc_call *call, ProtobufCMessage *message, void *ctx)
{
    struct manager_logs *logs = ctx;
    struct error err = {0};
    int failed = logs->is_closed ? 0 : deliver(logs, (const void *)message, &err);

    if (failed == ERR_AGAIN) {
        logs->waiting = message_copy(message);
        grpc_call_pause(call, true);
    } else if (failed < 0) {
        logs->has_err = true;
        logs->err = err;
        grpc_call_cancel(call);
    }
}

static void on_done(struct grpc_call *call, const struct grpc_status *status, void *ctx)
{
    struct manager_logs *logs = ctx;

    (void)call;
    logs->there = NULL;
    logs->has_ended = true;
    if (status->code != GRPC_OK && !logs->has_err) {
        logs->has_err = true;
        logs->err = status->error;
    }
    if (logs->waiting == NULL || logs->is_closed)
        end(logs, logs->has_err ? &logs->err : NULL);
}

static int ask_leader(struct manager *manager, struct manager_logs *logs, const Docker__Swarmkit__V1__SubscribeLogsRequest *request,
                      struct error *err)
{
    static const struct grpc_call_handlers handlers = {.on_message = on_message, .on_done = on_done};
    struct grpc_channel *leader;

    if (gate_leader(manager, &leader, err) < 0)
        return err->code;
    logs->there = grpc_call_start(leader, METHOD(Logs, SubscribeLogs), NULL, &handlers, logs);
    if (grpc_call_send(logs->there, &request->base, err) < 0) {
        logs->is_closed = true;
        grpc_call_cancel(logs->there); /* its end frees */
        return err->code;
    }
    grpc_call_send_end(logs->there);
    return 0;
}

/* --- both --- */

int manager_logs_open(struct manager *manager, const Docker__Swarmkit__V1__SubscribeLogsRequest *request, const struct log_reader *reader,
                      struct manager_logs **out, struct error *err)
{
    struct manager_logs *logs = mem_alloc(sizeof *logs);
    struct log_broker *broker = manager_is_leading(manager) ? parts_log_broker(manager) : NULL;
    const struct log_reader own = {.deliver = deliver, .end = ended_here, .ctx = logs};

    logs->reader = *reader;
    int failed = broker ? log_broker_subscribe(broker, request, &own, &logs->here, err) : ask_leader(manager, logs, request, err);
    if (failed < 0) {
        if (logs->there == NULL)
            free(logs);
        return failed;
    }
    *out = logs;
    return 0;
}

void manager_logs_writable(struct manager_logs *logs)
{
    struct error err = {0};

    if (logs->here) {
        log_subscription_writable(logs->here);
        return;
    }
    if (logs->waiting == NULL || deliver(logs, (const void *)logs->waiting, &err) == ERR_AGAIN)
        return;
    message_free(logs->waiting);
    logs->waiting = NULL;
    if (logs->there)
        grpc_call_pause(logs->there, false);
    else
        end(logs, logs->has_err ? &logs->err : NULL);
}

void manager_logs_close(struct manager_logs *logs)
{
    logs->is_closed = true;
    if (logs->here) {
        log_subscription_close(logs->here);
        end(logs, NULL);
    } else if (logs->there) {
        grpc_call_cancel(logs->there);
    } else {
        end(logs, NULL);
    }
}
