/* runtime/windows/encode_files.c – where secrets and configs are: two directories that the container is shown, and targets that lead there.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "runtime/windows/encode.h"

static const char *const internal[] = {"C:\\ProgramData\\Docker\\internal\\configs", "C:\\ProgramData\\Docker\\internal\\secrets"};
static const char *const names[] = {"configs", "secrets"};

const char *windows_files_name(bool is_secret)
{
    return names[is_secret];
}

const char *windows_files_container(bool is_secret)
{
    return internal[is_secret];
}

bool windows_files_directory(const struct document *d, size_t index, bool *is_secret)
{
    bool has[2] = {false, false};

    for (size_t i = 0; i < d->file_count; i++)
        has[d->files[i].is_secret] = true;
    for (int kind = 1; kind >= 0; kind--)
        if (has[kind] && index-- == 0) {
            *is_secret = kind;
            return true;
        }
    return false;
}

/* --- targets --- */

/* What Windows takes for something else than a name: the directory itself or the one above, streams, patterns; and the dots and blanks at a
 * name's end that it drops. */
static bool is_name(const char *part, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)part[i] < ' ' || strchr("<>:\"|?*", part[i]))
            return false;
    return part[length - 1] != '.' && part[length - 1] != ' ';
}

int windows_file_path(const char *target, char **below_root, struct error *err)
{
    cleanup_buf struct buf path = {0};

    if (strncasecmp(target, "c:", 2) != 0 || (target[2] != '\\' && target[2] != '/'))
        return error_set(err, ERR_UNSUPPORTED, "Skep.Files: the target %s is not on the container's drive C:", target);
    for (const char *part = target + 2; *part;) {
        size_t length = strcspn(part, "\\/");
        if (length > 0 && !is_name(part, length))
            return error_set(err, ERR_UNSUPPORTED, "Skep.Files: the target %s is no path of Windows: %.*s cannot be a name", target,
                             (int)length, part);
        if (length > 0)
            buf_append_format(&path, "%s%.*s", path.size ? "\\" : "", (int)length, part);
        part += length + (part[length] != '\0');
    }
    if (path.size == 0)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Files: the target %s is the container's root itself", target);
    *below_root = buf_steal_string(&path);
    return 0;
}

int windows_check_files(const struct document *d, struct error *err)
{
    for (size_t i = 0; i < d->file_count; i++) {
        cleanup_free char *path = NULL;
        if (windows_file_path(d->files[i].target, &path, err) < 0)
            return err->code;
    }
    return 0;
}
