/* SPDX-License-Identifier: Apache-2.0
 *
 * accounts.c: creates the logins, with passwords and rights, by the management API.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/base/secret.h"
#include "common/model/job.h"
#include "common/topology/declared.h"

/* A call whose answer has no content of interest. */
static int send_command(struct http_client *management, const char *method, const char *path,
                        json_t *body, struct err *e)
{
        struct http_reply reply = {0};
        int status = management_call(management, method, path, body, &reply, e);
        http_reply_fini(&reply);
        return status;
}

static int put_rights(struct http_client *management, const char *vhost, const struct account *a,
                      struct err *e)
{
        AUTO_BUFFER path = {0};
        management_path(&path, "/api/permissions/", vhost, a->login);
        if (send_command(management, "PUT", path.data,
                         json_pack("{ss ss ss}", "configure", a->configure, "write", a->write,
                                   "read", a->read),
                         e) < 0)
                return err_wrap(e, "login %s", a->login);
        return 0;
}

static int put_account(struct http_client *management, const char *vhost, const struct account *a,
                       const char *password, struct err *e)
{
        AUTO_BUFFER path = {0};
        management_path(&path, "/api/users/", a->login, NULL);
        if (send_command(management, "PUT", path.data,
                         json_pack("{ss ss}", "password", password, "tags", a->tags), e) < 0)
                return err_wrap(e, "login %s", a->login);
        return put_rights(management, vhost, a, e);
}

/* The password in the file, which is created if it is missing. NULL: failed. */
static char *password_of(const char *path, struct err *e)
{
        if (access(path, F_OK) < 0) {
                char fresh[SECRET_RANDOM_SIZE];
                secret_random(fresh);
                if (file_replace(path, fresh, e) < 0)
                        return NULL;
        }
        return secret_read(path, e);
}

static int put_with_password(struct http_client *management, const char *vhost,
                             const struct account *a, const char *folder, struct err *e)
{
        AUTO_FREE char *path = xasprintf("%s/%s.password", folder, a->login);
        AUTO_FREE char *password = password_of(path, e);
        return password == NULL ? -1 : put_account(management, vhost, a, password, e);
}

int topology_put_accounts(struct http_client *management, const char *vhost, const char *folder,
                          struct err *e)
{
        struct broker_version version;
        if (topology_broker_version(management, &version, e) < 0)
                return -1;
        for (const struct account *a = topology_accounts; a->login != NULL; a++) {
                const struct account fit = account_for(a, passive_declare_of(&version));
                if (strcmp(a->login, "warren-admin") != 0 &&
                    put_with_password(management, vhost, &fit, folder, e) < 0)
                        return -1;
        }
        return 0;
}

json_t *fetch_rights(struct http_client *management, const char *vhost, struct err *e)
{
        AUTO_BUFFER path = {0};
        management_path(&path, "/api/vhosts/", vhost, "permissions");
        return management_get(management, path.data, e);
}

const json_t *rights_of(const json_t *rights, const char *login)
{
        size_t i;
        json_t *row;
        json_array_foreach(rights, i, row)
        {
                const char *user = json_string_value(json_object_get(row, "user"));
                if (user != NULL && strcmp(user, login) == 0)
                        return row;
        }
        return NULL;
}

static int put_rights_of_all(struct http_client *management, const char *vhost, struct err *e)
{
        struct broker_version version;
        json_auto_t *rights = fetch_rights(management, vhost, e);
        if (rights == NULL || topology_broker_version(management, &version, e) < 0)
                return -1;
        for (const struct account *a = topology_accounts; a->login != NULL; a++) {
                const struct account fit = account_for(a, passive_declare_of(&version));
                if (strcmp(a->login, "warren-admin") != 0 && rights_of(rights, a->login) != NULL &&
                    put_rights(management, vhost, &fit, e) < 0)
                        return -1;
        }
        return 0;
}

int topology_apply_managed(struct http_client *management, const char *vhost, struct err *e)
{
        AUTO_BUFFER path = {0};
        management_path(&path, "/api/policies/", vhost, DELIVERY_POLICY);
        if (send_command(management, "PUT", path.data, declared_policy(), e) < 0)
                return err_wrap(e, "policy %s", DELIVERY_POLICY);
        return put_rights_of_all(management, vhost, e);
}

struct account account_of_tenant(const char *tenant, char **login, char **write)
{
        *login = xasprintf("tenant-%s", tenant);
        *write = xasprintf("^jobs\\.%s$", tenant);
        return (struct account){.login = *login,
                                .configure = RIGHT_TO_NOTHING,
                                .write = *write,
                                .read = RIGHT_TO_NOTHING,
                                .tags = ""};
}

int topology_put_tenant_account(struct http_client *management, const char *vhost,
                                const char *tenant, const char *password, struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        AUTO_FREE char *login = NULL;
        AUTO_FREE char *write = NULL;
        const struct account a = account_of_tenant(tenant, &login, &write);
        return put_account(management, vhost, &a, password, e);
}

int topology_delete_tenant_account(struct http_client *management, const char *tenant,
                                   struct err *e)
{
        if (!tenant_name_is_valid(bytes_of_text(tenant)))
                return err_set(e, ERR_INVALID, "%.64s is no tenant name", tenant);
        AUTO_BUFFER path = {0};
        AUTO_FREE char *login = xasprintf("tenant-%s", tenant);
        management_path(&path, "/api/users/", login, NULL);
        struct err refused = {0};
        int status = send_command(management, "DELETE", path.data, NULL, &refused);
        if (status == 0 || refused.code == ERR_NOT_FOUND)
                return 0;
        return err_set(e, refused.code, "%s", refused.text);
}
