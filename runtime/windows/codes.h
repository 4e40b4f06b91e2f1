/* runtime/windows/codes.h – what HCS, its storage and its network answer with: each code's name, what it means, what to do about it.
 *
 * One condition has two spellings: 0x8037xxxx from computecore.dll and 0xC037xxxx from vmcompute.dll; only the low word counts. Codes of
 * Win32 arrive wrapped as 0x8007xxxx, those of the network as 0x803Bxxxx. Pure.
 *
 * Source: hcs.md §2.6 (Microsoft's "HCS error codes"), §7.3 (HCN), §6.4 and §9 for what users see. */
#ifndef SKEP_RUNTIME_WINDOWS_CODES_H
#define SKEP_RUNTIME_WINDOWS_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Low words of facility 0x37 that decide something here. */
enum windows_hcs_code {
    HCS_E_TERMINATED_DURING_START = 0x100,
    HCS_E_IMAGE_MISMATCH = 0x101,
    HCS_E_HYPERV_NOT_INSTALLED = 0x102,
    HCS_E_PENDING = 0x103, /* vmcompute's: a notification follows */
    HCS_E_INVALID_STATE = 0x105,
    HCS_E_UNEXPECTED_EXIT = 0x106,
    HCS_E_TERMINATED = 0x107,
    HCS_E_CONNECT_FAILED = 0x108,
    HCS_E_CONNECTION_TIMEOUT = 0x109,
    HCS_E_CONNECTION_CLOSED = 0x10A,
    HCS_E_INVALID_JSON = 0x10D,
    HCS_E_SYSTEM_NOT_FOUND = 0x10E,
    HCS_E_SYSTEM_ALREADY_EXISTS = 0x10F,
    HCS_E_SYSTEM_ALREADY_STOPPED = 0x110,
    HCS_E_OPERATION_PENDING = 0x117,
    HCS_E_OPERATION_TIMEOUT = 0x118,
    HCS_E_ACCESS_DENIED = 0x11B,
    HCS_E_PROCESS_INFO_NOT_AVAILABLE = 0x11D,
    HCS_E_SERVICE_DISCONNECT = 0x11E,
    HCS_E_PROCESS_ALREADY_STOPPED = 0x11F
};

enum { WINDOWS_E_SHARING = 0x20, WINDOWS_E_NOT_READY = 0x15, WINDOWS_E_NOT_CONNECTED = 0x48F, WINDOWS_E_NOT_FOUND = 0x490 };

/* Is @code (an HRESULT in either spelling) this one of HCS's, or of Win32's? */
bool windows_is_hcs(uint32_t code, enum windows_hcs_code low);
bool windows_is_win32(uint32_t code, unsigned low);
bool windows_is_hcn(uint32_t code, unsigned low);

/* Classes of codes that callers act upon. */
bool windows_is_gone(uint32_t code);      /* no such system or process (any more) */
bool windows_is_stopped(uint32_t code);   /* it does not run: a stop has nothing to do */
bool windows_is_timeout(uint32_t code);   /* no answer in time: ask what is true */
bool windows_is_lost(uint32_t code);      /* the service died or was restarted: every handle is dead */
bool windows_is_no_device(uint32_t code); /* a layer's disk is not there yet: try again */

/* The name where the code has a public one ("HCS_E_INVALID_JSON"), else "". */
const char *windows_code_name(uint32_t code);

/* Fill @err: "create: HCS answered 0x80370101 (HCS_E_IMAGE_MISMATCH): the image's build of Windows does not fit this host; use hyperv
 * isolation or an image of the host's build: <what HCS said>". @what: the call as people know it. @result: HCS's result document or NULL;
 * the messages of its events are what it said. */
int windows_error(struct error *err, const char *what, uint32_t code, const char *result);

/* The exit code that Docker's users expect of a first process that could not be run: 127 no such command, 126 it cannot be executed or its
 * user or directory is wrong, 128 anything else. */
int windows_exit_code_of(uint32_t code);

#endif
