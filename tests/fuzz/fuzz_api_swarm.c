/* tests/fuzz/fuzz_api_swarm.c – whole requests at a manager's routes, over a real control on a store in memory: bodies and filters that
 * nobody sends, up to the change that they make.
 *
 * The first byte chooses the request that the rest is put into; "#" in it is the version of the object that it changes. */
#include "tests/unit/api/swarm_fixture.h"

#include "api/call.h"
#include "api/http_connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RUNS_PER_SWARM = 500 }; /* what they create is let go of then */

static struct swarm *swarm;

static void swallow(void *self, const struct bytes *pieces, size_t count)
{
    (void)self;
    (void)pieces;
    (void)count;
}

static void nothing(void *self)
{
    (void)self;
}

static void stop(void)
{
    void *state = swarm;
    if (swarm)
        swarm_teardown(&state);
    swarm = NULL;
}

static void start(void)
{
    void *state;
    struct web web;
    char id[STORE_KEY_SIZE_BYTES];
    swarm_setup(&state);
    swarm = state;
    web_init(&web, "web");
    web_create(&swarm->asked, &web, id);
}

static uint64_t version_of(char kind)
{
    const struct store *store = swarm->asked.world.store;
    struct store_cursor cursor;
    store_find(store, STORE_SERVICE, STORE_BY_NAME, "web", &cursor);
    const ProtobufCMessage *service = store_next(&cursor);
    switch (kind) {
    case 's':
        return service ? store_message_version(STORE_SERVICE, service) : 0;
    case 'n':
        return store_message_version(STORE_NODE, &store_node(store, "m1")->base);
    default:
        return store_message_version(STORE_CLUSTER, &store_cluster(store, "c1")->base);
    }
}

static void request_of(uint8_t choice, const uint8_t *data, size_t size, struct buf *out)
{
    static const char *const bodies[] = {"POST /services/create",
                                         "POST /services/web/update?version=#s",
                                         "POST /v1.29/services/web/update?registryAuthFrom=previous-spec&version=#s",
                                         "POST /nodes/hive/update?version=#n",
                                         "POST /secrets/create",
                                         "POST /configs/create",
                                         "POST /swarm/update?rotateWorkerToken=1&version=#c",
                                         "POST /swarm/init",
                                         "POST /networks/create",
                                         "POST /swarm/unlock"};
    static const char *const paths[] = {
        "GET /services?status=1&filters=", "GET /tasks?filters=", "GET /nodes?filters=", "GET /networks?filters=",
        "GET /secrets?filters=",           "GET /services/",      "DELETE /networks/",   "GET /networks/"};
    size_t body_count = sizeof bodies / sizeof *bodies, path_count = sizeof paths / sizeof *paths, i = choice % (body_count + path_count);
    if (i >= body_count) {
        buf_append_string(out, paths[i - body_count]);
        buf_append(out, data, size);
        buf_append_string(out, " HTTP/1.1\r\nHost: d\r\n\r\n");
        return;
    }
    const char *hash = strchr(bodies[i], '#');
    buf_append(out, bodies[i], hash ? (size_t)(hash - bodies[i]) : strlen(bodies[i]));
    if (hash)
        buf_append_format(out, "%llu", (unsigned long long)version_of(hash[1]));
    buf_append_format(out, " HTTP/1.1\r\nHost: d\r\nContent-Length: %zu\r\n\r\n", size);
    buf_append(out, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    if (runs == 0)
        atexit(stop);
    if (runs++ % RUNS_PER_SWARM == 0) {
        stop();
        start();
    }
    if (size == 0)
        return 0;
    cleanup_buf struct buf request = {0};
    const struct http_io io = {.write = swallow, .close = nothing, .wake = nothing};
    struct api_fixture *fixture = &swarm->asker.fixture;
    request_of(data[0], data + 1, size - 1, &request);
    struct http_connection *connection = http_connection_new(&fixture->clock, &io, api_on_request, fixture->api);
    http_connection_input(connection, buf_bytes(&request));
    for (int i = 0; i < 4; i++) { /* what is written is answered a turn later, and may ask on */
        world_settle(&swarm->asked.world);
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    http_connection_eof(connection);
    http_connection_free(connection);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    return 0;
}
