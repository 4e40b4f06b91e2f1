/* cli/host.h – what the command needs of its operating system beyond libuv; host_<os>.c. */
#ifndef SKEP_CLI_HOST_H
#define SKEP_CLI_HOST_H

/* A reader that goes away is an error of the write, not a signal that ends us. */
void cli_host_prepare(void);

#endif
