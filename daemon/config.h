/* daemon/config.h – what skepd was told: flags and the configuration file, merged and checked as a whole before anything starts.
 *
 * One list of options serves both: a flag `--label k=v` is the member "label": ["k=v"] of the file. A flag given wins over the file; lists
 * add up. An unknown member or flag, a value that cannot be, or two that cannot be together are refused by name. */
#ifndef SKEP_DAEMON_CONFIG_H
#define SKEP_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

#define CONFIG_LIST_COUNT 64 /* values of one list option */

/* X(field, flag, kind, argument, help). Kinds: TEXT one string, LIST strings, CHOICE one of the words in `argument`, DURATION, SWITCH. */
#define CONFIG_OPTIONS(X)                                                                                                                  \
    X(config_file, "config", TEXT, "FILE", "read options from this JSON file first")                                                       \
    X(state_dir, "state-dir", TEXT, "DIR", "what must outlast a reboot: identity, tasks, images, containers")                              \
    X(run_dir, "run-dir", TEXT, "DIR", "what a reboot may lose: secrets, namespaces, sockets")                                             \
    X(hosts, "host", LIST, "ADDRESS", "where the API listens: unix:///PATH, on Windows npipe:////./pipe/NAME; may be given several times") \
    X(group, "group", TEXT, "GROUP", "the group that may use the API's sockets; default: docker, where there is one")                      \
    X(metrics_addr, "metrics-addr", TEXT, "HOST:PORT", "where /metrics and /health are answered over TCP, to anyone; default: nowhere")    \
    X(hostname, "hostname", TEXT, "NAME", "the node's name in the swarm; default: the host's")                                             \
    X(labels, "label", LIST, "KEY=VALUE", "an engine label; may be given several times")                                                   \
    X(runtime, "runtime", CHOICE, "auto|emulated", "emulated runs nothing: containers are pretended, for tests")                           \
    X(emulated_host, "emulated-host", TEXT, "KEY=VALUE,…",                                                                                 \
      "what an emulated runtime pretends to run on: os, arch, build, product, isolation")                                                  \
    X(default_isolation, "default-isolation", CHOICE, "process|hyperv", "the isolation of tasks that ask for none")                        \
    X(bridge, "bridge", TEXT, "NAME", "the bridge that containers are attached to; made when missing")                                     \
    X(bridge_subnet, "bridge-subnet", TEXT, "CIDR", "the addresses of containers on the bridge")                                           \
    X(cgroup_parent, "cgroup-parent", TEXT, "NAME", "the cgroup that containers are put below")                                            \
    X(insecure_registries, "insecure-registry", LIST, "HOST[:PORT]", "a registry that may be spoken to without TLS")                       \
    X(image_gc_interval, "image-gc-interval", DURATION, "DURATION", "how often superseded images are removed; 0s: never")                  \
    X(log_format, "log-format", CHOICE, "text|json", "how events are written to standard error")                                           \
    X(log_level, "log-level", CHOICE, "debug|info|warn|error", "the least important event that is written")                                \
    X(clock_offset, "clock-offset", DURATION, "DURATION", "run the wall clock this far ahead (for tests of expiry)")

struct config_list {
    char *values[CONFIG_LIST_COUNT];
    size_t count;
};

typedef char *config_TEXT;
typedef struct config_list config_LIST;
typedef char *config_CHOICE;
typedef int64_t config_DURATION; /* nanoseconds */

struct config {
#define X(field, flag, kind, argument, help) config_##kind field;
    CONFIG_OPTIONS(X)
#undef X
    bool show_help, show_version, check_only;
};

/* Fill @config from argv (and the file it names) over the defaults of this host. ERR_INVALID naming the flag or member; @config may then be
 * deinited all the same. */
int config_read(int argc, char **argv, struct config *config, struct error *err);
void config_deinit(struct config *config);

void config_print_help(FILE *out);

/* The flags of options that differ and cannot be changed while it runs, ", " between them; NULL: none. Freed by the caller. */
char *config_fixed_changes(const struct config *before, const struct config *after);

enum log_format config_log_format(const struct config *config);
enum log_level config_log_level(const struct config *config);

/* Where things are on this kind of host: config_defaults_linux.c and its peers. */
struct config_defaults {
    const char *state_dir, *run_dir;
    const char *group; /* taken where the host has it; one that is asked for must be there */
};
const struct config_defaults *config_defaults(void);

#endif
