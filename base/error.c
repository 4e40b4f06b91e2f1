/* base/error.c – codes, messages and what they map to. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#undef error_set /* what error.h tells the analyzer in their place */
#undef error_wrap
#undef error_set_uv

struct code_info {
    int code, grpc, http, exit_code;
    const char *name, *help;
};

static const struct code_info code_infos[] = {
#define X(name, value, grpc, http, exit_code, help) {(value), (grpc), (http), (exit_code), "ERR_" #name, (help)},
    ERROR_CODES(X)
#undef X
};

static const struct code_info *find(int code)
{
    for (size_t i = 0; i < sizeof code_infos / sizeof *code_infos; i++)
        if (code_infos[i].code == code)
            return &code_infos[i];
    return NULL;
}

static void mark_cut(char *message, size_t size)
{
    static const char mark[] = "…";
    memcpy(message + size - sizeof mark, mark, sizeof mark);
}

int error_set_v(struct error *err, int code, const char *format, va_list args)
{
    if (err == NULL)
        return code;
    err->code = code;
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    if (length < 0)
        err->message[0] = '\0';
    else if ((size_t)length >= sizeof err->message)
        mark_cut(err->message, sizeof err->message);
    return code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_set_v(err, code, format, args);
    va_end(args);
    return code;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return ERR_INTERNAL;
    char context[ERROR_MESSAGE_SIZE_BYTES], message[ERROR_MESSAGE_SIZE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(message, err->message, sizeof message);
    return error_set(err, err->code, "%s: %s", context, message);
}

static int code_from_uv(int uv_code)
{
    switch (uv_code) {
    case UV_ENOENT:
        return ERR_NOT_FOUND;
    case UV_EEXIST:
        return ERR_EXISTS;
    case UV_EACCES:
    case UV_EPERM:
    case UV_EROFS:
        return ERR_PERMISSION;
    case UV_ENOSPC:
        return ERR_NO_SPACE;
    case UV_ETIMEDOUT:
        return ERR_DEADLINE;
    case UV_ECONNREFUSED:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_EPIPE:
    case UV_EOF:
    case UV_EAI_NONAME:
    case UV_EAI_AGAIN:
    case UV_EAI_FAIL:
        return ERR_UNAVAILABLE;
    case UV_ECANCELED:
        return ERR_CANCELED;
    case UV_EINVAL:
        return ERR_INVALID;
    case UV_EAGAIN:
    case UV_EBUSY:
        return ERR_AGAIN;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_E2BIG:
    case UV_EFBIG:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

int error_set_uv(struct error *err, int uv_code, const char *format, ...)
{
    char what[ERROR_MESSAGE_SIZE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(err, code_from_uv(uv_code), "%s: %s", what, uv_strerror(uv_code));
}

int error_from_name(const char *name)
{
    for (size_t i = 0; name && i < sizeof code_infos / sizeof *code_infos; i++)
        if (strcmp(code_infos[i].name, name) == 0)
            return code_infos[i].code;
    return 0;
}

const char *error_name(int code)
{
    const struct code_info *info = find(code);
    return info ? info->name : "ERR_UNKNOWN";
}

const char *error_help(int code)
{
    const struct code_info *info = find(code);
    return info ? info->help : "an error that has no code of ours";
}

int error_grpc_status(int code)
{
    const struct code_info *info = find(code);
    return code == 0 ? 0 : info ? info->grpc : 2;
}

int error_http_status(int code)
{
    const struct code_info *info = find(code);
    return code == 0 ? 200 : info ? info->http : 500;
}

int error_exit_code(int code)
{
    const struct code_info *info = find(code);
    return code == 0 ? 0 : info ? info->exit_code : 70;
}

int error_from_grpc(int grpc_status)
{
    static const int codes[] = {
        0,         ERR_CANCELED,     ERR_PEER,    ERR_INVALID, ERR_DEADLINE,    ERR_NOT_FOUND, ERR_EXISTS,      ERR_PERMISSION,
        ERR_LIMIT, ERR_PRECONDITION, ERR_ABORTED, ERR_INVALID, ERR_UNSUPPORTED, ERR_PEER,      ERR_UNAVAILABLE, ERR_CORRUPT,
        ERR_TRUST};
    if (grpc_status < 0 || (size_t)grpc_status >= sizeof codes / sizeof *codes)
        return ERR_PEER;
    return codes[grpc_status];
}
