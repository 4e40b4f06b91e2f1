/* base/guard_windows.c – see guard.h: DPAPI, under the machine's key, so that the service and a person at the console read the same file.
 * Who may read that file is its access list's business; what DPAPI adds is that a copy of the disk is worth nothing. */
#include "base/guard.h"

#include <string.h>
#include <windows.h>

#include <dpapi.h>

#include "base/mem.h"
#include "base/system_windows.h"

static const char head[] = "SKEP-DPAPI-1\n";

enum { HEAD_SIZE_BYTES = sizeof head - 1 };

int guard_seal(struct bytes clear, struct buf *out, struct error *err)
{
    DATA_BLOB in = {.cbData = (DWORD)clear.size, .pbData = (BYTE *)(uintptr_t)clear.data}, sealed;

    if (!CryptProtectData(&in, L"skep", NULL, NULL, NULL, CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN, &sealed))
        return error_set_windows(err, GetLastError(), "seal a key with DPAPI");
    buf_append(out, head, HEAD_SIZE_BYTES);
    buf_append(out, sealed.pbData, sealed.cbData);
    LocalFree(sealed.pbData);
    return 0;
}

int guard_open(struct bytes sealed, struct buf *out, struct error *err)
{
    DATA_BLOB in, clear;

    if (sealed.size < HEAD_SIZE_BYTES || memcmp(sealed.data, head, HEAD_SIZE_BYTES) != 0) {
        buf_append(out, sealed.data, sealed.size);
        return 0;
    }
    in = (DATA_BLOB){.cbData = (DWORD)(sealed.size - HEAD_SIZE_BYTES), .pbData = (BYTE *)(uintptr_t)sealed.data + HEAD_SIZE_BYTES};
    if (!CryptUnprotectData(&in, NULL, NULL, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &clear)) {
        error_set_windows(err, GetLastError(), "open a key that DPAPI has sealed, on this host and for this system");
        return err ? err->code = ERR_TRUST : ERR_TRUST;
    }
    buf_append(out, clear.pbData, clear.cbData);
    mem_wipe(clear.pbData, clear.cbData);
    LocalFree(clear.pbData);
    return 0;
}
