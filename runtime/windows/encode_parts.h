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

int windows_encode_form_1(const struct document *document, const struct windows_place *place, cJSON **out, struct error *err);
int windows_encode_form_2(const struct document *document, const struct windows_place *place, cJSON **out, struct error *err);

#endif
