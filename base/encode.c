/* base/encode.c – see encode.h. */
#include "base/encode.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

void encode_hex(struct bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.size; i++) {
        *out++ = digits[in.data[i] >> 4];
        *out++ = digits[in.data[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int decode_hex(const char *text, size_t length, uint8_t *out, struct error *err)
{
    if (length % 2 != 0)
        return error_set(err, ERR_INVALID, "hex of an odd length (%zu)", length);
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return error_set(err, ERR_INVALID, "not a hex digit at position %zu", high < 0 ? i : i + 1);
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void encode_base36(struct bytes in, char *out, size_t width)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t number[64];
    assert(in.size <= sizeof number);
    memcpy(number, in.data, in.size);
    out[width] = '\0';
    for (size_t place = width; place-- > 0;) {
        unsigned remainder = 0;
        for (size_t i = 0; i < in.size; i++) {
            unsigned value = remainder << 8 | number[i];
            number[i] = (uint8_t)(value / 36);
            remainder = value % 36;
        }
        out[place] = digits[remainder];
    }
    mem_wipe(number, sizeof number);
}

int decode_base36(const char *text, size_t length, uint8_t *out, size_t size, struct error *err)
{
    memset(out, 0, size);
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        unsigned carry;
        if (c >= '0' && c <= '9')
            carry = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'z')
            carry = (unsigned)(c - 'a') + 10;
        else
            return error_set(err, ERR_INVALID, "not a base-36 digit at position %zu", i);
        for (size_t j = size; j-- > 0;) {
            unsigned value = (unsigned)out[j] * 36 + carry;
            out[j] = (uint8_t)value;
            carry = value >> 8;
        }
        if (carry != 0)
            return error_set(err, ERR_INVALID, "the base-36 number does not fit in %zu bytes", size);
    }
    return 0;
}

void encode_base64(struct bytes in, struct buf *out)
{
    size_t length = (in.size + 2) / 3 * 4;
    uint8_t *room = buf_reserve(out, length + 1);
    EVP_EncodeBlock(room, in.data, (int)in.size);
    out->size += length;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

int decode_base64(const char *text, size_t length, struct buf *out, struct error *err)
{
    for (int padding = 0; padding < 2 && length > 0 && text[length - 1] == '='; padding++)
        length--;
    if (length % 4 == 1)
        return error_set(err, ERR_INVALID, "base64 of an impossible length (%zu)", length);
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < length; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return error_set(err, ERR_INVALID, "not a base64 character at position %zu", i);
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            uint8_t byte = (uint8_t)(bits >> count);
            if (buf_append_checked(out, &byte, 1, err) < 0)
                return err ? err->code : ERR_LIMIT;
        }
    }
    return 0;
}

void sha256(struct bytes in, uint8_t out[SHA256_SIZE_BYTES])
{
    unsigned size = SHA256_SIZE_BYTES;
    int done = EVP_Digest(in.size ? in.data : (const uint8_t *)"", in.size, out, &size, EVP_sha256(), NULL);
    assert(done == 1 && size == SHA256_SIZE_BYTES);
    (void)done;
}
