/* runtime/linux/conmon.h – hand a bundle to conmon, which runs crun and stays behind as the container's parent. On a worker. */
#ifndef SKEP_RUNTIME_LINUX_CONMON_H
#define SKEP_RUNTIME_LINUX_CONMON_H

#include "runtime/linux/linux.h"

/* The container is created but not started yet when this succeeds; both processes are in @run. ERR_NOT_FOUND when conmon or crun is not
 * installed, ERR_PEER with crun's own message, ERR_DEADLINE, ERR_CANCELED when the start is not wanted any more. */
int conmon_launch(const struct linux_system *system, struct linux_run *run, struct error *err);

/* How conmon is called for @system, to run @crun (borrowed): program and arguments, NULL at the end; they live in @arena. Pure. */
const char *const *conmon_arguments(const struct linux_system *system, const char *crun, struct arena *arena);

/* conmon's answer, a line of JSON: {"data": pid}. ERR_PEER with crun's message where the pid is none, ERR_INVALID where it is no JSON.
 * Pure. */
int conmon_read_answer(struct bytes text, pid_t *pid, struct error *err);

#define CONMON_PID_FILE "conmon.pid"
#define CONMON_EXIT_DIR "exit"

#endif
