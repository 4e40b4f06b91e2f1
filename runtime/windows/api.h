/* runtime/windows/api.h – the functions of computecore.dll, vmcompute.dll, computestorage.dll and computenetwork.dll, found at run time.
 *
 * Nothing is linked against them: a host may lack any of the four, and any function that came with a later build. What is missing is NULL
 * here; whoever needs it asks windows_api_need, whose error names the function, its DLL and the build it comes with.
 *
 * Where they are looked for is the program's choice, made by linking one of two files: search_system32.c (what is shipped: a DLL planted
 * beside the program is never loaded) or search_application.c (tests: the emulated HCS beside the program, and nothing else).
 *
 * Source: hcs.md §1; signatures after mingw-w64's computecore.h, computestorage.h, computenetwork.h, and for vmcompute.dll hcs.md §1.4. */
#ifndef SKEP_RUNTIME_WINDOWS_API_H
#define SKEP_RUNTIME_WINDOWS_API_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

#include <computedefs.h>

#include "base/error.h"
#include "base/system_windows.h"

typedef void *HCN_HANDLE;

/* vmcompute's layers: which driver, and one element of a parent chain. */
struct windows_driver_info {
    int flavour; /* 1: the filter driver */
    PCWSTR home;
};
struct windows_layer_descriptor {
    GUID id;
    ULONG flags;
    PCWSTR path;
};
typedef const struct windows_driver_info *DRIVER_INFO;
typedef const struct windows_layer_descriptor *LAYERS;

/* clang-format off */
#define COMPUTECORE(X) /* function, result, parameters, first build */ \
    X(HcsCreateOperation, HCS_OPERATION, (const void *, HCS_OPERATION_COMPLETION), 17763) \
    X(HcsCloseOperation, void, (HCS_OPERATION), 17763) \
    X(HcsWaitForOperationResult, HRESULT, (HCS_OPERATION, DWORD, PWSTR *), 17763) \
    X(HcsWaitForOperationResultAndProcessInfo, HRESULT, (HCS_OPERATION, DWORD, HCS_PROCESS_INFORMATION *, PWSTR *), 17763) \
    X(HcsCancelOperation, HRESULT, (HCS_OPERATION), 17763) \
    X(HcsEnumerateComputeSystems, HRESULT, (PCWSTR, HCS_OPERATION), 17763) \
    X(HcsCreateComputeSystem, HRESULT, (PCWSTR, PCWSTR, HCS_OPERATION, const SECURITY_DESCRIPTOR *, HCS_SYSTEM *), 17763) \
    X(HcsOpenComputeSystem, HRESULT, (PCWSTR, DWORD, HCS_SYSTEM *), 17763) \
    X(HcsCloseComputeSystem, void, (HCS_SYSTEM), 17763) \
    X(HcsStartComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsShutDownComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsTerminateComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsPauseComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsResumeComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsGetComputeSystemProperties, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsModifyComputeSystem, HRESULT, (HCS_SYSTEM, HCS_OPERATION, PCWSTR, HANDLE), 17763) \
    X(HcsSetComputeSystemCallback, HRESULT, (HCS_SYSTEM, HCS_EVENT_OPTIONS, const void *, HCS_EVENT_CALLBACK), 17763) \
    X(HcsCreateProcess, HRESULT, (HCS_SYSTEM, PCWSTR, HCS_OPERATION, const SECURITY_DESCRIPTOR *, HCS_PROCESS *), 17763) \
    X(HcsOpenProcess, HRESULT, (HCS_SYSTEM, DWORD, DWORD, HCS_PROCESS *), 17763) \
    X(HcsCloseProcess, void, (HCS_PROCESS), 17763) \
    X(HcsTerminateProcess, HRESULT, (HCS_PROCESS, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsSignalProcess, HRESULT, (HCS_PROCESS, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsGetProcessInfo, HRESULT, (HCS_PROCESS, HCS_OPERATION), 17763) \
    X(HcsGetProcessProperties, HRESULT, (HCS_PROCESS, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsModifyProcess, HRESULT, (HCS_PROCESS, HCS_OPERATION, PCWSTR), 17763) \
    X(HcsSetProcessCallback, HRESULT, (HCS_PROCESS, HCS_EVENT_OPTIONS, void *, HCS_EVENT_CALLBACK), 17763) \
    X(HcsGetServiceProperties, HRESULT, (PCWSTR, PWSTR *), 17763) \
    X(HcsModifyServiceSettings, HRESULT, (PCWSTR, PWSTR *), 17763) \
    X(HcsGrantVmAccess, HRESULT, (PCWSTR, PCWSTR), 17763)

#define VMCOMPUTE(X) \
    X(HcsEnumerateComputeSystems, HRESULT, (PCWSTR, PWSTR *, PWSTR *), 14393) \
    X(HcsCreateComputeSystem, HRESULT, (PCWSTR, PCWSTR, HANDLE, HCS_SYSTEM *, PWSTR *), 14393) \
    X(HcsOpenComputeSystem, HRESULT, (PCWSTR, HCS_SYSTEM *, PWSTR *), 14393) \
    X(HcsCloseComputeSystem, HRESULT, (HCS_SYSTEM), 14393) \
    X(HcsStartComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsShutdownComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsTerminateComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsPauseComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsResumeComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsGetComputeSystemProperties, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *, PWSTR *), 14393) \
    X(HcsModifyComputeSystem, HRESULT, (HCS_SYSTEM, PCWSTR, PWSTR *), 14393) \
    X(HcsRegisterComputeSystemCallback, HRESULT, (HCS_SYSTEM, HCS_NOTIFICATION_CALLBACK, void *, HCS_CALLBACK *), 14393) \
    X(HcsUnregisterComputeSystemCallback, HRESULT, (HCS_CALLBACK), 14393) \
    X(HcsCreateProcess, HRESULT, (HCS_SYSTEM, PCWSTR, HCS_PROCESS_INFORMATION *, HCS_PROCESS *, PWSTR *), 14393) \
    X(HcsOpenProcess, HRESULT, (HCS_SYSTEM, DWORD, HCS_PROCESS *, PWSTR *), 14393) \
    X(HcsCloseProcess, HRESULT, (HCS_PROCESS), 14393) \
    X(HcsTerminateProcess, HRESULT, (HCS_PROCESS, PWSTR *), 14393) \
    X(HcsSignalProcess, HRESULT, (HCS_PROCESS, PCWSTR, PWSTR *), 14393) \
    X(HcsGetProcessProperties, HRESULT, (HCS_PROCESS, PWSTR *, PWSTR *), 14393) \
    X(HcsModifyProcess, HRESULT, (HCS_PROCESS, PCWSTR, PWSTR *), 14393) \
    X(HcsRegisterProcessCallback, HRESULT, (HCS_PROCESS, HCS_NOTIFICATION_CALLBACK, void *, HCS_CALLBACK *), 14393) \
    X(HcsUnregisterProcessCallback, HRESULT, (HCS_CALLBACK), 14393) \
    X(CreateSandboxLayer, HRESULT, (DRIVER_INFO, PCWSTR, PCWSTR, LAYERS, ULONG), 14393) \
    X(ExpandSandboxSize, HRESULT, (DRIVER_INFO, PCWSTR, UINT64), 14393) \
    X(ActivateLayer, HRESULT, (DRIVER_INFO, PCWSTR), 14393) \
    X(DeactivateLayer, HRESULT, (DRIVER_INFO, PCWSTR), 14393) \
    X(PrepareLayer, HRESULT, (DRIVER_INFO, PCWSTR, LAYERS, ULONG), 14393) \
    X(UnprepareLayer, HRESULT, (DRIVER_INFO, PCWSTR), 14393) \
    X(GetLayerMountPath, HRESULT, (DRIVER_INFO, PCWSTR, SIZE_T *, PWSTR), 14393) \
    X(ImportLayer, HRESULT, (DRIVER_INFO, PCWSTR, PCWSTR, LAYERS, ULONG), 14393) \
    X(DestroyLayer, HRESULT, (DRIVER_INFO, PCWSTR), 14393) \
    X(NameToGuid, HRESULT, (PCWSTR, GUID *), 14393) \
    X(ProcessBaseImage, HRESULT, (PCWSTR), 14393) \
    X(ProcessUtilityImage, HRESULT, (PCWSTR), 14393) \
    X(GrantVmAccess, HRESULT, (PCWSTR, PCWSTR), 14393) \
    X(HNSCall, HRESULT, (PCWSTR, PCWSTR, PCWSTR, PWSTR *), 14393)

#define COMPUTESTORAGE(X) \
    X(HcsImportLayer, HRESULT, (PCWSTR, PCWSTR, PCWSTR), 17763) \
    X(HcsDestroyLayer, HRESULT, (PCWSTR), 17763) \
    X(HcsSetupBaseOSLayer, HRESULT, (PCWSTR, HANDLE, PCWSTR), 17763) \
    X(HcsInitializeWritableLayer, HRESULT, (PCWSTR, PCWSTR, PCWSTR), 17763) \
    X(HcsAttachLayerStorageFilter, HRESULT, (PCWSTR, PCWSTR), 17763) \
    X(HcsDetachLayerStorageFilter, HRESULT, (PCWSTR), 17763) \
    X(HcsFormatWritableLayerVhd, HRESULT, (HANDLE), 17763) \
    X(HcsGetLayerVhdMountPath, HRESULT, (HANDLE, PWSTR *), 17763) \
    X(HcsSetupBaseOSVolume, HRESULT, (PCWSTR, PCWSTR, PCWSTR), 19645) \
    X(HcsAttachOverlayFilter, HRESULT, (PCWSTR, PCWSTR), 26100) \
    X(HcsDetachOverlayFilter, HRESULT, (PCWSTR, PCWSTR), 26100)

#define COMPUTENETWORK(X) \
    X(HcnEnumerateNetworks, HRESULT, (PCWSTR, PWSTR *, PWSTR *), 17763) \
    X(HcnCreateNetwork, HRESULT, (REFGUID, PCWSTR, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnOpenNetwork, HRESULT, (REFGUID, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnQueryNetworkProperties, HRESULT, (HCN_HANDLE, PCWSTR, PWSTR *, PWSTR *), 17763) \
    X(HcnDeleteNetwork, HRESULT, (REFGUID, PWSTR *), 17763) \
    X(HcnCloseNetwork, HRESULT, (HCN_HANDLE), 17763) \
    X(HcnCreateNamespace, HRESULT, (REFGUID, PCWSTR, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnOpenNamespace, HRESULT, (REFGUID, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnQueryNamespaceProperties, HRESULT, (HCN_HANDLE, PCWSTR, PWSTR *, PWSTR *), 17763) \
    X(HcnModifyNamespace, HRESULT, (HCN_HANDLE, PCWSTR, PWSTR *), 17763) \
    X(HcnDeleteNamespace, HRESULT, (REFGUID, PWSTR *), 17763) \
    X(HcnCloseNamespace, HRESULT, (HCN_HANDLE), 17763) \
    X(HcnEnumerateEndpoints, HRESULT, (PCWSTR, PWSTR *, PWSTR *), 17763) \
    X(HcnCreateEndpoint, HRESULT, (HCN_HANDLE, REFGUID, PCWSTR, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnOpenEndpoint, HRESULT, (REFGUID, HCN_HANDLE *, PWSTR *), 17763) \
    X(HcnQueryEndpointProperties, HRESULT, (HCN_HANDLE, PCWSTR, PWSTR *, PWSTR *), 17763) \
    X(HcnDeleteEndpoint, HRESULT, (REFGUID, PWSTR *), 17763) \
    X(HcnCloseEndpoint, HRESULT, (HCN_HANDLE), 17763)
/* clang-format on */

#define X(name, result, parameters, build) result(WINAPI *name) parameters;
struct windows_computecore {
    COMPUTECORE(X)
};
struct windows_vmcompute {
    VMCOMPUTE(X)
};
struct windows_computestorage {
    COMPUTESTORAGE(X)
};
struct windows_computenetwork {
    COMPUTENETWORK(X)
};
#undef X

struct windows_api {
    HMODULE modules[4];
    struct windows_computecore core;
    struct windows_vmcompute vm;
    struct windows_computestorage storage;
    struct windows_computenetwork network;
    bool has_core, has_vm, has_storage, has_network; /* the DLL is there */
};

/* The flags of LoadLibraryEx that say where to look; defined by the file that the program links. */
extern const DWORD windows_api_search;

/* Never fails: what is not there is missing. The DLLs stay loaded for good: their callbacks may come at any time. */
void windows_api_load(struct windows_api *api);

/* ERR_UNSUPPORTED where @function is NULL: "computenetwork.dll has no HcnCreateNetwork: it comes with Windows build 17763". @what: for what
 * it is needed. */
int windows_api_need(const void *function, const char *dll, const char *name, const char *what, struct error *err);

/* Text for the API and back; the latter frees what the API gave (NULL gives NULL). Freed by the caller. */
char *windows_take(PWSTR text);

void windows_guid_text(const GUID *guid, char out[37]); /* lower case, without braces */
bool windows_guid_parse(const char *text, GUID *out);

#endif
