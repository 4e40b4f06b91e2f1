/* manager/ca/authorize.c – see authorize.h. */
#include "manager/ca/authorize.h"

#include "base/text.h"

#define INNER "rpc error: code = PermissionDenied desc = " /* how Go prints a status that it wraps */

static bool has_unit(const struct ca_papers *papers, const char *unit)
{
    for (size_t i = 0; i < papers->unit_count; i++)
        if (text_equal(papers->units[i], unit))
            return true;
    return false;
}

static bool has_role(const struct ca_papers *papers, enum method_callers callers)
{
    return has_unit(papers, "swarm-manager") || (callers == METHOD_NODE && has_unit(papers, "swarm-worker"));
}

static const char *roles_text(enum method_callers callers)
{
    return callers == METHOD_NODE ? "[swarm-worker swarm-manager]" : "[swarm-manager]";
}

static bool was_removed(const Docker__Swarmkit__V1__Cluster *cluster, const char *node_id)
{
    for (size_t i = 0; cluster && i < cluster->n_blacklisted_certificates; i++)
        if (text_equal(cluster->blacklisted_certificates[i]->key, node_id))
            return true;
    return false;
}

/* The TLS peer itself. */
static int check_peer(const struct ca_papers *papers, const char *cluster_id, const Docker__Swarmkit__V1__Cluster *cluster,
                      enum method_callers callers, struct error *err)
{
    if (!papers)
        return error_set(err, ERR_PERMISSION, "no client certificates in request");
    if (!has_role(papers, callers))
        return error_set(err, ERR_PERMISSION, "Permission denied: remote certificate not part of OUs: %s", roles_text(callers));
    if (was_removed(cluster, papers->node_id))
        return error_set(err, ERR_PERMISSION, "Permission denied: node %s was removed from swarm", papers->node_id);
    if (!text_equal(papers->cluster_id, cluster_id))
        return error_set(err, ERR_PERMISSION, "Permission denied: remote certificate not part of organization: %s", cluster_id);
    return 0;
}

/* The one for whom a manager calls. Its certificate was verified there; that it was removed is known here at the latest. */
static int check_forwarded(const struct ca_papers *papers, const char *cluster_id, const Docker__Swarmkit__V1__Cluster *cluster,
                           enum method_callers callers, struct error *err)
{
    if (text_empty(papers->node_id) || text_empty(papers->cluster_id) || papers->unit_count == 0)
        return error_set(err, ERR_PERMISSION, "Permission denied: missing information in forwarded request");
    if (!has_role(papers, callers))
        return error_set(err, ERR_PERMISSION, "Permission denied: unauthorized forwarded role, expecting: %s", roles_text(callers));
    if (was_removed(cluster, papers->node_id))
        return error_set(err, ERR_PERMISSION, "Permission denied: node %s was removed from swarm", papers->node_id);
    if (!text_equal(papers->cluster_id, cluster_id))
        return error_set(err, ERR_PERMISSION, "Permission denied: organization mismatch, expecting: %s", cluster_id);
    return 0;
}

int ca_authorize(const struct ca_caller *caller, const char *cluster_id, const Docker__Swarmkit__V1__Cluster *cluster,
                 enum method_callers callers, const char **node_id, struct error *err)
{
    struct error why;
    *node_id = NULL;
    if (callers == METHOD_ANYONE)
        return 0;
    if (check_peer(caller->papers, cluster_id, cluster, caller->is_forwarded ? METHOD_MANAGER : callers, &why) < 0)
        return error_set(err, ERR_PERMISSION, "Permission denied: unauthorized %s role: " INNER "%s",
                         caller->is_forwarded ? "forwarder" : "peer", why.message);
    int failed = caller->is_forwarded ? check_forwarded(&caller->forwarded, cluster_id, cluster, callers, err) : 0;
    if (failed == 0)
        *node_id = caller->is_forwarded ? caller->forwarded.node_id : caller->papers->node_id;
    return failed;
}
