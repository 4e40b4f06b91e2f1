/* tests/helpers/swarm_api_fixture.c – serves the API of a node that can be a manager, at the address given until it is asked to stop: what
 * the docker commands are pointed at to see that they understand us. The swarm is a store in memory that nobody schedules.
 *
 *     swarm_api_fixture unix:///tmp/x/api.sock */
#include <signal.h>

#include "tests/unit/api/swarm_fixture.h"

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
    static uv_signal_t term;
    struct error err;
    void *state;
    if (argc != 2)
        return 64;
    swarm_setup(&state);
    struct swarm *s = state;
    uv_loop_t *loop = &s->asker.fixture.loop;
    s->is_worker = true;
    s->asker.fixture.node.state = NODE_INACTIVE;
    if (api_listen(s->asker.fixture.api, argv[1], NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return error_exit_code(err.code);
    }
    uv_signal_init(loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    puts("ready");
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&term, NULL);
    swarm_teardown(&state);
    return 0;
}
