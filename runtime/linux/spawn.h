/* runtime/linux/spawn.h – run a program that leaves a daemon behind and ends itself: conmon. From a worker thread. Its output goes nowhere:
 * the daemon would keep it open. */
#ifndef SKEP_RUNTIME_LINUX_SPAWN_H
#define SKEP_RUNTIME_LINUX_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* @dir is where it runs: conmon leaves a file there when memory ran out. @passed_fd becomes its descriptor 3; @variable ("K=V") is its
 * environment beside PATH. The exit code (128 + signal) of the program that was run, not of its daemon. ERR_NOT_FOUND when there is no such
 * program, naming it; ERR_DEADLINE, or ERR_CANCELED once @stop_fd is readable (it is killed then), ERR_IO. */
int spawn_daemon(const char *const *argv, const char *dir, int passed_fd, const char *variable, uint32_t timeout_ms, int stop_fd,
                 int *exit_code, struct error *err);

#endif
