/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "events.h"
#include "handlers.h"
#include "invitations.h"
#include "provisions.h"
#include "reset_term.h"
#include "takeover.h"

/* clang-format off */
static const HttpRoute routes[] = {
    {"POST", "/v1/tasks", ROLE_OPERATOR, handle_submit, .does = "submit {kind} {job}"},
    {"GET", "/v1/tasks", ROLE_VIEWER, handle_list_tasks, .query = "state,limit,before"},
    {"GET", "/v1/tasks/{id}", ROLE_VIEWER, handle_get_task},
    {"GET", "/v1/tasks/{id}/why", ROLE_VIEWER, handle_get_why},
    {"GET", "/v1/tasks/{id}/log", ROLE_VIEWER, handle_get_log, .query = "stream,offset,run,node,whole"},
    {"POST", "/v1/tasks/{id}/request", ROLE_OPERATOR, handle_request, .does = "{action} task {id}"},
    {"POST", "/v1/tasks/{id}/set", ROLE_OPERATOR, handle_set, .does = "set task {id}"},
    {"GET", "/v1/tasklets", ROLE_VIEWER, handle_list_tasklets},
    {"GET", "/v1/tasklets/{name}", ROLE_VIEWER, handle_get_tasklet},
    {"GET", "/v1/schedules", ROLE_VIEWER, handle_list_schedules},
    {"GET", "/v1/schedules/{name}", ROLE_VIEWER, handle_get_schedule},
    {"POST", "/v1/schedules/{name}", ROLE_OPERATOR, handle_apply_schedule, .does = "apply schedule {name}"},
    {"POST", "/v1/schedules/{name}/request", ROLE_OPERATOR, handle_change_schedule, .does = "{action} schedule {name}"},
    {"GET", "/v1/forecast", ROLE_VIEWER, handle_forecast, .query = "until"},
    {"GET", "/v1/results", ROLE_VIEWER, handle_list_results, .query = "limit"},
    {"GET", "/v1/results/{run}", ROLE_VIEWER, handle_get_result, .query = "node"},
    {"GET", "/v1/results/{run}/{file...}", ROLE_OPERATOR, handle_get_result_file, .query = "node", .does = "read {file} of the result of run {run}"},
    {"GET", "/v1/nodes", ROLE_VIEWER, handle_list_nodes},
    {"POST", "/v1/nodes/{name}/pause", ROLE_OPERATOR, handle_pause, .does = "pause {name}"},
    {"POST", "/v1/nodes/{name}/resume", ROLE_OPERATOR, handle_resume, .does = "resume {name}"},
    {"POST", "/v1/nodes/{name}/cordon", ROLE_OPERATOR, handle_cordon, .does = "cordon {name}"},
    {"POST", "/v1/nodes/{name}/provision", ROLE_ADMIN, handle_provision, .does = "fill {name} with the data of another"},
    {"POST", "/v1/nodes/{name}/invite", ROLE_ADMIN, handle_invite, .does = "invite {name} to join"},
    {"POST", "/v1/nodes/{name}/revoke", ROLE_ADMIN, handle_revoke, .does = "withdraw the invitation of {name}"},
    {"GET", "/v1/invitations", ROLE_VIEWER, handle_invitations},
    {"POST", "/v1/nodes/{name}/remove", ROLE_ADMIN, handle_remove, .does = "count {name} out"},
    {"GET", "/v1/provision", ROLE_VIEWER, handle_provision_show},
    {"POST", "/v1/nodes/{name}/uncordon", ROLE_OPERATOR, handle_uncordon, .does = "uncordon {name}"},
    {"GET", "/v1/queue", ROLE_VIEWER, handle_queue},
    {"POST", "/v1/queue/manual", ROLE_OPERATOR, handle_manual, .does = "manual mode"},
    {"POST", "/v1/queue/auto", ROLE_OPERATOR, handle_auto, .does = "automatic mode"},
    {"POST", "/v1/queue/quiet", ROLE_OPERATOR, handle_quiet, .does = "let nothing start for a moment"},
    {"POST", "/v1/lanes/{name}/hold", ROLE_OPERATOR, handle_hold_lane, .does = "hold lane {name}"},
    {"POST", "/v1/lanes/{name}/release", ROLE_OPERATOR, handle_release_lane, .does = "release lane {name}"},
    {"GET", "/v1/cluster", ROLE_VIEWER, handle_cluster},
    {"POST", "/v1/cluster/open", ROLE_OPERATOR, handle_open, .does = "open the primary to writes"},
    {"POST", "/v1/cluster/reset-term", ROLE_ADMIN, handle_reset_term, .does = "reset the term"},
    {"GET", "/v1/primary", ROLE_VIEWER, handle_primary},
    {"GET", "/v1/failover", ROLE_VIEWER, handle_failover_plan},
    {"POST", "/v1/failover", ROLE_ADMIN, handle_failover, .does = "begin a failover"},
    {"POST", "/v1/failover/give-up", ROLE_ADMIN, handle_failover_give_up, .does = "give the failover up"},
    {"GET", "/v1/failovers", ROLE_VIEWER, handle_failover_list},
    {"GET", "/v1/failovers/{id}", ROLE_VIEWER, handle_failover_show},
    {"POST", "/v1/maintenance", ROLE_ADMIN, handle_maintenance, .does = "set maintenance"},
    {"GET", "/v1/status", ROLE_VIEWER, handle_status},
    {"GET", "/v1/check", ROLE_VIEWER, handle_check},
    {"GET", "/v1/events", ROLE_VIEWER, events_handle_get, .query = "after,wait_ms,limit"},
    {"GET", "/healthz", ROLE_HEALTH, handle_healthz},
    {"GET", "/metrics", ROLE_HEALTH, handle_metrics},
    {0},
};
/* clang-format on */

static void audit(void *context, const HttpAudit *a)
{
    AUTOFREE char *text = http_audit_text(a);
    events_add(context, http_audit_level(a), "audit", a->about, NULL, NULL, "%s", text);
}

bool routes_configure(Coord *c, Err *err)
{
    RoleMap *fresh = NULL;
    if (!roles_load(c->config_path, &c->conf.roles, &fresh, err))
        return false;
    if (c->server)
        http_set_roles(c->server, fresh);
    roles_free(c->roles);
    c->roles = fresh;
    return true;
}

bool routes_open(Coord *c, Err *err)
{
    if (!routes_configure(c, err))
        return false;
    const HttpService service = {.listen = &c->conf.listen,
                                 .tls = &c->conf.tls,
                                 .routes = routes,
                                 .roles = c->roles,
                                 .context = c,
                                 .audit = audit};
    return http_serve(c->base, &service, &c->server, err);
}
