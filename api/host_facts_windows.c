/* api/host_facts_windows.c – see host_facts.h: the product's name and version as the registry has them, in dockerd's form. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "api/host_facts.h"
#include "base/wide_windows.h"

static const wchar_t version_key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

static void read_text(const wchar_t *name, char *out, size_t size)
{
    wchar_t value[128];
    DWORD bytes = sizeof value;

    out[0] = '\0';
    if (RegGetValueW(HKEY_LOCAL_MACHINE, version_key, name, RRF_RT_REG_SZ, NULL, value, &bytes) == ERROR_SUCCESS)
        wide_copy(value, out, size);
}

/* "Microsoft Windows Server Version 21H2 (OS Build 20348.2322)"; the version is "10.0.20348.2322". */
void api_host_read_os(struct api_host_facts *facts)
{
    char kind[64], display[32], build[16];
    DWORD revision = 0, major = 10, size = sizeof revision;

    read_text(L"InstallationType", kind, sizeof kind); /* "Client", "Server", "Server Core", "Nano Server" */
    read_text(L"DisplayVersion", display, sizeof display);
    if (display[0] == '\0')
        read_text(L"ReleaseId", display, sizeof display);
    read_text(L"CurrentBuildNumber", build, sizeof build);
    RegGetValueW(HKEY_LOCAL_MACHINE, version_key, L"UBR", RRF_RT_REG_DWORD, NULL, &revision, &size);
    size = sizeof major;
    RegGetValueW(HKEY_LOCAL_MACHINE, version_key, L"CurrentMajorVersionNumber", RRF_RT_REG_DWORD, NULL, &major, &size);
    bool is_server = strncmp(kind, "Server", 6) == 0 || strcmp(kind, "Nano Server") == 0;
    snprintf(facts->operating_system, sizeof facts->operating_system, "Microsoft Windows%s%s%s (OS Build %s.%lu)",
             is_server ? " Server" : "", display[0] ? " Version " : "", display, build, revision);
    snprintf(facts->kernel_version, sizeof facts->kernel_version, "%lu.0 %s", major, build);
    snprintf(facts->os_version, sizeof facts->os_version, "%lu.0.%s.%lu", major, build, revision);
    facts->cgroup_version = "";
}
