/* runtime/image/defaults.h – what differs by system and is no more than a word: where it keeps what nobody named, and how its layers stand.
 */
#ifndef SKEP_RUNTIME_IMAGE_DEFAULTS_H
#define SKEP_RUNTIME_IMAGE_DEFAULTS_H

#include <stdbool.h>

/* Valid as long as the program runs. Docker's own places for the certificates. */
const char *image_default_store(void);
const char *image_default_certs_dir(void);

/* Is an unpacked layer the same whatever lies below it? If not, it is found by its chain id (chain.h), and by its diff id only what that is
 * made from. */
bool image_layers_stand_alone(void);

/* "host:5000" as the name of a directory there; freed by the caller. */
char *image_certs_name(const char *host_and_port);

#endif
