/* cli/host.h – what the command needs of its operating system beyond libuv; host_<os>.c. */
#ifndef SKEP_CLI_HOST_H
#define SKEP_CLI_HOST_H

#include <stdbool.h>

/* A reader that goes away is an error of the write, not a signal that ends us. */
void cli_host_prepare(void);

/* Standard input is a person's terminal; shall it show what is typed? */
bool cli_host_is_typed(void);
void cli_host_echo(bool is_shown);

#endif
