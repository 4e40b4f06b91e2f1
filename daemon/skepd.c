/* daemon/skepd.c – main: read the configuration, claim the directories, start the daemon, run the loop until a signal says to stop. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/host.h"

enum { TRIM_FIRST_MS = 1000, TRIM_EVERY_MS = 10000 }; /* how long what a burst of work has left is kept */

struct process {
    uv_signal_t interrupt, terminate, reload;
    uv_timer_t trim;
    struct daemon *daemon;
    int argc;
    char **argv;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;
    log_info("skepd", "stopping on %s; containers go on running", number == SIGINT ? "SIGINT" : "SIGTERM");
    host_notify("STOPPING=1");
    uv_close((uv_handle_t *)&process->interrupt, NULL); /* a second one ends us at once */
    uv_close((uv_handle_t *)&process->terminate, NULL);
    uv_close((uv_handle_t *)&process->reload, NULL);
    uv_close((uv_handle_t *)&process->trim, NULL);
    daemon_stop(process->daemon);
}

/* The flags are what they were; the file may have changed. One that is wrong changes nothing. */
static void on_reload(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;
    struct config fresh;
    struct error err = {0};
    (void)number;
    host_notify("RELOADING=1");
    if (config_read(process->argc, process->argv, &fresh, &err) < 0)
        log_error("skepd", "the configuration stays as it was: %s", err.message);
    else
        daemon_reload(process->daemon, &fresh);
    config_deinit(&fresh);
    host_notify("READY=1");
}

static void watch(uv_loop_t *loop, uv_signal_t *handle, int number, uv_signal_cb on_number, struct process *process)
{
    uv_signal_init(loop, handle);
    handle->data = process;
    uv_signal_start(handle, on_number, number);
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
        watch(&loop, &process.interrupt, SIGINT, on_signal, &process);
        watch(&loop, &process.terminate, SIGTERM, on_signal, &process);
        watch(&loop, &process.reload, SIGHUP, on_reload, &process);
        uv_timer_init(&loop, &process.trim);
        uv_timer_start(&process.trim, on_trim, TRIM_FIRST_MS, TRIM_EVERY_MS);
        log_info("skepd", "skepd " SKEP_VERSION " is ready");
        host_notify("READY=1");
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

int main(int argc, char **argv)
{
    struct config config;
    struct error err = {0};
    argv = uv_setup_args(argc, argv);
    host_prepare_process();
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
