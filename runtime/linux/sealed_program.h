/* runtime/linux/sealed_program.h – a program as a sealed copy in memory, to be run by its path below /proc.
 *
 * crun protects itself against containers that write into its file by making such a copy at every start, and by starting once more from it.
 * Started from a sealed copy it sees that there is nothing left to protect: one program start and two mounts less, each time. A program
 * that was replaced on disk is copied anew. Safe to use from any thread. */
#ifndef SKEP_RUNTIME_LINUX_SEALED_PROGRAM_H
#define SKEP_RUNTIME_LINUX_SEALED_PROGRAM_H

struct sealed_program;

struct sealed_program *sealed_program_new(const char *path); /* copied; nothing is read yet */
void sealed_program_free(struct sealed_program *program);    /* may be NULL */

/* The path to run now, freed by the caller: "/proc/<our pid>/fd/<n>", good as long as we live; the original where no copy can be made. */
char *sealed_program_path(struct sealed_program *program);

#endif
