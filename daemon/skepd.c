/* daemon/skepd.c – main: read the configuration, claim the directories, start the daemon, run the loop until a signal says to stop. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/host.h"

enum { TRIM_FIRST_MS = 1000, TRIM_EVERY_MS = 10000 }; /* how long what a burst of work has left is kept */

struct process {
    uv_signal_t interrupt, terminate;
    uv_timer_t trim;
    struct daemon *daemon;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;
    log_info("skepd", "stopping on %s; containers go on running", number == SIGINT ? "SIGINT" : "SIGTERM");
    host_notify("STOPPING=1");
    uv_close((uv_handle_t *)&process->interrupt, NULL); /* a second one ends us at once */
    uv_close((uv_handle_t *)&process->terminate, NULL);
    uv_close((uv_handle_t *)&process->trim, NULL);
    daemon_stop(process->daemon);
}

static void watch(uv_loop_t *loop, uv_signal_t *handle, int number, struct process *process)
{
    uv_signal_init(loop, handle);
    handle->data = process;
    uv_signal_start(handle, on_signal, number);
}

static void on_trim(uv_timer_t *timer)
{
    (void)timer;
    host_trim_memory();
}

static int run(const struct config *config, struct error *err)
{
    if (host_claim_directory(config->state_dir, err) < 0 || host_claim_directory(config->run_dir, err) < 0)
        return err->code;
    uv_loop_t loop;
    struct process process = {0};
    uv_loop_init(&loop);
    int failed = daemon_start(config, &loop, &process.daemon, err);
    if (failed == 0) {
        watch(&loop, &process.interrupt, SIGINT, &process);
        watch(&loop, &process.terminate, SIGTERM, &process);
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
        code = run(&config, &err) < 0 ? fail(&err) : 0;
    }
    config_deinit(&config);
    return code;
}
