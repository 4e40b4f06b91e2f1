/* manager/ca/external_job.c – see external_job.h. */
#include "manager/ca/external_job.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static void add_text(cJSON *object, const char *key, struct bytes text)
{
    cleanup_free char *copy = mem_string_n((const char *)text.data, text.size);
    json_add_string(object, key, copy);
}

void external_job_print(const struct external_job *job, struct buf *out)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    cJSON *urls = cJSON_AddArrayToObject(json, "urls");
    for (size_t i = 0; i < job->url_count; i++)
        cJSON_AddItemToArray(urls, cJSON_CreateString(job->urls[i]));
    add_text(json, "roots", job->roots_pem);
    add_text(json, "certificate", job->chain_pem);
    json_add_string(json, "body", job->body);
    cleanup_free char *line = json_print(json);
    out->is_secret = true;
    buf_append_format(out, "%s\n", line);
    buf_append(out, job->key_pem.data, job->key_pem.size);
}

static int read_urls(const cJSON *list, struct external_job *out, struct error *err)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, list) {
        if (!cJSON_IsString(one) || out->url_count == CA_EXTERNAL_COUNT)
            return error_set(err, ERR_INVALID, "the job's addresses are no list of at most %d", CA_EXTERNAL_COUNT);
        out->urls[out->url_count++] = one->valuestring;
    }
    return out->url_count > 0 ? 0 : error_set(err, ERR_INVALID, "the job names no external CA");
}

int external_job_parse(struct bytes text, struct external_job *out, cJSON **document, struct error *err)
{
    const uint8_t *end = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
    *out = (struct external_job){0};
    if (!end)
        return error_set(err, ERR_INVALID, "the job has no line");
    int failed = json_parse(bytes_of(text.data, (size_t)(end - text.data)), CA_EXTERNAL_JOB_BYTES, document, err);
    if (failed < 0)
        return failed;
    out->key_pem = bytes_of(end + 1, text.size - (size_t)(end + 1 - text.data));
    out->roots_pem = bytes_of_string(json_string(*document, "roots", NULL));
    out->chain_pem = bytes_of_string(json_string(*document, "certificate", NULL));
    out->body = json_string(*document, "body", NULL);
    return read_urls(json_array(*document, "urls"), out, err);
}

char *external_answer_print(const struct error *failure, const char *certificate_pem, const char *url)
{
    cleanup_json cJSON *json = cJSON_CreateObject();
    if (failure) {
        json_add_string(json, "error", error_name(failure->code));
        json_add_string(json, "message", failure->message);
    } else {
        json_add_string(json, certificate_pem ? "certificate" : "reached", certificate_pem ? certificate_pem : url);
    }
    return json_print(json);
}

int external_answer_parse(struct bytes text, struct buf *certificate_pem, struct error *err)
{
    struct error why;
    cleanup_json cJSON *json = NULL;
    if (json_parse(text, CA_EXTERNAL_JOB_BYTES, &json, &why) < 0)
        return error_set(err, ERR_INTERNAL, "skep-external-ca gave no answer: %s", why.message);
    int code = error_from_name(json_string(json, "error", NULL));
    if (code < 0)
        return error_set(err, code, "%s", json_string(json, "message", "it gives no reason"));
    const char *certificate = json_string(json, "certificate", NULL);
    if (!certificate && text_empty(json_string(json, "reached", NULL)))
        return error_set(err, ERR_INTERNAL, "skep-external-ca gave an answer that says nothing");
    buf_append_string(certificate_pem, certificate ? certificate : "");
    return 0;
}
