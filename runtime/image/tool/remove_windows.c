/* runtime/image/tool/remove_windows.c – see remove.h. */
#include <windows.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/system_windows.h"
#include "runtime/image/tool/remove.h"

enum { ATTEMPTS = 20, PAUSE_MS = 100 };

typedef HRESULT(WINAPI *destroy_layer)(const wchar_t *path);

/* A virus scanner or a search service may hold it for a moment. */
static bool is_passing(HRESULT result)
{
    return result == HRESULT_FROM_WIN32(ERROR_ACCESS_DENIED) || result == HRESULT_FROM_WIN32(ERROR_SHARING_VIOLATION);
}

/* computestorage.dll is there from build 17763 on, and only where containers are installed: without it no layer was ever set up. */
int layer_remove(const char *path, struct error *err)
{
    cleanup_free wchar_t *wide = wide_path(path);
    if (GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES)
        return 0;
    HMODULE library = LoadLibraryExW(L"computestorage.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!library)
        return file_remove_tree(path, err);
    HRESULT result = S_OK;
    destroy_layer destroy = (destroy_layer)(void *)GetProcAddress(library, "HcsDestroyLayer");
    for (int i = 0; destroy && i < ATTEMPTS; i++) {
        result = destroy(wide);
        if (!is_passing(result))
            break;
        Sleep(PAUSE_MS);
    }
    FreeLibrary(library);
    if (!destroy)
        return file_remove_tree(path, err);
    return SUCCEEDED(result) ? 0
                             : error_set_windows(err, HRESULT_FACILITY(result) == FACILITY_WIN32 ? HRESULT_CODE(result) : (DWORD)result,
                                                 "remove the layer %s", path);
}
