/* SPDX-License-Identifier: Apache-2.0
 *
 * accounts.c: the logins of docs/amqp.md with the least they need, and a tenant's own. Patterns are
 * anchored because RabbitMQ's are not.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/config.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/secret.h"
#include "common/model/job.h"
#include "common/topology/declared.h"

#define NOTHING "^$"

const struct account topology_accounts[] = {
        {
                .login = "warren-admin",
                .configure = ".*",
                .write = ".*",
                .read = ".*",
                .tags = "administrator",
        },
        {
                .login = "warren-provision",
                .configure = "^(jobs|slots)\\..*$",
                .write = "^((jobs|slots)\\..*|control|sync|events|dead|unroutable|amq\\.default)$",
                .read = "^((jobs|slots)\\..*|due|control)$",
                .tags = "",
        },
        {
                .login = "warren-gateway",
                .configure = NOTHING,
                .write = "^((jobs|delay)\\..*|events|marks|admits|sync)$",
                .read = "^(events|control|admits)$",
                .tags = "",
        },
        {
                .login = "warren-consumer",
                .configure = NOTHING,
                .write = "^(delay\\..*|due|dead|events|sync)$",
                .read = "^((jobs|slots)\\..*|control|marks)$",
                .tags = "",
        },
        {
                .login = "warren-status-store",
                .configure = NOTHING,
                .write = "^sync$",
                .read = "^(events|control)$",
                .tags = "",
        },
        {
                .login = "warren-dlx-monitor",
                .configure = NOTHING,
                .write = "^((jobs|delay)\\..*|events|sync)$",
                .read = "^(dead|unroutable|events|control)$",
                .tags = "",
        },
        {.login = NULL},
};

/* prefix/first or prefix/first/second, percent-encoded. */
static void add_path(struct buffer *out, const char *prefix, const char *first, const char *second)
{
        buffer_add_text(out, prefix);
        url_encode(out, first);
        if (second != NULL) {
                buffer_add_char(out, '/');
                url_encode(out, second);
        }
}

static enum err_code status_code(int status)
{
        if (status == 404)
                return ERR_NOT_FOUND;
        return status == 401 || status == 403 ? ERR_FORBIDDEN : ERR_UNAVAILABLE;
}

int management_call(struct http_client *management, const char *method, const char *path,
                    json_t *body, struct http_reply *reply, struct err *e)
{
        AUTO_FREE char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        const struct http_call call = {.method = method, .path = path, .body = bytes_of_text(text)};
        if (http_client_call(management, &call, reply, e) < 0)
                return err_wrap(e, "management API");
        if (reply->status < 300)
                return 0;
        return err_set(e, status_code(reply->status), "management API: %s %s answered %d", method,
                       path, reply->status);
}

/* A call whose answer says no more than that it was done. */
static int tell(struct http_client *management, const char *method, const char *path, json_t *body,
                struct err *e)
{
        struct http_reply reply = {0};
        int status = management_call(management, method, path, body, &reply, e);
        http_reply_fini(&reply);
        return status;
}

int topology_put_account(struct http_client *management, const char *vhost, const struct account *a,
                         const char *password, struct err *e)
{
        AUTO_BUFFER user = {0};
        AUTO_BUFFER permissions = {0};
        add_path(&user, "/api/users/", a->login, NULL);
        add_path(&permissions, "/api/permissions/", vhost, a->login);
        if (tell(management, "PUT", user.data,
                 json_pack("{ss ss}", "password", password, "tags", a->tags), e) < 0 ||
            tell(management, "PUT", permissions.data,
                 json_pack("{ss ss ss}", "configure", a->configure, "write", a->write, "read",
                           a->read),
                 e) < 0)
                return err_wrap(e, "login %s", a->login);
        return 0;
}

/* The password in the file, which is made when it is not there. NULL on failure. */
static char *password_of(const char *path, struct err *e)
{
        if (access(path, F_OK) < 0) {
                char fresh[SECRET_RANDOM_SIZE];
                secret_random(fresh);
                if (secret_write(path, fresh, e) < 0)
                        return NULL;
        }
        return secret_read(path, e);
}

int topology_put_accounts(struct http_client *management, const char *vhost, const char *folder,
                          struct err *e)
{
        for (const struct account *a = topology_accounts; a->login != NULL; a++) {
                if (strcmp(a->login, "warren-admin") == 0)
                        continue;
                AUTO_FREE char *path = xasprintf("%s/%s.password", folder, a->login);
                AUTO_FREE char *password = password_of(path, e);
                if (password == NULL || topology_put_account(management, vhost, a, password, e) < 0)
                        return -1;
        }
        return 0;
}

int topology_put_tenant_account(struct http_client *management, const char *vhost,
                                const char *tenant, const char *password, struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        AUTO_FREE char *login = xasprintf("tenant-%s", tenant);
        AUTO_FREE char *write = xasprintf("^jobs\\.%s$", tenant);
        const struct account a = {
                .login = login, .configure = NOTHING, .write = write, .read = NOTHING, .tags = ""};
        return topology_put_account(management, vhost, &a, password, e);
}

int topology_delete_tenant_account(struct http_client *management, const char *tenant,
                                   struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        AUTO_BUFFER path = {0};
        AUTO_FREE char *login = xasprintf("tenant-%s", tenant);
        add_path(&path, "/api/users/", login, NULL);
        struct err refused = {0};
        int status = tell(management, "DELETE", path.data, NULL, &refused);
        if (status == 0 || refused.code == ERR_NOT_FOUND)
                return 0;
        return err_set(e, refused.code, "%s", refused.text);
}
