/* proto/identity/sealed.c – see sealed.h. */
#include "proto/identity/sealed.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/mem.h"

enum { AROUND_SIZE_BYTES = SEALED_NONCE_SIZE_BYTES + SEALED_TAG_SIZE_BYTES };

/* What fails here fails for want of memory, or because the OpenSSL of the host lacks what every build of it has. */
static void must(int done, const char *what)
{
    if (done > 0)
        return;
    fprintf(stderr, "skep: seal a key: OpenSSL: %s failed\n", what);
    abort();
}

static EVP_CIPHER_CTX *begin(const uint8_t *key, const uint8_t *nonce, const char *purpose, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int length;

    must(ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, encrypt), "AES-256-GCM");
    must(EVP_CipherUpdate(ctx, NULL, &length, (const uint8_t *)purpose, (int)strlen(purpose)), "the purpose");
    return ctx;
}

void sealed_print(const uint8_t key[SEALED_KEY_SIZE_BYTES], const char *purpose, struct bytes secret, const struct random *random,
                  struct buf *out)
{
    uint8_t box[AROUND_SIZE_BYTES + SEALED_SECRET_SIZE_BYTES], *text = box + SEALED_NONCE_SIZE_BYTES;
    int length;

    assert(secret.size <= SEALED_SECRET_SIZE_BYTES);
    random_fill(random, box, SEALED_NONCE_SIZE_BYTES);
    EVP_CIPHER_CTX *ctx = begin(key, box, purpose, 1);
    must(EVP_CipherUpdate(ctx, text, &length, secret.data, (int)secret.size), "encrypt");
    must(EVP_CipherFinal_ex(ctx, text + secret.size, &length), "encrypt");
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEALED_TAG_SIZE_BYTES, text + secret.size), "tag");
    EVP_CIPHER_CTX_free(ctx);
    encode_base64(bytes_of(box, AROUND_SIZE_BYTES + secret.size), out);
}

int sealed_open(const uint8_t key[SEALED_KEY_SIZE_BYTES], const char *purpose, const char *text, struct buf *out, struct error *err)
{
    cleanup_buf struct buf box = {.limit = AROUND_SIZE_BYTES + SEALED_SECRET_SIZE_BYTES};
    uint8_t secret[SEALED_SECRET_SIZE_BYTES];
    int length = 0;

    if (strlen(text) > SEALED_TEXT_SIZE_CHARS || decode_base64(text, strlen(text), &box, NULL) < 0 || box.size < AROUND_SIZE_BYTES ||
        box.size > box.limit)
        return error_set(err, ERR_CORRUPT, "no sealed secret");
    size_t size = box.size - AROUND_SIZE_BYTES;
    EVP_CIPHER_CTX *ctx = begin(key, box.data, purpose, 0);
    must(EVP_CipherUpdate(ctx, secret, &length, box.data + SEALED_NONCE_SIZE_BYTES, (int)size), "decrypt");
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEALED_TAG_SIZE_BYTES, box.data + SEALED_NONCE_SIZE_BYTES + size), "tag");
    bool is_right = EVP_CipherFinal_ex(ctx, secret + size, &length) > 0;
    EVP_CIPHER_CTX_free(ctx);
    if (is_right)
        buf_append(out, secret, size);
    mem_wipe(secret, sizeof secret);
    return is_right ? 0 : error_set(err, ERR_PERMISSION, "sealed under another key, or changed since");
}
