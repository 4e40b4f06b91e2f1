/* runtime/windows/search_application.c – tests: the emulated HCS beside the program. What that stands on itself is the host's. */
#include "runtime/windows/api.h"

const DWORD windows_api_search = LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
