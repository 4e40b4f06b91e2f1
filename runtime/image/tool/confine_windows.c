/* runtime/image/tool/confine_windows.c – see confine.h. Windows has no Landlock; what it has: a job that forbids children, privileges that
 * are taken away for good, and mitigations of the process. A system that lacks one of these (an older one, Wine) goes without it. */
#include "runtime/image/tool/confine.h"

#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"

/* All that unpacking takes: to write files of others with their access lists, and to pass through directories. */
static bool is_kept(const LUID *privilege)
{
    static const wchar_t *const names[] = {L"SeBackupPrivilege", L"SeRestorePrivilege", L"SeSecurityPrivilege", L"SeChangeNotifyPrivilege",
                                           L"SeManageVolumePrivilege"};
    LUID kept;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (LookupPrivilegeValueW(NULL, names[i], &kept) && kept.LowPart == privilege->LowPart && kept.HighPart == privilege->HighPart)
            return true;
    return false;
}

static int drop_privileges(struct error *err)
{
    HANDLE token;
    DWORD size = 0;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return error_set_windows(err, GetLastError(), "open the process' token");
    GetTokenInformation(token, TokenPrivileges, NULL, 0, &size);
    cleanup_free TOKEN_PRIVILEGES *all = mem_alloc(size + sizeof *all);
    BOOL done = GetTokenInformation(token, TokenPrivileges, all, size, &size);
    DWORD dropped = 0;
    for (DWORD i = 0; done && i < all->PrivilegeCount; i++) {
        if (is_kept(&all->Privileges[i].Luid))
            continue;
        all->Privileges[dropped] = all->Privileges[i];
        all->Privileges[dropped++].Attributes = SE_PRIVILEGE_REMOVED;
    }
    all->PrivilegeCount = done ? dropped : 0;
    done = done && (dropped == 0 || AdjustTokenPrivileges(token, FALSE, all, 0, NULL, NULL));
    int failed = done ? 0 : error_set_windows(err, GetLastError(), "drop privileges");
    CloseHandle(token);
    return failed;
}

/* One process: this one. @err is set where a system that knows jobs refuses. The job's handle stays open as long as the process runs; that
 * it ends with its last handle would end us with ourselves only. */
static int forbid_children(struct error *err)
{
    HANDLE job = CreateJobObjectW(NULL, NULL);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_ACTIVE_PROCESS | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
                                  .ActiveProcessLimit = 1}};
    JOBOBJECT_BASIC_UI_RESTRICTIONS windows = {JOB_OBJECT_UILIMIT_ALL};
    if (!job)
        return error_set_windows(err, GetLastError(), "make a job");
    if (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits) ||
        !AssignProcessToJobObject(job, GetCurrentProcess())) {
        DWORD code = GetLastError();
        CloseHandle(job);
        /* Within a job that cannot be nested: whoever made that has set its limits. */
        return code == ERROR_ACCESS_DENIED ? 0 : error_set_windows(err, code, "enter a job of one process");
    }
    SetInformationJobObject(job, JobObjectBasicUIRestrictions, &windows, sizeof windows);
    return 0;
}

/* Each is for itself, and what this system does not know it refuses without harm. */
static void mitigate(void)
{
    PROCESS_MITIGATION_DYNAMIC_CODE_POLICY code = {.ProhibitDynamicCode = 1};
    PROCESS_MITIGATION_EXTENSION_POINT_DISABLE_POLICY extensions = {.DisableExtensionPoints = 1};
    PROCESS_MITIGATION_FONT_DISABLE_POLICY fonts = {.DisableNonSystemFonts = 1};
    PROCESS_MITIGATION_IMAGE_LOAD_POLICY images = {.NoRemoteImages = 1, .NoLowMandatoryLabelImages = 1, .PreferSystem32Images = 1};
    SetProcessMitigationPolicy(ProcessDynamicCodePolicy, &code, sizeof code);
    SetProcessMitigationPolicy(ProcessExtensionPointDisablePolicy, &extensions, sizeof extensions);
    SetProcessMitigationPolicy(ProcessFontDisablePolicy, &fonts, sizeof fonts);
    SetProcessMitigationPolicy(ProcessImageLoadPolicy, &images, sizeof images);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    SetDllDirectoryW(L"");
    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
}

/* Our output is a pipe to whoever started us. */
static bool is_abandoned(void)
{
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD wrote;
    return GetFileType(output) == FILE_TYPE_PIPE && !WriteFile(output, "", 0, &wrote, NULL) && GetLastError() == ERROR_NO_DATA;
}

/* Windows ends no process with its parent; the daemon does so by a job of its own that ends with its last handle (runtime/image/work.c
 * starts the tool through libuv, whose children are in one). */
int confine(const char *store_dir, bool dies_with_parent, struct error *err)
{
    (void)store_dir;
    if (dies_with_parent && is_abandoned())
        return error_set(err, ERR_CANCELED, "whoever started this is gone already");
    mitigate();
    int failed = forbid_children(err);
    if (failed == 0)
        failed = drop_privileges(err);
    return failed < 0 ? error_wrap(err, "confine") : 0;
}
