/* api/host_facts_linux.c – see host_facts.h: os-release(5) and the cgroup hierarchy. */
#include <stdio.h>
#include <string.h>

#include "api/host_facts.h"
#include "base/file.h"

enum { OS_RELEASE_SIZE_BYTES = 16 * 1024 };

/* `KEY="value"` or `KEY=value` at the beginning of a line. */
static void take_value(const char *text, const char *key, char *out, size_t size)
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, length) != 0 || line[length] != '=')
            continue;
        const char *value = line + length + 1;
        value += *value == '"';
        snprintf(out, size, "%.*s", (int)strcspn(value, "\"\n"), value);
        return;
    }
}

void api_host_read_os(struct api_host_facts *facts)
{
    struct error ignored;
    cleanup_buf struct buf text = {0};
    facts->os_version[0] = '\0';
    if (file_read("/etc/os-release", OS_RELEASE_SIZE_BYTES, &text, &ignored) == 0 && text.size > 0) {
        take_value((const char *)text.data, "PRETTY_NAME", facts->operating_system, sizeof facts->operating_system);
        take_value((const char *)text.data, "VERSION_ID", facts->os_version, sizeof facts->os_version);
    }
    facts->cgroup_version = file_exists("/sys/fs/cgroup/cgroup.controllers") ? "2" : "1";
}
