/* api/socket_windows.c – see socket.h: a named pipe, for administrators, SYSTEM and one group. */
#include "api/socket.h"

#include <aclapi.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/access_windows.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"
#include "base/text.h"

const char *const socket_default_address = "npipe:////./pipe/skep";

char *socket_path(const char *address, struct error *err)
{
    static const char scheme[] = "npipe://", root[] = "//./pipe/";
    const char *path = address + sizeof scheme - 1;

    if (text_starts(address, scheme) && text_starts(path, root) && path[sizeof root - 1] && !strpbrk(path + sizeof root - 1, "/\\"))
        return mem_format("\\\\.\\pipe\\%s", path + sizeof root - 1);
    error_set(err, ERR_INVALID, "%s: only npipe:////./pipe/NAME is spoken here", address);
    return NULL;
}

/* Asks for an instance without taking one. Wine and Windows both answer: a pipe that is there, free or busy, has a server. */
int socket_claim(const char *path, struct error *err)
{
    cleanup_free wchar_t *name = wide_from_utf8(path);

    if (WaitNamedPipeW(name, 1) || GetLastError() == ERROR_SEM_TIMEOUT)
        return error_set(err, ERR_EXISTS, "another daemon listens at %s", path);
    return 0;
}

/* Whoever may use the pipe may do all that the API does: nobody else's, whatever they inherit. */
static int build_rules(const char *group, PSECURITY_DESCRIPTOR *out, PACL *list, struct error *err)
{
    wchar_t *sid = NULL, rules[512];

    if (group && access_sid_of(group, &sid, err) < 0)
        return err->code;
    swprintf(rules, sizeof rules / sizeof *rules, L"D:P(A;;GA;;;BA)(A;;GA;;;SY)%ls%ls%ls", sid ? L"(A;;GRGW;;;" : L"", sid ? sid : L"",
             sid ? L")" : L"");
    LocalFree(sid);
    return access_list_new(rules, out, list, err);
}

/* The list belongs to the pipe, not to one instance of it: what is set on the first one holds for all that libuv makes later. */
int socket_protect(const uv_pipe_t *pipe, const char *path, const char *group, struct error *err)
{
    PSECURITY_DESCRIPTOR descriptor;
    PACL list;

    if (build_rules(group, &descriptor, &list, err) < 0)
        return err->code;
    DWORD failed = SetSecurityInfo(pipe->pipe.serv.accept_reqs[0].pipeHandle, SE_KERNEL_OBJECT,
                                   DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL);
    LocalFree(descriptor);
    return failed ? error_set_windows(err, failed, "protect %s", path) : 0;
}
