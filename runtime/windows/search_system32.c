/* runtime/windows/search_system32.c – what is shipped: the host's own DLLs, and no other. */
#include "runtime/windows/api.h"

const DWORD windows_api_search = LOAD_LIBRARY_SEARCH_SYSTEM32;
