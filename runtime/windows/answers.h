/* runtime/windows/answers.h – what HCS's documents say: properties, statistics, exits. Pure; members that are missing or strange are taken
 * as not known, since old builds leave many away.
 *
 * Source: hcs.md §2.4 and §3.8, after the schema's sections Properties, Statistics, ProcessStatus and SystemExitStatus. */
#ifndef SKEP_RUNTIME_WINDOWS_ANSWERS_H
#define SKEP_RUNTIME_WINDOWS_ANSWERS_H

#include "base/arena.h"
#include "runtime/hcs.h"

/* HCS's own words for a system's state, and one for what cannot be read. */
enum windows_state { WINDOWS_UNKNOWN, WINDOWS_CREATED, WINDOWS_RUNNING, WINDOWS_PAUSED, WINDOWS_STOPPED };

struct windows_answer {
    const char *id, *owner, *runtime_id; /* "" where not known */
    enum windows_state state;
    bool has_statistics;
    struct hcs_statistics statistics;
};

/* One Properties document. Strings live in @arena. ERR_PEER when it is no JSON object. */
int windows_read_properties(const char *text, struct arena *arena, struct windows_answer *out, struct error *err);

/* An array of them, from an enumeration. */
int windows_read_systems(const char *text, struct arena *arena, struct windows_answer **out, size_t *count, struct error *err);

/* A ProcessStatus: has it exited, and how. A code that HCS does not vouch for is -1, as 4294967295 is to Docker. */
struct windows_process_status {
    bool has_exited;
    int64_t exit_code; /* 0 to 4294967295; -1: not known */
};
struct windows_process_status windows_read_process_status(const char *text);

/* What the guest of a utility VM says it can, in GuestConnectionInfo. One that says nothing at all can both; one that names no versions can
 * schema 2. */
struct windows_guest {
    bool has_schema_2, takes_namespaces;
};
struct windows_guest windows_read_guest(const char *text);

/* The credential guards in a service's properties: an array, or NULL where there is none. Freed by the caller. */
cJSON *windows_read_guards(const char *text);

/* A SystemExitStatus as a sentence for people, beginning with @what ("the container ended against its will"); NULL when it went as it
 * should. Freed by the caller. */
char *windows_read_exit(const char *text, const char *what);

#endif
