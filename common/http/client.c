/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c: blocking HTTP calls on libcurl, with a few idle handles kept for their connections.
 */
#include "common/http/client.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/own.h"
#include "common/http/curl_setup.h"

/* An idle connection occupies a thread of its server until the server needs that or 20 s have
 * passed. One that has idled for IDLE_AGE_MAX is not used again: the server may be ending it. */
enum { IDLE_MAX = 4 };
#define IDLE_AGE_MAX ((msec)2 * MSEC_SECOND)
#define CONNECT_TIMEOUT_DEFAULT ((msec)2 * MSEC_SECOND)
#define TIMEOUT_DEFAULT ((msec)10 * MSEC_SECOND)
#define ANSWER_MAX_DEFAULT ((size_t)64 * 1024 * 1024)

struct idle {
        CURL *easy;
        msec since; /* on the monotonic clock */
};

struct http_client {
        /* before start */
        struct http_client_config config; /* strings owned */
        atomic_bool stopping;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        struct idle idle[IDLE_MAX]; /* the last used last */
        size_t idle_count;
};

struct exchange {
        struct http_reply *reply;
        size_t answer_max;
        bool too_large;
};

void http_client_global_init(void)
{
        curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy_text(const char *text)
{
        return text != NULL ? xstrdup(text) : NULL;
}

int http_url_check(const char *url, struct err *e)
{
        if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
                return err_set(e, ERR_INVALID, "%s is not an http or https URL", url);
        CURLU *parts = curl_url();
        assert(parts != NULL);
        CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, 0);
        curl_url_cleanup(parts);
        if (code != CURLUE_OK)
                return err_set(e, ERR_INVALID, "%s: %s", url, curl_url_strerror(code));
        return 0;
}

struct http_client *http_client_create(const struct http_client_config *c, struct err *e)
{
        if (http_url_check(c->base_url, e) < 0)
                return NULL;

        AUTO(http_client) client = xcalloc(1, sizeof(*client));
        pthread_mutex_init(&client->mutex, NULL);
        client->config = *c;
        char *base = xstrdup(c->base_url);
        while (strlen(base) > 8 && base[strlen(base) - 1] == '/')
                base[strlen(base) - 1] = '\0';
        client->config.base_url = base;
        client->config.bearer = copy_text(c->bearer);
        client->config.user = copy_text(c->user);
        client->config.password = copy_text(c->password);
        if (c->connect_timeout == 0)
                client->config.connect_timeout = CONNECT_TIMEOUT_DEFAULT;
        if (c->timeout == 0)
                client->config.timeout = TIMEOUT_DEFAULT;
        if (c->answer_max == 0)
                client->config.answer_max = ANSWER_MAX_DEFAULT;
        return TAKE(client);
}

static void free_secret(const char *text)
{
        if (text != NULL)
                explicit_bzero((char *)text, strlen(text));
        free((char *)text);
}

void http_client_destroy(struct http_client **c)
{
        if (*c == NULL)
                return;
        for (size_t i = 0; i < (*c)->idle_count; i++)
                curl_easy_cleanup((*c)->idle[i].easy);
        pthread_mutex_destroy(&(*c)->mutex);
        free((char *)(*c)->config.base_url);
        free((char *)(*c)->config.user);
        free_secret((*c)->config.bearer);
        free_secret((*c)->config.password);
        free(*c);
        *c = NULL;
}

void http_client_stop(struct http_client *c)
{
        atomic_store(&c->stopping, true);
}

/* curl calls it about once a second, also while it waits. Not 0: abort. */
static int on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
        const struct http_client *client = owner;

        (void)a, (void)b, (void)c, (void)d;
        if (client->config.waiting != NULL)
                client->config.waiting(client->config.owner);
        bool stop = client->config.stop != NULL && *client->config.stop != 0;
        return stop || atomic_load(&client->stopping) ? 1 : 0;
}

static void close_old_locked(struct http_client *c)
{
        msec now = clock_mono();
        size_t old = 0;

        while (old < c->idle_count && now - c->idle[old].since >= IDLE_AGE_MAX)
                curl_easy_cleanup(c->idle[old++].easy);
        c->idle_count -= old;
        memmove(c->idle, c->idle + old, c->idle_count * sizeof(c->idle[0]));
}

static CURL *take_handle(struct http_client *c)
{
        CURL *easy = NULL;

        pthread_mutex_lock(&c->mutex);
        close_old_locked(c);
        if (c->idle_count > 0)
                easy = c->idle[--c->idle_count].easy;
        pthread_mutex_unlock(&c->mutex);
        return easy != NULL ? easy : curl_easy_init();
}

static void return_handle(struct http_client *c, CURL *easy)
{
        curl_easy_reset(easy); /* resets options, keeps connections */
        pthread_mutex_lock(&c->mutex);
        bool kept = c->idle_count < IDLE_MAX;
        if (kept)
                c->idle[c->idle_count++] = (struct idle){.easy = easy, .since = clock_mono()};
        pthread_mutex_unlock(&c->mutex);
        if (!kept)
                curl_easy_cleanup(easy);
}

static size_t on_body(char *data, size_t size, size_t count, void *owner)
{
        struct exchange *x = owner;
        size_t length = size * count;

        if (length > x->answer_max - x->reply->body.length) {
                x->too_large = true;
                return 0;
        }
        buffer_add(&x->reply->body, data, length);
        return length;
}

static void add_line(struct curl_slist **list, const char *line)
{
        /* A line break would add a header. */
        assert(strpbrk(line, "\r\n") == NULL);
        struct curl_slist *longer = curl_slist_append(*list, line);
        assert(longer != NULL);
        *list = longer;
}

static struct curl_slist *header_lines(const struct http_client *c, const struct http_call *call)
{
        struct curl_slist *list = NULL;

        /* Without these curl would wait for 100 Continue, and set the type of a form. */
        add_line(&list, "Expect:");
        if (call->body.data != NULL) {
                const char *type = call->content_type;
                AUTO_FREE char *line =
                        xasprintf("Content-Type: %s", type != NULL ? type : "application/json");
                add_line(&list, line);
        }
        if (c->config.bearer != NULL) {
                AUTO_FREE char *bearer = xasprintf("Authorization: Bearer %s", c->config.bearer);
                add_line(&list, bearer);
                explicit_bzero(bearer, strlen(bearer));
        }
        for (const char *const *h = call->headers; h != NULL && *h != NULL; h++)
                add_line(&list, *h);
        return list;
}

static void set_limits(CURL *easy, struct http_client *c, msec timeout)
{
        curl_setup(easy, c->config.connect_timeout);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
}

static void set_request(CURL *easy, const struct http_client *c, const struct http_call *call)
{
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
        if (call->body.data != NULL) {
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.data);
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.length);
        }
        if (strcmp(call->method, "HEAD") == 0)
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        if (c->config.user != NULL) {
                curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
                curl_easy_setopt(easy, CURLOPT_USERNAME, c->config.user);
                curl_easy_setopt(easy, CURLOPT_PASSWORD,
                                 c->config.password != NULL ? c->config.password : "");
        }
}

/* -1: none, or a date. */
static msec read_retry_after(CURL *easy)
{
        struct curl_header *header = NULL;
        char *end = NULL;

        if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
                return -1;
        long seconds = strtol(header->value, &end, 10);
        bool fits = end != header->value && seconds >= 0 && seconds < MSEC_DAY;
        return fits ? (msec)seconds * MSEC_SECOND : -1;
}

static bool read_replayed(CURL *easy)
{
        struct curl_header *header = NULL;

        return curl_easy_header(easy, "Idempotent-Replayed", 0, CURLH_HEADER, -1, &header) ==
                       CURLHE_OK &&
               strcmp(header->value, "true") == 0;
}

static void keep_header(CURL *easy, const char *name, struct http_reply *reply)
{
        struct curl_header *header = NULL;

        if (name == NULL || curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
                return;
        (void)!bytes_to_text(bytes_of_text(header->value), reply->kept, sizeof(reply->kept));
}

static void read_head(CURL *easy, struct http_reply *reply)
{
        long status = 0;
        char *type = NULL;

        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
        reply->status = (int)status;
        reply->retry_after = read_retry_after(easy);
        reply->replayed = read_replayed(easy);
        snprintf(reply->content_type, sizeof(reply->content_type), "%s", type != NULL ? type : "");
}

static bool was_sent(CURL *easy)
{
        long bytes = 0;

        return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

int http_client_call(struct http_client *c, const struct http_call *call, struct http_reply *reply,
                     struct err *e)
{
        char detail[CURL_ERROR_SIZE] = "";
        struct exchange x = {.reply = reply, .answer_max = c->config.answer_max};
        AUTO_FREE char *url = xasprintf("%s%s", c->config.base_url, call->path);
        CURL *easy = take_handle(c);

        if (easy == NULL)
                return err_set(e, ERR_SYSTEM, "cannot make a curl handle");
        reply->retry_after = -1;
        struct curl_slist *lines = header_lines(c, call);
        set_limits(easy, c, call->timeout != 0 ? call->timeout : c->config.timeout);
        set_request(easy, c, call);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &x);

        CURLcode code = curl_easy_perform(easy);
        reply->sent = was_sent(easy);
        if (code == CURLE_OK) {
                read_head(easy, reply);
                keep_header(easy, call->keep_header, reply);
        }
        curl_slist_free_all(lines);
        return_handle(c, easy);
        if (x.too_large)
                return err_set(e, ERR_TOO_LARGE, "the answer exceeds %zu bytes", x.answer_max);
        return curl_judge(code, detail, e);
}

void url_encode(struct buffer *out, const char *text)
{
        char *encoded = curl_easy_escape(NULL, text, 0);

        assert(encoded != NULL);
        buffer_add_text(out, encoded);
        curl_free(encoded);
}

void http_reply_fini(struct http_reply *reply)
{
        buffer_fini(&reply->body);
        *reply = (struct http_reply){0};
}
