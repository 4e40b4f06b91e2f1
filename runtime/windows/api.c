/* runtime/windows/api.c – see api.h. */
#include "runtime/windows/api.h"

#include <combaseapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct entry {
    const char *dll, *name;
    unsigned build;
} entries[] = {
#define X(name, result, parameters, build) {"computecore.dll", #name, (build)},
    COMPUTECORE(X)
#undef X
#define X(name, result, parameters, build) {"computestorage.dll", #name, (build)},
        COMPUTESTORAGE(X)
#undef X
#define X(name, result, parameters, build) {"computenetwork.dll", #name, (build)},
            COMPUTENETWORK(X)
#undef X
#define X(name, result, parameters, build) {"vmcompute.dll", #name, (build)},
                VMCOMPUTE(X)
#undef X
};

/* A function's address as the pointer that it is. */
#define FIND(table, name)                                                                                                                  \
    do {                                                                                                                                   \
        FARPROC address = GetProcAddress(module, #name);                                                                                   \
        memcpy(&(table).name, &address, sizeof address);                                                                                   \
    } while (0);

static HMODULE load(const WCHAR *name, bool *is_there)
{
    HMODULE module = LoadLibraryExW(name, NULL, windows_api_search);

    *is_there = module != NULL;
    return module;
}

void windows_api_load(struct windows_api *api)
{
    HMODULE module;

    *api = (struct windows_api){0};
    if ((api->modules[0] = module = load(L"computecore.dll", &api->has_core)) != NULL) {
#define X(name, result, parameters, build) FIND(api->core, name)
        COMPUTECORE(X)
#undef X
    }
    if ((api->modules[1] = module = load(L"vmcompute.dll", &api->has_vm)) != NULL) {
#define X(name, result, parameters, build) FIND(api->vm, name)
        VMCOMPUTE(X)
#undef X
    }
    if ((api->modules[2] = module = load(L"computestorage.dll", &api->has_storage)) != NULL) {
#define X(name, result, parameters, build) FIND(api->storage, name)
        COMPUTESTORAGE(X)
#undef X
    }
    if ((api->modules[3] = module = load(L"computenetwork.dll", &api->has_network)) != NULL) {
#define X(name, result, parameters, build) FIND(api->network, name)
        COMPUTENETWORK(X)
#undef X
    }
}

int windows_api_need(const void *function, const char *dll, const char *name, const char *what, struct error *err)
{
    const struct entry *found = NULL;

    if (function)
        return 0;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0] && !found; i++)
        if (strcmp(entries[i].name, name) == 0 && strcmp(entries[i].dll, dll) == 0)
            found = &entries[i];
    return error_set(err, ERR_UNSUPPORTED, "%s: this host's %s has no %s: it comes with Windows build %u and the Containers feature", what,
                     dll, name, found ? found->build : 0);
}

char *windows_take(PWSTR text)
{
    char *narrow = utf8_from_wide(text);

    if (text)
        CoTaskMemFree(text);
    return narrow;
}

void windows_guid_text(const GUID *g, char out[37])
{
    snprintf(out, 37, "%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", (unsigned long)g->Data1, g->Data2, g->Data3, g->Data4[0],
             g->Data4[1], g->Data4[2], g->Data4[3], g->Data4[4], g->Data4[5], g->Data4[6], g->Data4[7]);
}

bool windows_guid_parse(const char *text, GUID *out)
{
    unsigned parts[11];
    int length = 0;

    if (sscanf(text, "%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5], &parts[6],
               &parts[7], &parts[8], &parts[9], &parts[10], &length) != 11 ||
        length != 36 || text[36] != '\0')
        return false;
    *out = (GUID){.Data1 = parts[0], .Data2 = (WORD)parts[1], .Data3 = (WORD)parts[2]};
    for (int i = 0; i < 8; i++)
        out->Data4[i] = (BYTE)parts[3 + i];
    return true;
}
