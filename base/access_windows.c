/* base/access_windows.c – see access_windows.h. */
#include "base/access_windows.h"

#include <sddl.h>

#include "base/cleanup.h"
#include "base/system_windows.h"

int access_list_new(const wchar_t *rules, PSECURITY_DESCRIPTOR *out, PACL *list, struct error *err)
{
    BOOL is_present, is_default;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(rules, SDDL_REVISION_1, out, NULL))
        return error_set_windows(err, GetLastError(), "make an access list");
    GetSecurityDescriptorDacl(*out, &is_present, list, &is_default);
    return 0;
}

int access_sid_of(const char *name, wchar_t **out, struct error *err)
{
    cleanup_free wchar_t *wide = wide_from_utf8(name);
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD sid_size = sizeof sid, domain_count = 256;
    wchar_t domain[256];
    SID_NAME_USE use;

    if (LookupAccountNameW(NULL, wide, sid, &sid_size, domain, &domain_count, &use) && ConvertSidToStringSidW(sid, out))
        return 0;
    DWORD code = GetLastError();
    return code == ERROR_NONE_MAPPED ? error_set(err, ERR_NOT_FOUND, "there is no group %s", name)
                                     : error_set_windows(err, code, "look up the group %s", name);
}
