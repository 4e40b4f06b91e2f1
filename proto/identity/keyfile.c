/* proto/identity/keyfile.c – see keyfile.h. */
#include "proto/identity/keyfile.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/identity/pem.h"

static void free_header(struct keyfile_header *header)
{
    if (header->value)
        mem_wipe(header->value, strlen(header->value));
    free(header->name);
    free(header->value);
}

void keyfile_deinit(struct keyfile *keyfile)
{
    for (size_t i = 0; i < keyfile->header_count; i++)
        free_header(&keyfile->headers[i]);
    if (keyfile->body_pem.data)
        mem_wipe(keyfile->body_pem.data, keyfile->body_pem.capacity);
    buf_deinit(&keyfile->body_pem);
    *keyfile = (struct keyfile){0};
}

/* Take the next line off the front of @text, without its end. False at the end of the text. */
static bool next_line(struct bytes *text, struct bytes *line)
{
    if (text->size == 0)
        return false;
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t length = end ? (size_t)(end - text->data) : text->size;
    *line = bytes_of(text->data, length);
    size_t taken = end ? length + 1 : length;
    *text = bytes_of(text->data + taken, text->size - taken);
    while (line->size > 0 && (line->data[line->size - 1] == '\r' || line->data[line->size - 1] == ' '))
        line->size--;
    return true;
}

static bool line_is(struct bytes line, const char *text)
{
    return bytes_equal(line, bytes_of_string(text));
}

static bool is_clean(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static int add_header(struct keyfile *keyfile, const char *name, size_t name_length, const char *value, size_t value_length,
                      struct error *err)
{
    if (keyfile->header_count == KEYFILE_HEADERS_COUNT)
        return error_set(err, ERR_CORRUPT, "the key file has more than %d header lines", KEYFILE_HEADERS_COUNT);
    keyfile->headers[keyfile->header_count++] = (struct keyfile_header){mem_string_n(name, name_length), mem_string_n(value, value_length)};
    return 0;
}

static int read_header(struct keyfile *keyfile, struct bytes line, struct error *err)
{
    const char *text = (const char *)line.data, *colon = memchr(line.data, ':', line.size);
    if (!colon || colon == text || line.size > KEYFILE_LINE_SIZE_CHARS || !is_clean(text, line.size))
        return error_set(err, ERR_CORRUPT, "the key file has a line before the key that is no \"name: value\"");
    const char *value = colon + 1, *end = text + line.size;
    while (value < end && *value == ' ')
        value++;
    return add_header(keyfile, text, (size_t)(colon - text), value, (size_t)(end - value), err);
}

/* "-----BEGIN <label>-----" into its label, copied; NULL for any other line. */
static char *label_of(struct bytes line)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----";
    size_t around = sizeof begin - 1 + sizeof end - 1;
    if (line.size <= around || line.size > around + 32 || memcmp(line.data, begin, sizeof begin - 1) != 0 ||
        memcmp(line.data + line.size - (sizeof end - 1), end, sizeof end - 1) != 0)
        return NULL;
    return mem_string_n((const char *)line.data + sizeof begin - 1, line.size - around);
}

static bool is_key_label(const char *label)
{
    return text_equal(label, "PRIVATE KEY") || text_equal(label, "EC PRIVATE KEY") || text_equal(label, "RSA PRIVATE KEY") ||
           text_equal(label, "ENCRYPTED PRIVATE KEY");
}

static bool is_base64(struct bytes line)
{
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '='))
            return false;
    }
    return true;
}

/* The header lines, if any, end with a blank line; what follows is the key in base64 up to @last. */
static int read_lines(struct keyfile *keyfile, struct bytes text, const char *last, struct error *err)
{
    struct bytes line, rest = text;
    bool has_headers = next_line(&rest, &line) && memchr(line.data, ':', line.size);
    bool in_headers = has_headers;
    while (next_line(&text, &line)) {
        if (line_is(line, last)) {
            buf_append_format(&keyfile->body_pem, "%s\n", last);
            return in_headers ? error_set(err, ERR_CORRUPT, "the key file has no key behind its header lines") : 0;
        }
        if (in_headers && line.size == 0) {
            in_headers = false;
            continue;
        }
        if (in_headers) {
            int failed = read_header(keyfile, line, err);
            if (failed < 0)
                return failed;
            continue;
        }
        if (!is_base64(line))
            return error_set(err, ERR_CORRUPT, "the key file has a line in the key that is not base64");
        buf_append(&keyfile->body_pem, line.data, line.size);
        buf_append_string(&keyfile->body_pem, "\n");
    }
    return error_set(err, ERR_CORRUPT, "the key file ends in the middle of the key");
}

int keyfile_parse(struct bytes text, struct keyfile *out, struct error *err)
{
    *out = (struct keyfile){0};
    if (text.size > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_CORRUPT, "the key file is larger than %u bytes", CERTIFICATE_PEM_SIZE_BYTES);
    struct bytes line;
    cleanup_free char *label = NULL;
    while (!label && next_line(&text, &line))
        label = label_of(line);
    if (!is_key_label(label))
        return error_set(err, ERR_CORRUPT, "the key file holds no private key");
    out->is_encrypted = text_equal(label, "ENCRYPTED PRIVATE KEY");
    out->body_pem.limit = CERTIFICATE_PEM_SIZE_BYTES + KIB; /* what was read, with line ends put right */
    buf_append_format(&out->body_pem, "-----BEGIN %s-----\n", label);
    cleanup_free char *last = mem_format("-----END %s-----", label);
    int failed = read_lines(out, text, last, err);
    if (failed < 0)
        keyfile_deinit(out);
    return failed;
}

void keyfile_print(const struct keyfile *keyfile, struct buf *out)
{
    const uint8_t *end = keyfile->body_pem.data ? memchr(keyfile->body_pem.data, '\n', keyfile->body_pem.size) : NULL;
    if (!end)
        return;
    size_t first = (size_t)(end - keyfile->body_pem.data) + 1;
    buf_append(out, keyfile->body_pem.data, first);
    for (size_t i = 0; i < keyfile->header_count; i++)
        buf_append_format(out, "%s: %s\n", keyfile->headers[i].name, keyfile->headers[i].value);
    if (keyfile->header_count > 0)
        buf_append_string(out, "\n");
    buf_append(out, keyfile->body_pem.data + first, keyfile->body_pem.size - first);
}

static void take_body(struct keyfile *keyfile, struct buf *fresh, bool is_encrypted)
{
    mem_wipe(keyfile->body_pem.data, keyfile->body_pem.capacity);
    buf_deinit(&keyfile->body_pem);
    keyfile->body_pem = *fresh;
    keyfile->is_encrypted = is_encrypted;
    *fresh = (struct buf){0};
}

int keyfile_lock(struct keyfile *keyfile, struct bytes passphrase, struct error *err)
{
    cleanup_key EVP_PKEY *key = NULL;
    cleanup_buf struct buf body = {0};
    int failed = pem_read_key(buf_bytes(&keyfile->body_pem), &key, err);
    if (failed == 0)
        failed = pem_print_key_locked(key, passphrase, &body, err);
    if (failed == 0)
        take_body(keyfile, &body, true);
    return failed;
}

int keyfile_unlock(struct keyfile *keyfile, struct bytes passphrase, struct error *err)
{
    cleanup_key EVP_PKEY *key = NULL;
    cleanup_buf struct buf body = {.is_secret = true};
    int failed = pem_read_key_locked(buf_bytes(&keyfile->body_pem), passphrase, &key, err);
    if (failed == 0)
        failed = pem_print_key(key, &body, err);
    if (failed == 0)
        take_body(keyfile, &body, false);
    return failed;
}

const char *keyfile_header(const struct keyfile *keyfile, const char *name)
{
    for (size_t i = 0; i < keyfile->header_count; i++)
        if (text_equal(keyfile->headers[i].name, name))
            return keyfile->headers[i].value;
    return NULL;
}

int keyfile_set_header(struct keyfile *keyfile, const char *name, const char *value, struct error *err)
{
    if (text_empty(name) || strpbrk(name, ": ") || !is_clean(name, strlen(name)) || !is_clean(value, strlen(value)) ||
        strlen(name) + strlen(value) + 2 > KEYFILE_LINE_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "not a header line of a key file: %s", name);
    for (size_t i = 0; i < keyfile->header_count; i++) {
        struct keyfile_header *header = &keyfile->headers[i];
        if (!text_equal(header->name, name))
            continue;
        free_header(header);
        *header = (struct keyfile_header){mem_string(name), mem_string(value)};
        return 0;
    }
    if (keyfile->header_count == KEYFILE_HEADERS_COUNT)
        return error_set(err, ERR_LIMIT, "more than %d header lines in a key file", KEYFILE_HEADERS_COUNT);
    return add_header(keyfile, name, strlen(name), value, strlen(value), err);
}
