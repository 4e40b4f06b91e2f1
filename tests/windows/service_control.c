/* tests/windows/service_control.c – `service_control NAME CODE`: sends a service a control, as `sc control` does, which Wine's sc cannot;
 * prints the error's number, 0 when it was taken. With CODE `preshutdown-ms` it prints how long the host would wait for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static DWORD print_wait(SC_HANDLE service)
{
    SERVICE_PRESHUTDOWN_INFO info = {0};
    DWORD size = 0;

    if (!QueryServiceConfig2A(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, (BYTE *)&info, sizeof info, &size))
        return GetLastError();
    printf("%lu\n", info.dwPreshutdownTimeout);
    return 0;
}

int main(int argc, char **argv)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = argc == 3 && manager ? OpenServiceA(manager, argv[1], SERVICE_ALL_ACCESS) : NULL;
    SERVICE_STATUS status = {0};
    DWORD code = 0;

    if (!service)
        code = GetLastError();
    else if (strcmp(argv[2], "preshutdown-ms") == 0)
        code = print_wait(service);
    else if (!ControlService(service, (DWORD)atoi(argv[2]), &status))
        code = GetLastError();
    printf("%lu\n", code);
    return code != 0;
}
