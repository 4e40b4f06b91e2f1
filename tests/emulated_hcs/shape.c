/* tests/emulated_hcs/shape.c – the members that HCS's documents may have, by path, and the type of each. Source: hcs.md §3.1–§3.10. */
#include <stdlib.h>
#include <string.h>

#include "tests/emulated_hcs/server.h"

/* s text, b true or false, n number, o object, a array, * anything; "[]" stands for every item. */
#define REGISTRY(above)                                                                                                                    \
    "o", above "RegistryChanges", "a", above "RegistryChanges.AddValues", "o", above "RegistryChanges.AddValues[]", "o",                   \
        above "RegistryChanges.AddValues[].Key", "s", above "RegistryChanges.AddValues[].Key.Hive", "s",                                   \
        above "RegistryChanges.AddValues[].Key.Name", "s", above "RegistryChanges.AddValues[].Name", "s",                                  \
        above "RegistryChanges.AddValues[].Type", "s", above "RegistryChanges.AddValues[].StringValue", "n",                               \
        above "RegistryChanges.AddValues[].DWordValue",

#define VM     "VirtualMachine."
#define SOCKET VM "Devices.HvSocket.HvSocketConfig"
#define SHARES VM "Devices.VirtualSmb.Shares"
#define VIRTUAL_MACHINE                                                                                                                    \
    "o", "VirtualMachine", "b", VM "StopOnReset", "o", VM "Chipset", "o", VM "Chipset.Uefi", "o", VM "Chipset.Uefi.BootThis", "s",         \
        VM "Chipset.Uefi.BootThis.DeviceType", "s", VM "Chipset.Uefi.BootThis.DevicePath", "o", VM "ComputeTopology", "o",                 \
        VM "ComputeTopology.Memory", "n", VM "ComputeTopology.Memory.SizeInMB", "b", VM "ComputeTopology.Memory.AllowOvercommit", "b",     \
        VM "ComputeTopology.Memory.EnableHotHint", "o", VM "ComputeTopology.Processor", "n", VM "ComputeTopology.Processor.Count", "n",    \
        VM "ComputeTopology.Processor.Limit", "n", VM "ComputeTopology.Processor.Weight", REGISTRY(VM) "o", VM "Devices", "o",             \
        VM "Devices.Scsi", "o", VM "Devices.Scsi.?", "o", VM "Devices.Scsi.?.Attachments", "o", VM "Devices.Scsi.?.Attachments.?", "s",    \
        VM "Devices.Scsi.?.Attachments.?.Type", "s", VM "Devices.Scsi.?.Attachments.?.Path", "o", VM "Devices.HvSocket", "o", SOCKET, "s", \
        SOCKET ".DefaultBindSecurityDescriptor", "o", SOCKET ".ServiceTable", "o", SOCKET ".ServiceTable.?", "s",                          \
        SOCKET ".ServiceTable.?.BindSecurityDescriptor", "s", SOCKET ".ServiceTable.?.ConnectSecurityDescriptor", "b",                     \
        SOCKET ".ServiceTable.?.AllowWildcardBinds", "o", VM "Devices.VirtualSmb", "n", VM "Devices.VirtualSmb.DirectFileMappingInMB",     \
        "a", SHARES, "o", SHARES "[]", "s", SHARES "[].Name", "s", SHARES "[].Path", "o", SHARES "[].Options", "b",                        \
        SHARES "[].Options.ReadOnly", "b", SHARES "[].Options.ShareRead", "b", SHARES "[].Options.CacheIo", "b",                           \
        SHARES "[].Options.PseudoOplocks", "b", SHARES "[].Options.TakeBackupPrivilege", "o", VM "GuestConnection",

static const char *const version_2[] = {"o",
                                        "",
                                        "s",
                                        "Owner",
                                        "o",
                                        "SchemaVersion",
                                        "n",
                                        "SchemaVersion.Major",
                                        "n",
                                        "SchemaVersion.Minor",
                                        "s",
                                        "HostingSystemId",
                                        "*",
                                        "HostedSystem",
                                        "b",
                                        "ShouldTerminateOnLastHandleClosed",
                                        VIRTUAL_MACHINE "o",
                                        "Container",
                                        "o",
                                        "Container.GuestOs",
                                        "s",
                                        "Container.GuestOs.HostName",
                                        "o",
                                        "Container.Storage",
                                        "s",
                                        "Container.Storage.Path",
                                        "a",
                                        "Container.Storage.Layers",
                                        "o",
                                        "Container.Storage.Layers[]",
                                        "s",
                                        "Container.Storage.Layers[].Id",
                                        "s",
                                        "Container.Storage.Layers[].Path",
                                        "s",
                                        "Container.Storage.Layers[].PathType",
                                        "o",
                                        "Container.Storage.QoS",
                                        "n",
                                        "Container.Storage.QoS.IopsMaximum",
                                        "n",
                                        "Container.Storage.QoS.BandwidthMaximum",
                                        "a",
                                        "Container.MappedDirectories",
                                        "o",
                                        "Container.MappedDirectories[]",
                                        "s",
                                        "Container.MappedDirectories[].HostPath",
                                        "s",
                                        "Container.MappedDirectories[].ContainerPath",
                                        "b",
                                        "Container.MappedDirectories[].ReadOnly",
                                        "a",
                                        "Container.MappedPipes",
                                        "o",
                                        "Container.MappedPipes[]",
                                        "s",
                                        "Container.MappedPipes[].HostPath",
                                        "s",
                                        "Container.MappedPipes[].ContainerPipeName",
                                        "o",
                                        "Container.Memory",
                                        "n",
                                        "Container.Memory.SizeInMB",
                                        "o",
                                        "Container.Processor",
                                        "n",
                                        "Container.Processor.Count",
                                        "n",
                                        "Container.Processor.Maximum",
                                        "n",
                                        "Container.Processor.Weight",
                                        "o",
                                        "Container.Networking",
                                        "b",
                                        "Container.Networking.AllowUnqualifiedDnsQuery",
                                        "s",
                                        "Container.Networking.DnsSearchList",
                                        "s",
                                        "Container.Networking.Namespace",
                                        "o",
                                        "Container.ContainerCredentialGuard",
                                        "s",
                                        "Container.ContainerCredentialGuard.Cookie",
                                        "s",
                                        "Container.ContainerCredentialGuard.RpcEndpoint",
                                        "s",
                                        "Container.ContainerCredentialGuard.Transport",
                                        "s",
                                        "Container.ContainerCredentialGuard.CredentialSpec",
                                        REGISTRY("Container.") NULL};

static const char *const version_1[] = {"o", "",
                                        "s", "SystemType",
                                        "s", "Name",
                                        "s", "Owner",
                                        "s", "VolumePath",
                                        "s", "LayerFolderPath",
                                        "a", "Layers",
                                        "o", "Layers[]",
                                        "s", "Layers[].ID",
                                        "s", "Layers[].Path",
                                        "b", "HvPartition",
                                        "o", "HvRuntime",
                                        "s", "HvRuntime.ImagePath",
                                        "b", "HvRuntime.SkipTemplate",
                                        "b", "IgnoreFlushesDuringBoot",
                                        "s", "HostName",
                                        "s", "Credentials",
                                        "n", "ProcessorCount",
                                        "n", "ProcessorWeight",
                                        "n", "ProcessorMaximum",
                                        "n", "MemoryMaximumInMB",
                                        "n", "StorageIOPSMaximum",
                                        "n", "StorageBandwidthMaximum",
                                        "a", "MappedDirectories",
                                        "o", "MappedDirectories[]",
                                        "s", "MappedDirectories[].HostPath",
                                        "s", "MappedDirectories[].ContainerPath",
                                        "b", "MappedDirectories[].ReadOnly",
                                        "n", "MappedDirectories[].BandwidthMaximum",
                                        "n", "MappedDirectories[].IOPSMaximum",
                                        "b", "MappedDirectories[].CreateInUtilityVM",
                                        "a", "MappedPipes",
                                        "o", "MappedPipes[]",
                                        "s", "MappedPipes[].HostPath",
                                        "s", "MappedPipes[].ContainerPipeName",
                                        "a", "EndpointList",
                                        "s", "EndpointList[]",
                                        "b", "AllowUnqualifiedDNSQuery",
                                        "s", "DNSSearchList",
                                        "b", "TerminateOnLastHandleClosed",
                                        NULL};

static const char *const process[] = {"o", "",
                                      "s", "ApplicationName",
                                      "s", "CommandLine",
                                      "s", "User",
                                      "s", "WorkingDirectory",
                                      "o", "Environment",
                                      "s", "Environment.?",
                                      "b", "RestrictedToken",
                                      "b", "EmulateConsole",
                                      "b", "CreateStdInPipe",
                                      "b", "CreateStdOutPipe",
                                      "b", "CreateStdErrPipe",
                                      "a", "ConsoleSize",
                                      "n", "ConsoleSize[]",
                                      NULL};

static bool fits(const cJSON *json, char type)
{
    switch (type) {
    case 's':
        return cJSON_IsString(json);
    case 'b':
        return cJSON_IsBool(json);
    case 'n':
        return cJSON_IsNumber(json);
    case 'o':
        return cJSON_IsObject(json);
    case 'a':
        return cJSON_IsArray(json);
    default:
        return true;
    }
}

static char type_of(const char *const *shape, const char *path)
{
    for (; *shape; shape += 2)
        if (strcmp(shape[1], path) == 0)
            return shape[0][0];
    return 0;
}

static char *check(const cJSON *json, const char *const *shape, const char *path)
{
    char type = type_of(shape, path), *problem = NULL;
    const cJSON *child;
    bool is_map = false;

    if (!type)
        return text_format("unknown member %s", path);
    if (!fits(json, type))
        return text_format("member %s is of another type", path);
    if (type == '*')
        return NULL;
    char *any = text_format("%s.?", path);
    is_map = type_of(shape, any) != 0;
    cJSON_ArrayForEach (child, json) {
        char *below = is_map          ? text_of(any)
                      : child->string ? text_format("%s%s%s", path, path[0] ? "." : "", child->string)
                                      : text_format("%s[]", path);
        problem = check(child, shape, below);
        free(below);
        if (problem)
            break;
    }
    free(any);
    return problem;
}

char *shape_check(const cJSON *json, const char *const *shape)
{
    return check(json, shape, "");
}

/* What is in a VM is described as what is on the host, but for whose it is. */
static char *check_hosted(const cJSON *hosted)
{
    const cJSON *child;

    cJSON_ArrayForEach (child, hosted)
        if (strcmp(child->string, "SchemaVersion") != 0 && strcmp(child->string, "Container") != 0)
            return text_format("unknown member HostedSystem.%s", child->string);
    return check(hosted, version_2, "");
}

char *shape_check_system(const cJSON *document)
{
    bool is_1 = cJSON_GetObjectItemCaseSensitive(document, "SystemType") != NULL;
    int kinds = 0;
    char *problem = check(document, is_1 ? version_1 : version_2, "");
    static const char *const exclusive[] = {"Container", "VirtualMachine", "HostedSystem"};

    for (size_t i = 0; i < 3; i++)
        kinds += cJSON_GetObjectItemCaseSensitive(document, exclusive[i]) != NULL;
    if (!problem && !is_1 && kinds != 1)
        problem = text_of("a system is one of Container, VirtualMachine and HostedSystem");
    const cJSON *hosted = cJSON_GetObjectItemCaseSensitive(document, "HostedSystem");
    if (!problem && (hosted != NULL) != (cJSON_GetObjectItemCaseSensitive(document, "HostingSystemId") != NULL))
        problem = text_of("HostedSystem and HostingSystemId go together");
    if (!problem && hosted)
        problem = check_hosted(hosted);
    return problem;
}

char *shape_check_process(const cJSON *document)
{
    return check(document, process, "");
}
