/* runtime/windows/search_application.c – tests: the emulated HCS beside the program, and no other. */
#include "runtime/windows/api.h"

const DWORD windows_api_search = LOAD_LIBRARY_SEARCH_APPLICATION_DIR;
