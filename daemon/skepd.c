/* daemon/skepd.c – main: read the configuration, claim the directories, start the daemon, run the loop until someone says to stop. */
#include <stdio.h>

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/host.h"
#include "daemon/supervisor.h"

enum { DRAIN_LOOK_MS = 250, DRAIN_SAY_MS = 2000 };

enum { TRIM_FIRST_MS = 1000, TRIM_EVERY_MS = 10000 }; /* how long what a burst of work has left is kept */

struct process {
    uv_timer_t trim, drain;
    uint64_t drain_began_ms, drain_said_ms;
    bool is_draining;
    struct supervisor_watch *watch;
    struct daemon *daemon;
    int argc;
    char **argv;
};

static void stop(struct process *process)
{
    supervisor_tell(SUPERVISOR_STOPPING);
    supervisor_unwatch(process->watch); /* who asks again ends us at once */
    uv_close((uv_handle_t *)&process->trim, NULL);
    uv_close((uv_handle_t *)&process->drain, NULL);
    daemon_stop(process->daemon);
}

/* --- tasks first --- */

static void on_drain(uv_timer_t *timer)
{
    struct process *process = timer->data;
    uint64_t now_ms = uv_now(timer->loop), lasted_ms = now_ms - process->drain_began_ms;
    size_t running = 0;
    bool is_done = daemon_is_drained(process->daemon, &running);
    if (!is_done && lasted_ms < SUPERVISOR_DRAIN_MS) {
        if (now_ms - process->drain_said_ms >= DRAIN_SAY_MS) {
            process->drain_said_ms = now_ms;
            supervisor_tell(SUPERVISOR_STOPPING);
        }
        return;
    }
    if (running > 0)
        log_warn("skepd", "%zu tasks have not stopped within %d s: left to the host's end", running, SUPERVISOR_DRAIN_MS / 1000);
    else
        log_info("skepd", "the node's tasks have stopped%s", is_done ? "" : "; the managers did not hear of all of them");
    stop(process);
}

static void drain(struct process *process, const char *why)
{
    if (process->is_draining)
        return;
    log_info("skepd", "stopping on %s: the node's tasks first", why);
    process->is_draining = true;
    process->drain_began_ms = process->drain_said_ms = uv_now(process->drain.loop);
    supervisor_tell(SUPERVISOR_STOPPING);
    daemon_drain(process->daemon);
    uv_timer_start(&process->drain, on_drain, 0, DRAIN_LOOK_MS);
}

/* The flags are what they were; the file may have changed. One that is wrong changes nothing. */
static void reload(struct process *process)
{
    struct config fresh;
    struct error err = {0};
    supervisor_tell(SUPERVISOR_RELOADING);
    if (config_read(process->argc, process->argv, &fresh, &err) < 0)
        log_error("skepd", "the configuration stays as it was: %s", err.message);
    else
        daemon_reload(process->daemon, &fresh);
    config_deinit(&fresh);
    supervisor_tell(SUPERVISOR_READY);
}

static void on_request(void *ctx, enum supervisor_request request, const char *why)
{
    if (request == SUPERVISOR_STOP) {
        log_info("skepd", "stopping on %s; containers go on running", why);
        stop(ctx);
    } else if (request == SUPERVISOR_DRAIN) {
        drain(ctx, why);
    } else if (!((struct process *)ctx)->is_draining) {
        reload(ctx);
    }
}

static void on_trim(uv_timer_t *timer)
{
    (void)timer;
    host_trim_memory();
}

static int run(const struct config *config, int argc, char **argv, struct error *err)
{
    if (host_claim_directory(config->state_dir, err) < 0 || host_claim_directory(config->run_dir, err) < 0)
        return err->code;
    uv_loop_t loop;
    struct process process = {.argc = argc, .argv = argv};
    uv_loop_init(&loop);
    int failed = daemon_start(config, &loop, &process.daemon, err);
    if (failed == 0) {
        process.watch = supervisor_watch(&loop, on_request, &process);
        uv_timer_init(&loop, &process.trim);
        uv_timer_init(&loop, &process.drain);
        process.drain.data = &process;
        uv_timer_start(&process.trim, on_trim, TRIM_FIRST_MS, TRIM_EVERY_MS);
        log_info("skepd", "skepd " SKEP_VERSION " is ready");
        supervisor_tell(SUPERVISOR_READY);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return failed;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "skepd: %s\n", err->message);
    return error_exit_code(err->code);
}

static int skepd(int argc, char **argv)
{
    struct config config;
    struct error err = {0};
    int failed = config_read(argc, argv, &config, &err);
    int code = failed < 0 ? fail(&err) : 0;
    if (failed == 0 && config.show_help)
        config_print_help(stdout);
    else if (failed == 0 && config.show_version)
        puts("skepd " SKEP_VERSION);
    else if (failed == 0 && !config.check_only) {
        log_init(config_log_format(&config), config_log_level(&config), stderr);
        code = run(&config, argc, argv, &err) < 0 ? fail(&err) : 0;
    }
    config_deinit(&config);
    return code;
}

int main(int argc, char **argv)
{
    argv = uv_setup_args(argc, argv);
    host_prepare_process();
    return supervisor_main(argc, argv, skepd);
}
