/* raft/alone.h – the way out when a quorum is lost for good: a stopped member's log is made that of a group of one.
 *
 * What was proposed and is in this log counts from then on, also what no majority is known to have: what was acknowledged may be among it.
 * What only the lost members had is lost. They must not come back with their old logs: there would be two groups. */
#ifndef SKEP_RAFT_ALONE_H
#define SKEP_RAFT_ALONE_H

#include "raft/log/log.h"

/* The log in options.dir is nobody's just now. Everything in it is committed, and behind it everyone but @self is removed. Run twice it
 * does nothing the second time. What raft_log_open() and raft_log_flush() fail with; ERR_PRECONDITION: @self is no voter of the group, or a
 * change of several members is half done. *removed: how many were. */
int raft_log_make_alone(const struct raft_log_options *options, uint64_t self, size_t *removed, struct error *err);

#endif
