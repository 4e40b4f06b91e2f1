/* runtime/windows/schema.c – see schema.h. */
#include "runtime/windows/schema.h"

#include <stdlib.h>
#include <string.h>

static const struct windows_schema schemas[] = {
#define X(build, name, process, hyperv, minor, pipes, update)                                                                              \
    {(build), (name), (enum windows_form)(process), (enum windows_form)(hyperv), (minor), (pipes), (update)},
    WINDOWS_SCHEMAS(X)
#undef X
};

int windows_schema_for(uint32_t build, const struct windows_schema **out, struct error *err)
{
    if (build < WINDOWS_BUILD_MIN)
        return error_set(err, ERR_UNSUPPORTED, "this Windows (build %u) cannot run containers: requires build %d or later", build,
                         WINDOWS_BUILD_MIN);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (schemas[i].first_build <= build)
            *out = &schemas[i];
    return 0;
}

/* Process isolation without computecore.dll: vmcompute.dll takes documents of schema 2 as well, hcs.md §1.4. */
enum windows_form windows_form_for(const struct windows_schema *schema, enum isolation isolation, bool has_core, uint32_t image_build)
{
    if (isolation != ISOLATION_HYPERV)
        return schema->process_form;
    return has_core && (image_build == 0 || image_build >= WINDOWS_BUILD_COMPUTECORE) ? schema->hyperv_form : WINDOWS_FORM_1;
}

uint32_t windows_build_of(const char *os_version)
{
    const char *dot = os_version ? strchr(os_version, '.') : NULL;

    dot = dot ? strchr(dot + 1, '.') : NULL;
    return dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
}
