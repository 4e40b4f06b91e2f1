/* runtime/image/defaults.h – where this system keeps what nobody named. */
#ifndef SKEP_RUNTIME_IMAGE_DEFAULTS_H
#define SKEP_RUNTIME_IMAGE_DEFAULTS_H

/* Valid as long as the program runs. Docker's own places for the certificates. */
const char *image_default_store(void);
const char *image_default_certs_dir(void);

/* "host:5000" as the name of a directory there; freed by the caller. */
char *image_certs_name(const char *host_and_port);

#endif
