/* proto/identity/token.c – see token.h. */
#include "proto/identity/token.h"

#include <ctype.h>
#include <stdio.h>

#include "base/mem.h"

#define TOKEN_PARTS_COUNT 5 /* of version 2 */
#define GET_A_TOKEN       "get one with `docker swarm join-token worker` on a manager"

struct part {
    const char *text;
    size_t length;
};

static bool part_is(struct part part, const char *text)
{
    return part.length == strlen(text) && memcmp(part.text, text, part.length) == 0;
}

/* Split at '-'. Returns the number of parts, or TOKEN_PARTS_COUNT + 1 when there are more. */
static size_t split(const char *text, size_t length, struct part parts[TOKEN_PARTS_COUNT])
{
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != '-')
            continue;
        if (count == TOKEN_PARTS_COUNT)
            return TOKEN_PARTS_COUNT + 1;
        parts[count++] = (struct part){text + start, i - start};
        start = i + 1;
    }
    return count;
}

static int refuse(struct error *err, const char *why)
{
    return error_set(err, ERR_TOKEN, "invalid join token: %s; " GET_A_TOKEN, why);
}

static int refuse_length(struct error *err, const char *name, size_t wanted, size_t got)
{
    return error_set(err, ERR_TOKEN,
                     "invalid join token: its %s has %zu characters instead of %zu, so it was not copied whole; " GET_A_TOKEN, name, got,
                     wanted);
}

static int parse_digest(struct part part, uint8_t digest[SHA256_SIZE_BYTES], struct error *err)
{
    struct error why;
    if (part.length != TOKEN_DIGEST_SIZE_CHARS)
        return refuse_length(err, "digest", TOKEN_DIGEST_SIZE_CHARS, part.length);
    if (decode_base36(part.text, part.length, digest, SHA256_SIZE_BYTES, &why) < 0)
        return refuse(err, "its digest holds a character that no token has, or is too large a number");
    return 0;
}

static int parse_secret(struct part part, struct error *err)
{
    uint8_t secret[TOKEN_SECRET_SIZE_BYTES];
    struct error why;
    if (part.length != TOKEN_SECRET_SIZE_CHARS)
        return refuse_length(err, "secret", TOKEN_SECRET_SIZE_CHARS, part.length);
    int failed = decode_base36(part.text, part.length, secret, sizeof secret, &why);
    mem_wipe(secret, sizeof secret);
    return failed < 0 ? refuse(err, "its secret holds a character that no token has, or is too large a number") : 0;
}

static int parse_version(const struct part *parts, size_t count, struct token *out, struct error *err)
{
    if (count < 2 || !part_is(parts[0], "SWMTKN"))
        return refuse(err, "a join token starts with SWMTKN-1- or SWMTKN-2-");
    out->version = part_is(parts[1], "1") ? 1 : part_is(parts[1], "2") ? 2 : 0;
    if (out->version == 0)
        return refuse(err, "it is of a version that is not known here (known are 1 and 2)");
    size_t wanted = out->version == 1 ? 4 : 5;
    if (count != wanted)
        return error_set(err, ERR_TOKEN, "invalid join token: version %d has %zu parts between dashes, this one %s%zu; " GET_A_TOKEN,
                         out->version, wanted, count > TOKEN_PARTS_COUNT ? "more than " : "",
                         count > TOKEN_PARTS_COUNT ? (size_t)TOKEN_PARTS_COUNT : count);
    if (out->version == 2) {
        out->is_fips = part_is(parts[2], "1");
        if (!out->is_fips && !part_is(parts[2], "0"))
            return refuse(err, "its third part is neither 0 nor 1");
    }
    return 0;
}

static int parse(const char *text, size_t length, struct token *out, struct error *err)
{
    struct part parts[TOKEN_PARTS_COUNT] = {0};
    if (length == 0)
        return refuse(err, "it is empty");
    if (length > TOKEN_SIZE_CHARS)
        return refuse(err, "it is longer than any token");
    size_t count = split(text, length, parts);
    int failed = parse_version(parts, count, out, err);
    if (failed < 0)
        return failed;
    failed = parse_digest(parts[count - 2], out->ca_digest, err);
    if (failed < 0)
        return failed;
    failed = parse_secret(parts[count - 1], err);
    if (failed < 0)
        return failed;
    if (out->is_fips)
        return error_set(err, ERR_UNSUPPORTED, "the cluster admits only nodes that run in FIPS mode, and this one does not");
    memcpy(out->text, text, length);
    return 0;
}

int token_parse(const char *text, struct token *out, struct error *err)
{
    *out = (struct token){0};
    if (!text)
        text = "";
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    int failed = parse(text, length, out, err);
    if (failed < 0)
        token_wipe(out);
    return failed;
}

void token_wipe(struct token *token)
{
    mem_wipe(token, sizeof *token);
}

int token_check_root(const struct token *token, struct bytes root_pem, struct error *err)
{
    uint8_t digest[SHA256_SIZE_BYTES];
    sha256(root_pem, digest);
    if (!bytes_equal_constant_time(bytes_of(digest, sizeof digest), bytes_of(token->ca_digest, sizeof token->ca_digest)))
        return error_set(
            err, ERR_TRUST,
            "its root CA is not the one in the token: the token belongs to another cluster, or the cluster's CA was rotated since; "
            "get a new token with `docker swarm join-token worker` on a manager");
    return 0;
}

void token_format(struct bytes root_pem, const uint8_t secret[TOKEN_SECRET_SIZE_BYTES], bool is_fips, char out[TOKEN_SIZE_CHARS + 1])
{
    uint8_t digest[SHA256_SIZE_BYTES];
    char digest_text[TOKEN_DIGEST_SIZE_CHARS + 1], secret_text[TOKEN_SECRET_SIZE_CHARS + 1];
    sha256(root_pem, digest);
    encode_base36(bytes_of(digest, sizeof digest), digest_text, TOKEN_DIGEST_SIZE_CHARS);
    encode_base36(bytes_of(secret, TOKEN_SECRET_SIZE_BYTES), secret_text, TOKEN_SECRET_SIZE_CHARS);
    snprintf(out, TOKEN_SIZE_CHARS + 1, "SWMTKN-%s-%s-%s", is_fips ? "2-1" : "1", digest_text, secret_text);
    mem_wipe(secret_text, sizeof secret_text);
}
