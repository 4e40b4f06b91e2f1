/* runtime/windows/encode_parts.h – what encode.c's two forms share. */
#ifndef SKEP_RUNTIME_WINDOWS_ENCODE_PARTS_H
#define SKEP_RUNTIME_WINDOWS_ENCODE_PARTS_H

#include "runtime/windows/encode.h"

/* What a container may take, in HCS's units; 0: not limited. */
struct windows_limits {
    int64_t memory_mb, processor_count, processor_weight, processor_maximum;
};
struct windows_limits windows_limits_of(const struct document *document, const struct windows_place *place);

/* A directory of the host in the container. */
struct windows_directory {
    char *host, *container; /* owned */
    bool is_read_only;
};
/* Mounts and the directories of secrets and configs, @index from 0; false beyond the last. */
bool windows_directory_at(const struct document *document, const struct windows_place *place, size_t index, struct windows_directory *out);
void windows_directory_deinit(struct windows_directory *directory);

/* The next named pipe from *@index on: the host's path, and the name inside. */
bool windows_pipe_next(const struct document *document, size_t *index, const char **host, const char **name);

char *windows_search_list(const struct document *document); /* "corp.example,example"; NULL: none. Freed by the caller */

/* --- schema 2 --- */

enum { WINDOWS_VM_LIMIT_PER_MAXIMUM = 10 }; /* a VM's limit is in thousandths of a percent, a container's maximum in hundredths */

#define WINDOWS_PIPE_PREFIX   "\\\\.\\pipe\\"
#define WINDOWS_VM_CONTROLLER "df6d0690-79e5-55b6-a5ec-c1e2f77f580a" /* the first SCSI controller's name, hcs.md §3.4 */

void windows_add_version(cJSON *json);
cJSON *windows_system_document(const struct document *document); /* with what every one has */
cJSON *windows_registry_value(const char *key, const char *name, const char *type);
cJSON *windows_add_registry(cJSON *json);

cJSON *windows_share_settings(const struct windows_share *share);
cJSON *windows_disk_settings(const char *path);
cJSON *windows_guest_layers(const struct windows_place *place); /* the layers as the VM sees them */

/* @host as the VM sees it: below one of the place's shares, or a pipe. Freed by the caller. */
char *windows_guest_path(const struct windows_place *place, const char *host);
char *windows_guest_pipe(const char *host);

int windows_encode_form_1(const struct document *document, const struct windows_place *place, cJSON **out, struct error *err);
int windows_encode_form_2(const struct document *document, const struct windows_place *place, cJSON **out, struct error *err);

#endif
