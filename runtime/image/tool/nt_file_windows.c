/* runtime/image/tool/nt_file_windows.c – see nt_file_windows.h. */
#include "runtime/image/tool/nt_file_windows.h"

#include <winioctl.h>
#include <winternl.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/system_windows.h"

#ifndef FILE_OPEN_REPARSE_POINT
#define FILE_OPEN_REPARSE_POINT 0x00200000
#endif
#ifndef BACKUP_SECURITY_INFORMATION
#define BACKUP_SECURITY_INFORMATION 0x00010000
#endif

/* What mingw-w64 has no prototype for. */
NTSYSAPI WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR unit);
NTSYSAPI NTSTATUS NTAPI NtSetEaFile(HANDLE file, PIO_STATUS_BLOCK status, PVOID chain, ULONG size);

struct link_information {
    BOOLEAN replaces;
    HANDLE directory;
    ULONG name_size;
    WCHAR name[];
};

static DWORD code_of(NTSTATUS status)
{
    return status >= 0 ? ERROR_SUCCESS : RtlNtStatusToDosError(status);
}

static const struct {
    ACCESS_MASK access;
    ULONG disposition, options;
} forms[] = {
    [NT_DIRECTORY] = {FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_READ_ATTRIBUTES |
                          FILE_WRITE_ATTRIBUTES,
                      FILE_OPEN_IF, FILE_DIRECTORY_FILE},
    [NT_WALK] = {FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_READ_ATTRIBUTES, FILE_OPEN,
                 FILE_DIRECTORY_FILE},
    [NT_NEW_DIRECTORY] = {FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | FILE_WRITE_DATA, FILE_CREATE,
                          FILE_DIRECTORY_FILE},
    [NT_NEW_FILE] = {GENERIC_READ | GENERIC_WRITE, FILE_CREATE, FILE_NON_DIRECTORY_FILE},
    [NT_FILE] = {FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, FILE_OPEN, FILE_NON_DIRECTORY_FILE},
    [NT_OVERWRITE_FILE] = {GENERIC_READ | GENERIC_WRITE, FILE_OVERWRITE_IF, FILE_NON_DIRECTORY_FILE},
    [NT_REMOVE] = {DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE},
};

DWORD nt_open(HANDLE directory, const char *name, enum nt_open how, bool with_security, HANDLE *out)
{
    cleanup_free wchar_t *wide = wide_from_utf8(name);
    UNICODE_STRING text;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK status;
    ACCESS_MASK access = forms[how].access | SYNCHRONIZE;
    if (with_security)
        access |= GENERIC_READ | GENERIC_WRITE | WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY;
    RtlInitUnicodeString(&text, wide);
    InitializeObjectAttributes(&attributes, &text, OBJ_CASE_INSENSITIVE, directory, NULL);
    return code_of(NtCreateFile(out, access, &attributes, &status, NULL, FILE_ATTRIBUTE_NORMAL,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, forms[how].disposition,
                                forms[how].options | FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_NONALERT,
                                NULL, 0));
}

DWORD nt_link(HANDLE file, HANDLE directory, const char *name)
{
    cleanup_free wchar_t *wide = wide_from_utf8(name);
    size_t name_size = wcslen(wide) * sizeof *wide, size = sizeof(struct link_information) + name_size;
    cleanup_free struct link_information *information = mem_alloc(size);
    IO_STATUS_BLOCK status;
    information->directory = directory;
    information->name_size = (ULONG)name_size;
    memcpy(information->name, wide, name_size);
    return code_of(NtSetInformationFile(file, &status, information, (ULONG)size, FileLinkInformation));
}

DWORD nt_write(HANDLE file, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        DWORD part = size > 1 << 30 ? 1 << 30 : (DWORD)size, wrote;
        if (!WriteFile(file, at, part, &wrote, NULL))
            return GetLastError();
        at += wrote;
        size -= wrote;
    }
    return ERROR_SUCCESS;
}

DWORD nt_set_security(HANDLE file, const void *descriptor)
{
    PSECURITY_DESCRIPTOR self_relative = (PSECURITY_DESCRIPTOR)(uintptr_t)descriptor;
    BOOL is_present, is_defaulted;
    PACL list;
    PSID sid;
    SECURITY_INFORMATION parts = BACKUP_SECURITY_INFORMATION;
    if (GetSecurityDescriptorOwner(self_relative, &sid, &is_defaulted) && sid)
        parts |= OWNER_SECURITY_INFORMATION;
    if (GetSecurityDescriptorGroup(self_relative, &sid, &is_defaulted) && sid)
        parts |= GROUP_SECURITY_INFORMATION;
    if (GetSecurityDescriptorDacl(self_relative, &is_present, &list, &is_defaulted) && is_present)
        parts |= DACL_SECURITY_INFORMATION;
    if (GetSecurityDescriptorSacl(self_relative, &is_present, &list, &is_defaulted) && is_present)
        parts |= SACL_SECURITY_INFORMATION;
    return SetKernelObjectSecurity(file, parts, self_relative) ? ERROR_SUCCESS : GetLastError();
}

DWORD nt_set_eas(HANDLE file, const void *chain, size_t size)
{
    IO_STATUS_BLOCK status;
    return code_of(NtSetEaFile(file, &status, (void *)(uintptr_t)chain, (ULONG)size));
}

DWORD nt_set_reparse(HANDLE file, const void *data, size_t size)
{
    DWORD returned;
    return DeviceIoControl(file, FSCTL_SET_REPARSE_POINT, (void *)(uintptr_t)data, (DWORD)size, NULL, 0, &returned, NULL) ? ERROR_SUCCESS
                                                                                                                          : GetLastError();
}

unsigned short nt_upper_case(unsigned short unit)
{
    return RtlUpcaseUnicodeChar(unit);
}
