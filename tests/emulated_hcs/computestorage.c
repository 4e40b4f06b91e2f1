/* tests/emulated_hcs/computestorage.c – the emulated computestorage.dll: what is given is looked at, and nothing is done. hcs.md §1.5. */
#include "tests/emulated_hcs/client.h"

#include <computestorage.h>

static HRESULT check(PCWSTR path)
{
    return GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES ? (HRESULT)0x80070003 : S_OK;
}

HRESULT WINAPI HcsImportLayer(PCWSTR layer, PCWSTR source, PCWSTR data)
{
    (void)data;
    CreateDirectoryW(layer, NULL);
    return check(source);
}

HRESULT WINAPI HcsExportLayer(PCWSTR layer, PCWSTR folder, PCWSTR data, PCWSTR options)
{
    (void)folder;
    (void)data;
    (void)options;
    return check(layer);
}

HRESULT WINAPI HcsDestroyLayer(PCWSTR layer)
{
    return check(layer);
}

HRESULT WINAPI HcsSetupBaseOSLayer(PCWSTR layer, HANDLE vhd, PCWSTR options)
{
    (void)vhd;
    (void)options;
    return check(layer);
}

HRESULT WINAPI HcsInitializeWritableLayer(PCWSTR layer, PCWSTR data, PCWSTR options)
{
    (void)data;
    (void)options;
    return check(layer);
}

HRESULT WINAPI HcsAttachLayerStorageFilter(PCWSTR layer, PCWSTR data)
{
    (void)data;
    return check(layer);
}

HRESULT WINAPI HcsDetachLayerStorageFilter(PCWSTR layer)
{
    return check(layer);
}

HRESULT WINAPI HcsFormatWritableLayerVhd(HANDLE vhd)
{
    return vhd ? S_OK : E_INVALIDARG;
}
