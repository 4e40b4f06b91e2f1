/* runtime/linux/command.h – run a program of the host to its end from a worker thread: nft, iptables, crun. */
#ifndef SKEP_RUNTIME_LINUX_COMMAND_H
#define SKEP_RUNTIME_LINUX_COMMAND_H

#include "base/buf.h"

/* Run @argv (NULL-terminated; argv[0] looked for in PATH) with @input on its standard input (may be empty). Its standard output and error
 * together are appended to @output (may be NULL) up to COMMAND_OUTPUT_BYTES. Its environment is our PATH alone. Blocks, for at most
 * @timeout_ms: then it is killed. Returns its exit code (128 + signal where one ended it), or a negative code: ERR_NOT_FOUND (no such
 * program), ERR_DEADLINE, ERR_IO. */
int command_run(const char *const *argv, struct bytes input, unsigned timeout_ms, struct buf *output, struct error *err);

/* The same where anything but exit code 0 is an error: "nft: exit code 1: <the line that says why>". */
int command_must(const char *const *argv, struct bytes input, unsigned timeout_ms, struct error *err);

/* Both, given up with ERR_CANCELED as soon as @stop_fd is readable (-1: never): the program is killed then. */
int command_run_until(const char *const *argv, struct bytes input, unsigned timeout_ms, int stop_fd, struct buf *output, struct error *err);
int command_must_until(const char *const *argv, struct bytes input, unsigned timeout_ms, int stop_fd, struct error *err);

#endif
