/* manager/ca/external_job.h – what the daemon and `skep-external-ca` say to each other: one job on standard input, one answer on standard
 * output.
 *
 *     {"urls":["https://…"],"roots":"<PEM>","certificate":"<PEM>","body":"<JSON>"}\n<private key, PEM, to the end>
 *     {"certificate":"<PEM>"}  or  {"reached":"https://…"}  or  {"error":"ERR_PEER","message":"…"}
 *
 * Without a body the external CA is only to be reached. The key stands beside the document so that no parser keeps copies of it. */
#ifndef SKEP_MANAGER_CA_EXTERNAL_JOB_H
#define SKEP_MANAGER_CA_EXTERNAL_JOB_H

#include "base/buf.h"
#include "base/cleanup.h"

/* All borrowed. */
struct external_job {
    const char *urls[CA_EXTERNAL_COUNT]; /* tried in order, until one signs or is reached */
    size_t url_count;
    struct bytes roots_pem;          /* the external CA's own certificate has to come from one of these */
    struct bytes chain_pem, key_pem; /* this manager's, by which it is known there; the key in clear, without header lines */
    const char *body;                /* manager/ca/external.h makes it; NULL: only reach */
};

void external_job_print(const struct external_job *job, struct buf *out); /* @out holds the key: it is made secret */

/* *document keeps what @out borrows, beside @text itself; freed with cJSON_Delete(). ERR_INVALID. */
int external_job_parse(struct bytes text, struct external_job *out, struct cJSON **document, struct error *err);

/* The answer: a failure, or a certificate, or (without one) that @url was reached. Freed with free(). */
char *external_answer_print(const struct error *failure, const char *certificate_pem, const char *url);

/* 0 with the certificate appended, or nothing where only a reach was asked for; the failure that is told; or ERR_INTERNAL for what is no
 * answer. */
int external_answer_parse(struct bytes text, struct buf *certificate_pem, struct error *err);

#endif
