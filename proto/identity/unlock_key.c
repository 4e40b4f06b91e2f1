/* proto/identity/unlock_key.c – see unlock_key.h. */
#include "proto/identity/unlock_key.h"

#include <ctype.h>

#include "base/encode.h"
#include "base/mem.h"

#define PREFIX "SWMKEY-1-"

void unlock_key_format(const uint8_t key[UNLOCK_KEY_SIZE_BYTES], char out[UNLOCK_KEY_SIZE_CHARS + 1])
{
    cleanup_buf struct buf text = {.is_secret = true};
    buf_append_string(&text, PREFIX);
    encode_base64(bytes_of(key, UNLOCK_KEY_SIZE_BYTES), &text);
    memcpy(out, text.data, UNLOCK_KEY_SIZE_CHARS); /* all but the padding */
    out[UNLOCK_KEY_SIZE_CHARS] = '\0';
}

static int refuse(struct error *err, const char *why)
{
    return error_set(err, ERR_INVALID, "invalid unlock key: %s; get it with `docker swarm unlock-key` on a manager that is not locked",
                     why);
}

static int parse(const char *text, size_t length, uint8_t key[UNLOCK_KEY_SIZE_BYTES], struct error *err)
{
    if (length < sizeof PREFIX - 1 || memcmp(text, PREFIX, sizeof PREFIX - 1) != 0)
        return refuse(err, "it does not start with " PREFIX);
    if (length != UNLOCK_KEY_SIZE_CHARS)
        return refuse(err, "it is not as long as one, so it was not copied whole");
    cleanup_buf struct buf bytes = {.is_secret = true};
    char again[UNLOCK_KEY_SIZE_CHARS + 1];
    if (decode_base64(text + sizeof PREFIX - 1, length - (sizeof PREFIX - 1), &bytes, NULL) < 0 || bytes.size != UNLOCK_KEY_SIZE_BYTES)
        return refuse(err, "it holds a character that no key has");
    /* Another alphabet, or bits behind the last byte: no key of ours was ever printed like that. */
    unlock_key_format(bytes.data, again);
    bool is_same = memcmp(again, text, length) == 0;
    mem_wipe(again, sizeof again);
    if (!is_same)
        return refuse(err, "a character of it is wrong");
    memcpy(key, bytes.data, UNLOCK_KEY_SIZE_BYTES);
    return 0;
}

int unlock_key_parse(const char *text, uint8_t key[UNLOCK_KEY_SIZE_BYTES], struct error *err)
{
    text = text ? text : "";
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    mem_wipe(key, UNLOCK_KEY_SIZE_BYTES);
    return parse(text, length, key, err);
}
