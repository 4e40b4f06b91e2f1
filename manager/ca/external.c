/* manager/ca/external.c – see external.h. */
#include "manager/ca/external.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/ca/build.h"
#include "proto/identity/pem.h"
#include "proto/message.h"

#define CROSS_SIGN_PROFILE "CA" /* the external CA's operator gives it the right to make authorities */

/* ---- what is asked ---- */

static void add_text(cJSON *object, const char *key, struct bytes text)
{
    cleanup_free char *copy = mem_string_n((const char *)text.data, text.size);
    json_add_string(object, key, copy);
}

char *ca_external_request(struct bytes request_pem, const struct ca_subject *subject)
{
    const char *hosts[CA_SUBJECT_NAMES_COUNT];
    size_t count = ca_subject_names(subject, hosts);
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(json, "hosts");
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(hosts[i]));
    add_text(json, "certificate_request", request_pem);
    cJSON *who = cJSON_AddObjectToObject(json, "subject"), *name = cJSON_CreateObject();
    json_add_string(who, "CN", subject->node_id);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(who, "names"), name);
    json_add_string(name, "OU", ca_subject_unit(subject));
    json_add_string(name, "O", subject->cluster_id);
    json_add_string(json, "profile", "");
    return json_print(json);
}

static int make_cross_request(X509 *next, EVP_PKEY *key, struct buf *request_pem, struct error *err)
{
    cleanup_request X509_REQ *request = X509_REQ_new();
    /* OpenSSL takes a list that it does not change without a const. */
    STACK_OF(X509_EXTENSION) *extensions = (STACK_OF(X509_EXTENSION) *)(uintptr_t)X509_get0_extensions(next);
    if (!X509_REQ_set_version(request, X509_REQ_VERSION_1) || !X509_REQ_set_subject_name(request, X509_get_subject_name(next)) ||
        !X509_REQ_set_pubkey(request, key) || !X509_REQ_add_extensions(request, extensions) ||
        !X509_REQ_sign(request, key, build_digest(key)))
        return pem_fail(err, ERR_INTERNAL, "make a request for the new root CA");
    return pem_print_request(request, request_pem, err);
}

/* One object for each attribute: their order and number are the root's. */
static void add_names(cJSON *list, const X509_NAME *subject)
{
    static const struct {
        int nid;
        const char *key;
    } kinds[] = {{NID_countryName, "C"},
                 {NID_stateOrProvinceName, "ST"},
                 {NID_localityName, "L"},
                 {NID_organizationName, "O"},
                 {NID_organizationalUnitName, "OU"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int place = X509_NAME_get_index_by_NID(subject, kinds[i].nid, -1); place >= 0;
             place = X509_NAME_get_index_by_NID(subject, kinds[i].nid, place)) {
            unsigned char *text = NULL;
            cJSON *name = cJSON_CreateObject();
            int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
            if (length > 0)
                add_text(name, kinds[i].key, bytes_of(text, (size_t)length));
            OPENSSL_free(text);
            cJSON_AddItemToArray(list, name);
        }
}

static void add_subject(cJSON *json, const X509_NAME *subject)
{
    cJSON *who = cJSON_AddObjectToObject(json, "subject");
    int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int length = place < 0 ? 0 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    add_text(who, "CN", bytes_of(text, length > 0 ? (size_t)length : 0));
    OPENSSL_free(text);
    add_names(cJSON_AddArrayToObject(who, "names"), subject);
}

/* CFSSL takes of a request's extensions none but names: that this shall be an authority is said beside it. */
static void add_constraints(cJSON *json, const X509 *next)
{
    int place = X509_get_ext_by_NID(next, NID_basic_constraints, -1);
    if (place < 0)
        return;
    X509_EXTENSION *extension = X509_get_ext(next, place);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    size_t size = (size_t)ASN1_STRING_length(value);
    cleanup_free char *hex = mem_alloc(2 * size + 1);
    encode_hex(bytes_of(ASN1_STRING_get0_data(value), size), hex);
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "id", "2.5.29.19");
    cJSON_AddBoolToObject(item, "critical", X509_EXTENSION_get_critical(extension));
    json_add_string(item, "value", hex);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "extensions"), item);
}

int ca_external_cross_request(const struct ca_root *next, char **out, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    cleanup_key EVP_PKEY *key = NULL;
    cleanup_buf struct buf request = {0};
    int failed = pem_read_certificates(buf_bytes(&next->cert_pem), "the new root CA", &list, err);
    if (failed < 0)
        return failed;
    failed = pem_read_key(buf_bytes(&next->key_pem), &key, err);
    if (failed < 0)
        return failed;
    X509 *root = sk_X509_value(list, 0);
    failed = make_cross_request(root, key, &request, err);
    if (failed < 0)
        return failed;
    cleanup_json cJSON *json = cJSON_CreateObject();
    add_text(json, "certificate_request", buf_bytes(&request));
    add_subject(json, X509_get_subject_name(root));
    json_add_string(json, "profile", CROSS_SIGN_PROFILE);
    add_constraints(json, root);
    *out = json_print(json);
    return 0;
}

/* ---- what comes back ---- */

/* "code: message; …" of the list of errors; what is no such thing is left out. */
static char *reasons_of(const cJSON *answer)
{
    struct buf text = {.limit = ERROR_MESSAGE_SIZE_BYTES / 2};
    const cJSON *one;
    cJSON_ArrayForEach (one, json_array(answer, "errors")) {
        cleanup_free char *line = mem_format("%s%lld: %.256s", text.size > 0 ? "; " : "", (long long)json_int(one, "code", 0),
                                             json_string(one, "message", "no message"));
        for (char *c = line; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                *c = ' ';
        if (buf_append_checked(&text, line, strlen(line), NULL) < 0)
            break;
    }
    return buf_steal_string(&text);
}

int ca_external_parse(struct bytes body, struct buf *cert_pem, struct error *err)
{
    struct error why;
    cleanup_json cJSON *answer = NULL;
    if (json_parse(body, CA_EXTERNAL_RESPONSE_BYTES, &answer, &why) < 0)
        return error_set(err, ERR_AGAIN, "the external CA's answer is no JSON document: %s", why.message);
    const char *certificate = json_string(json_object(answer, "result"), "certificate", NULL);
    if (!json_bool(answer, "success", false)) {
        cleanup_free char *reasons = reasons_of(answer);
        return error_set(err, ERR_PEER, "the external CA refused to sign: %s", text_empty(reasons) ? "it gives no reason" : reasons);
    }
    if (text_empty(certificate))
        return error_set(err, ERR_PEER, "the external CA's answer holds no certificate");
    buf_append_string(cert_pem, certificate);
    return 0;
}

static int check_key(struct bytes cert_pem, struct bytes request_pem, struct error *err)
{
    cleanup_certificates STACK_OF(X509) *list = NULL;
    cleanup_request X509_REQ *request = NULL;
    int failed = pem_read_certificates(cert_pem, "the certificate", &list, err);
    if (failed < 0)
        return failed;
    failed = pem_read_request(request_pem, &request, err);
    if (failed < 0)
        return failed;
    bool is_same = EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(list, 0)), X509_REQ_get0_pubkey(request)) == 1;
    ERR_clear_error();
    return is_same ? 0 : error_set(err, ERR_CORRUPT, "it is for another key than the request's");
}

static int check_subject(struct bytes chain_pem, struct bytes roots_pem, const struct ca_subject *subject, struct error *err)
{
    struct certificate got;
    int failed = certificate_read(chain_pem, roots_pem, &got, err);
    if (failed < 0)
        return failed;
    if (!text_equal(got.node_id, subject->node_id) || !text_equal(got.cluster_id, subject->cluster_id) || got.role != subject->role)
        failed = error_set(err, ERR_CORRUPT, "it is for %s %s of cluster %s, not for %s %s of cluster %s", certificate_role_text(got.role),
                           got.node_id, got.cluster_id, certificate_role_text(subject->role), subject->node_id, subject->cluster_id);
    certificate_deinit(&got);
    return failed;
}

static int check(struct bytes chain_pem, struct bytes request_pem, const struct ca_subject *subject, struct bytes roots_pem,
                 int64_t wall_ns, struct error *err)
{
    int failed = check_key(chain_pem, request_pem, err);
    if (failed < 0)
        return failed;
    failed = check_subject(chain_pem, roots_pem, subject, err);
    if (failed < 0)
        return failed;
    return certificate_verify(chain_pem, roots_pem, wall_ns, NULL, err);
}

int ca_external_chain(struct bytes cert_pem, struct bytes request_pem, const struct ca_subject *subject,
                      const Docker__Swarmkit__V1__RootCA *root_ca, int64_t wall_ns, struct buf *chain_pem, struct error *err)
{
    struct error why;
    cleanup_buf struct buf chain = {0};
    int failed = ca_root_normalise(cert_pem, &chain, &why);
    if (failed == 0 && root_ca->root_rotation)
        failed = ca_root_normalise(message_bytes(root_ca->root_rotation->cross_signed_ca_cert), &chain, &why);
    if (failed == 0)
        failed = check(buf_bytes(&chain), request_pem, subject, message_bytes(root_ca->ca_cert), wall_ns, &why);
    if (failed < 0)
        return error_set(err, ERR_PEER, "the external CA's certificate for node %s is not good: %s", subject->node_id, why.message);
    buf_append(chain_pem, chain.data, chain.size);
    return 0;
}
