/* manager/ca/build.c – see build.h. */
#include "manager/ca/build.h"

#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"

#define SERIAL_SIZE_BYTES 20 /* the most that RFC 5280 allows */
#define MINUTE_S          60

int64_t build_minute_s(int64_t wall_ns)
{
    int64_t seconds = wall_ns / (int64_t)NS_PER_S + MINUTE_S / 2;
    return seconds - seconds % MINUTE_S;
}

const EVP_MD *build_digest(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_security_bits(key);
    return bits >= 256 ? EVP_sha512() : bits >= 192 ? EVP_sha384() : EVP_sha256();
}

static bool set_serial(X509 *one, const struct random *random)
{
    uint8_t bytes[SERIAL_SIZE_BYTES];
    random_fill(random, bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, never zero, always as long */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(one)) != NULL;
    BN_free(number);
    return is_set;
}

bool build_begin(X509 *one, const struct random *random, int64_t from_s, int64_t to_s)
{
    return X509_set_version(one, X509_VERSION_3) && set_serial(one, random) && ASN1_TIME_set(X509_getm_notBefore(one), (time_t)from_s) &&
           ASN1_TIME_set(X509_getm_notAfter(one), (time_t)to_s);
}

/* What ASN.1 calls a PrintableString: the type that Go writes where it can. */
static bool is_printable(const char *text)
{
    static const char others[] = " '()+,-./:=?";
    for (; *text; text++) {
        bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9');
        if (!is_letter && !strchr(others, *text))
            return false;
    }
    return true;
}

bool build_name(X509 *one, int nid, const char *value)
{
    int type = is_printable(value) ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(one), nid, type, (const unsigned char *)value, -1, -1, 0) == 1;
}

bool build_extension(X509 *one, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, one, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension && X509_add_ext(one, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool add_dns_name(GENERAL_NAMES *list, const char *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (!ASN1_STRING_set(text, value, -1)) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    return sk_GENERAL_NAME_push(list, name) > 0;
}

bool build_dns_names(X509 *one, const char *const *names, size_t count)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    bool is_good = true;
    for (size_t i = 0; i < count; i++)
        is_good = is_good && add_dns_name(list, names[i]);
    is_good = is_good && X509_add1_ext_i2d(one, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
    return is_good;
}

bool build_authority_key(X509 *one, X509 *issuer)
{
    const ASN1_OCTET_STRING *identifier = X509_get0_subject_key_id(issuer);
    if (!identifier)
        return true;
    AUTHORITY_KEYID *value = AUTHORITY_KEYID_new();
    value->keyid = ASN1_OCTET_STRING_dup(identifier);
    bool is_added = value->keyid && X509_add1_ext_i2d(one, NID_authority_key_identifier, value, 0, X509V3_ADD_DEFAULT) == 1;
    AUTHORITY_KEYID_free(value);
    return is_added;
}
