/* api/host_facts_windows.c – see host_facts.h: the product's name and version as the registry has them, in dockerd's form. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/host_facts.h"
#include "base/system_windows.h"

/* "Microsoft Windows Server Version 21H2 (OS Build 20348.2322)"; the version is "10.0.20348.2322". */
void api_host_read_os(struct api_host_facts *facts)
{
    char kind[64], display[32], build[16];
    unsigned revision = version_read_number(L"UBR"), major = version_read_number(L"CurrentMajorVersionNumber");

    version_read_text(L"InstallationType", kind, sizeof kind); /* "Client", "Server", "Server Core", "Nano Server" */
    version_read_text(L"DisplayVersion", display, sizeof display);
    if (display[0] == '\0')
        version_read_text(L"ReleaseId", display, sizeof display);
    version_read_text(L"CurrentBuildNumber", build, sizeof build);
    bool is_server = strncmp(kind, "Server", 6) == 0 || strcmp(kind, "Nano Server") == 0;
    snprintf(facts->operating_system, sizeof facts->operating_system, "Microsoft Windows%s%s%s (OS Build %s.%u)",
             is_server ? " Server" : "", display[0] ? " Version " : "", display, build, revision);
    snprintf(facts->kernel_version, sizeof facts->kernel_version, "%u.0 %s", major, build);
    snprintf(facts->os_version, sizeof facts->os_version, "%u.0.%s.%u", major, build, revision);
    facts->cgroup_version = "";
}
