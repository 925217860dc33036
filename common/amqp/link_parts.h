/* SPDX-License-Identifier: Apache-2.0
 *
 * link_parts.h: what the files of common/amqp share and nobody else sees. The loop's thread and the
 * link's thread meet only in `struct link` under its mutex: the loop hands over publishes, settles
 * and orders; the thread hands back notices.
 */
#ifndef WARREN_AMQP_LINK_PARTS_H
#define WARREN_AMQP_LINK_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

#include "common/amqp/link.h"
#include "common/amqp/rabbitmq.h"

#define FEED_PROBE UINT64_MAX

enum {
        WORK_CHANNEL = 1,    /* publishes and deliveries */
        DECLARE_CHANNEL = 2, /* declarations, so that a refusal does not void deliveries */
        PUBLISH_BATCH = 256, /* publishes between two looks at the socket */
        READ_BATCH = 4096,   /* frames between two looks at the queues */
        SHORT_STRING_MAX = 255,
        PROPERTIES_MAX = 100 * 1024,  /* must fit into one frame of 128 KiB */
        BODY_MAX = 128 * 1024 * 1024, /* RabbitMQ's own largest message */
        TABLE_DEPTH_MAX = 32,
};

#define CONNECT_LIMIT ((msec)3000)
#define HANDSHAKE_LIMIT ((msec)5000)
#define CLOSE_LIMIT ((msec)1000)
#define DECLARE_LIMIT ((msec)30000)
#define LAZY_ACK ((msec)5)
#define REFUSED_RETRY ((msec)5000)
#define BACKOFF_MIN ((msec)100)
#define BACKOFF_MAX ((msec)5000)
#define STREAM_BACKOFF ((msec)2000) /* after a connection whose stream was not there */

/* A singly linked queue of things that begin with a node. */
struct node {
        struct node *next;
};

struct node_list {
        struct node *first, *last;
};

void node_list_add(struct node_list *l, struct node *n);
void node_list_append(struct node_list *l, struct node_list *more);   /* empties more */
void node_list_prepend(struct node_list *l, struct node_list *front); /* empties front */
struct node *node_list_take(struct node_list *l);                     /* NULL when empty */

enum notice_kind {
        NOTICE_DELIVERY,
        NOTICE_PUBLISHED,
        NOTICE_DECLARED,
        NOTICE_UP,
        NOTICE_DOWN,
        NOTICE_BLOCKED,
        NOTICE_UNBLOCKED,
        NOTICE_REFUSED,
        NOTICE_WHERE, /* a stream wants to know where to start */
        NOTICE_GONE,  /* the last one about a subscription */
        NOTICE_DRAINED,
};

/* From the thread to the loop. */
struct notice {
        struct node node;
        enum notice_kind kind;
};

struct notice_plain { /* UP, DOWN, BLOCKED, UNBLOCKED, REFUSED, WHERE, GONE, DRAINED */
        struct notice notice;
        struct subscription *subscription;
        uint64_t epoch; /* WHERE */
        bool clean;     /* DRAINED */
        struct err why; /* DOWN, REFUSED */
};

/* One allocation: the struct, the header entries, the strings, the body. */
struct publish {
        struct notice notice;
        enum link_result result;
        struct publish_wait wait;
        size_t cost; /* bytes it takes of the window */
        msec since;  /* when the time for its confirm began; 0: it has not */
        bool written, returned, mandatory, again;
        bool probe; /* the link's own, see feed.c */
        amqp_bytes_t exchange, routing_key, body;
        amqp_bytes_t raw;                   /* property list as given, instead of `properties` */
        amqp_basic_properties_t properties; /* has room for one more header */
};

/* One allocation: the struct, the property list, the names, the body. */
struct box {
        struct notice notice;
        struct link *link; /* NULL once the link is destroyed */
        enum settle how;
        bool stream;
        /* link's thread only */
        uint16_t company; /* acks to wait for */
        bool acked;       /* settled, not yet written */
        bool waited;
        bool listed; /* in `unsettled` */
        size_t size;
        uint64_t epoch, tag;
        struct box *prev, *next;           /* thread: unsettled, in the order of tags */
        struct box *held_prev, *held_next; /* loop: handed to its owner */
        struct delivery delivery;
};

enum order_kind { ORDER_SUBSCRIBE, ORDER_CONSUME, ORDER_UNSUBSCRIBE, ORDER_DRAIN };

/* From the loop to the thread. */
struct order {
        struct node node;
        enum order_kind kind;
        struct subscription *subscription;
        enum source_start start;
        int64_t offset;
        uint64_t epoch;
        msec limit;
};

enum subscription_state {
        SUBSCRIPTION_IDLE,    /* not connected */
        SUBSCRIPTION_PROBING, /* is the queue there? */
        SUBSCRIPTION_ASKING,  /* where to start? */
        SUBSCRIPTION_SENT,
        SUBSCRIPTION_ACTIVE,
        SUBSCRIPTION_REFUSED,
};

struct subscription {
        /* set before the thread sees it */
        struct link *link;
        uint64_t id;
        char *queue;
        struct source source;
        delivery_fn *on;
        void *owner;
        /* loop only */
        bool closed;
        struct subscription *prev, *next;
        /* thread only */
        UT_hash_handle hh; /* by id */
        enum subscription_state state;
        bool renewing; /* counts among those that `up` waits for */
        bool reported; /* the owner knows that it is refused */
        msec retry_at;
};

/* One allocation: the struct, its arguments, the strings. */
struct request {
        struct notice notice;
        enum declare_what what;
        amqp_bytes_t name, type, source, key;
        amqp_table_t arguments;
        bool if_unused;
        uint64_t probe; /* a subscription's id, or FEED_PROBE: asked by the thread itself */
        msec deadline;
        bool reported; /* too late for its owner, but its answer is still to come */
        declared_fn *done;
        void *owner;
        struct err why;
        uint32_t messages, consumers;
};

struct address {
        char *host, *vhost;
        int port;
        bool tls;
};

/* Messages come as a method, a header and body frames; frames of two channels mix, those of one
 * message do not. */
struct assembly {
        bool active, returned; /* returned: a basic.return */
        amqp_basic_deliver_t deliver;
        amqp_basic_return_t back;
        amqp_bytes_t message_id;
        struct box *box; /* NULL until the header is here */
        char *own_body;  /* a return's */
        char *body;      /* where the next bytes go */
        size_t left;
        size_t size;
};

enum feed_state {
        FEED_SHUT,    /* not connected */
        FEED_WAITS,   /* to look for the stream at feed_at */
        FEED_ASKED,   /* the answer must be here by feed_at */
        FEED_PROBED,  /* likewise the confirm */
        FEED_REFUSED, /* the probe was not kept: the connection ends */
        FEED_OPEN,    /* publishes may go */
};

struct known_queue {
        UT_hash_handle hh;
        char name[];
};

/* Only the link's thread touches this. */
struct engine {
        amqp_connection_state_t connection; /* NULL: down */
        int fd;
        size_t address;
        msec connect_at, backoff;
        msec read_at;   /* the last look at the socket */
        bool read_more; /* the last look ended before the socket was empty */
        uint64_t epoch;
        bool blocked, down_reported;
        struct err why;
        unsigned renewing;
        enum feed_state feed;
        msec feed_at, feed_since;
        struct assembly assembly;
        /* publishes */
        struct node_list waiting; /* not yet written */
        struct publish **ring;    /* unconfirmed, by tag & (ring_size - 1) */
        size_t ring_size;
        uint64_t first_tag, next_tag; /* first_tag <= tag < next_tag are in the ring */
        struct buffer out;            /* frames to be sent as one */
        size_t careful; /* so many go one by one: one of them made the broker close the channel */
        /* deliveries */
        struct box *unsettled;
        size_t unsettled_bytes; /* of all that are not freed yet, void ones too */
        msec paused_at;         /* reading; 0: it is not paused */
        msec beat_at;           /* the last heartbeat since then */
        struct node_list acked; /* not yet written */
        uint32_t acked_count, acked_enough;
        msec acked_since;                   /* 0: none that is in a hurry */
        struct subscription *subscriptions; /* hash */
        struct known_queue *known;          /* hash */
        uint64_t *consuming; /* ids whose consume-ok is still to come, oldest first */
        size_t consuming_first, consuming_count, consuming_size;
        int prefetch;  /* as last set on the channel; -1: not yet */
        msec retry_at; /* the earliest of the refused; 0: none */
        /* declarations */
        bool declare_channel_open;
        struct node_list declares, declares_sent;
        /* drain */
        bool draining;
        msec drain_deadline;      /* 0: over */
        struct node_list notices; /* to hand over at the end of the round */
};

struct doorbell {
        uv_async_t async;
        struct link *link; /* NULL once destroyed */
};

struct link {
        /* set before the thread starts */
        struct address *addresses;
        size_t address_count;
        char *login, *password, *name, *ca_file;
        char *stream; /* or NULL */
        msec heartbeat, confirm_timeout;
        uint32_t window_messages;
        size_t window_bytes, read_bytes;
        bool resend;
        struct link_events on;
        void *owner;
        pthread_t thread;
        int wake_fd;
        /* loop only */
        struct doorbell *doorbell;
        struct box *held;
        struct subscription *subscriptions;
        uint64_t next_id;
        struct node_list dispatching;
        bool *destroyed; /* set while callbacks run */
        drained_fn *drained;
        void *drained_owner;
        /* guarded by mutex */
        pthread_mutex_t mutex;
        struct node_list publishes, settles, orders, requests;
        struct node_list outbox;
        bool sleeping;   /* the thread waits in poll */
        bool accepting;  /* connected, the stream there, and not blocked */
        bool streamless; /* connected, but the stream is not there */
        bool closing;    /* refuse publishes: drained or destroyed */
        bool stopping;   /* end the thread */
        int shut_fd;     /* the connection's socket, to be shut down by link_destroy; -1 */
        /* any thread */
        atomic_uint in_flight;
        atomic_size_t in_flight_bytes;
        atomic_bool up, blocked;
        atomic_ullong live_epoch; /* 0: down */
        /* link's thread only */
        struct engine engine;
};

/* engine.c: the thread */
bool engine_is_connected(const struct link *l);
void *engine_run(void *link);
void engine_post(struct link *l, struct notice *n, enum notice_kind kind);
struct notice_plain *engine_post_plain(struct link *l, enum notice_kind kind,
                                       struct subscription *s);
/* Remembers why the connection must end. Always -1. */
int engine_fail(struct link *l, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);
int engine_fail_status(struct link *l, int status, const char *doing);
void engine_report_down(struct link *l);
/* Between a half and the whole of `wait`. */
msec engine_jittered(msec wait);
/* The broker raised or lifted its alarm. */
void engine_set_blocked(struct link *l, bool blocked);

/* connection.c */
int address_list_parse(struct link *l, const char *urls, struct err *e) MUST_CHECK;
void address_list_fini(struct link *l);
int connection_open(struct link *l) MUST_CHECK; /* engine.why says why not */
void connection_close(struct link *l, bool orderly);
/* Opens the work channel (again) and begins a new epoch. */
int connection_open_channel(struct link *l) MUST_CHECK;
int connection_send(struct link *l, amqp_channel_t channel, amqp_method_number_t id,
                    void *method) MUST_CHECK;
void connection_cork(struct link *l, bool cork);

/* budget.c */
bool budget_is_spent(const struct link *l);
bool budget_is_pausing(const struct link *l);
/* Pauses or resumes reading. */
void budget_look(struct link *l);
/* Instead of a read; events: what poll says of the socket. */
int budget_keep_alive(struct link *l, short events) MUST_CHECK;
msec budget_deadline(const struct link *l);

/* frames.c */
int frames_read(struct link *l) MUST_CHECK;
void assembly_reset(struct assembly *a);

/* publisher.c */
void publisher_take(struct link *l, struct node_list *more);
int publisher_write(struct link *l) MUST_CHECK;
void publisher_confirm(struct link *l, uint64_t tag, bool multiple, enum link_result result);
void publisher_return(struct link *l, const struct assembly *a);
/* The channel is gone; refused: the broker closed it because of a publish. */
void publisher_disconnected(struct link *l, bool refused);
void publisher_set_blocked(struct link *l, bool blocked);
bool publisher_may_write(const struct link *l);
/* What the broker answered since `from` could not be heard. */
void publisher_skip_time(struct link *l, msec from, msec now);
void publisher_expire(struct link *l, msec now);
msec publisher_deadline(const struct link *l); /* 0: none */
bool publisher_is_idle(const struct link *l);
void publisher_end(struct link *l);
struct publish *publish_create(const struct link *l, const struct message *m,
                               struct err *e) MUST_CHECK;

/* Writes the probe, which feed_probed hears of; nothing else may be in flight. */
int publisher_probe(struct link *l) MUST_CHECK;

/* feed.c */
void feed_begin(struct link *l); /* of a connection */
void feed_end(struct link *l);
bool feed_is_open(const struct link *l);
int feed_keep(struct link *l, msec now) MUST_CHECK;
int feed_answered(struct link *l, const struct err *why) MUST_CHECK;
void feed_probed(struct link *l, enum link_result result);
/* The time in which the broker did not read, or could not be heard, does not count. */
void feed_wait_anew(struct link *l);
msec feed_deadline(const struct link *l); /* 0: none */

/* outgoing.c */
int outgoing_publish(struct link *l, struct publish *p) MUST_CHECK;
int outgoing_flush(struct link *l) MUST_CHECK;

/* subscriptions.c */
int subscriptions_order(struct link *l, struct order *o) MUST_CHECK; /* frees o */
int subscriptions_connected(struct link *l) MUST_CHECK;
/* One less to wait for before `up` is told. */
void subscriptions_count_down(struct link *l);
/* connection_lost: those refused are tried again at once too. */
void subscriptions_disconnected(struct link *l, bool connection_lost);
int subscriptions_retry(struct link *l, msec now) MUST_CHECK;
int subscriptions_probed(struct link *l, uint64_t id, const struct err *why) MUST_CHECK;
void subscriptions_consumed(struct link *l, amqp_bytes_t consumer_tag);
void subscriptions_cancelled(struct link *l, amqp_bytes_t consumer_tag);
/* The channel was closed by a basic.consume: the oldest one unanswered. */
void subscriptions_consume_failed(struct link *l, const struct err *why);
struct subscription *subscriptions_find(struct link *l, amqp_bytes_t consumer_tag, bool *stream);
int subscriptions_cancel_all(struct link *l) MUST_CHECK;
void subscription_free(struct subscription *s);
void subscriptions_end(struct link *l);

/* settles.c */
int settles_take(struct link *l, struct node_list *settles) MUST_CHECK;
int settles_write(struct link *l, bool all) MUST_CHECK;
msec settles_deadline(const struct link *l);
void settles_track(struct link *l, struct box *b);
void settles_disconnected(struct link *l);

/* declarations.c */
struct request *request_create(const struct declaration *d);
void declarations_take(struct link *l, struct node_list *more);
int declarations_write(struct link *l) MUST_CHECK;
/* A passive declare on behalf of a subscription: subscriptions_probed hears of it. */
void declarations_probe(struct link *l, const struct subscription *s);
/* The same on behalf of the link's stream: feed_answered hears of it. */
void declarations_look_for(struct link *l, const char *stream);
int declarations_answered(struct link *l, const amqp_method_t *m) MUST_CHECK;
int declarations_refused(struct link *l, const amqp_channel_close_t *why) MUST_CHECK;
void declarations_disconnected(struct link *l);
void declarations_expire(struct link *l, msec now);
void declarations_skip_time(struct link *l, msec time);
msec declarations_deadline(const struct link *l);
void declarations_end(struct link *l);

/* wire.c */
struct bytes wire_view(amqp_bytes_t b);
amqp_bytes_t wire_bytes(struct bytes b);
amqp_bytes_t wire_text(const char *text); /* NULL: empty */
enum err_code wire_reply_code(uint16_t reply_code);
/* The properties of a header frame, whose strings lie within raw, as a message whose strings lie
 * within copy. */
void wire_message(const amqp_basic_properties_t *p, amqp_bytes_t raw, const char *copy,
                  struct message *m);
/* See properties_as_published. */
int wire_as_published(struct bytes raw, struct buffer *out, struct err *e) MUST_CHECK;
/* The raw property list is whole and nests no deeper than TABLE_DEPTH_MAX. */
int wire_check_properties(struct bytes raw, struct err *e) MUST_CHECK;
/* Copies b to *at, moves *at on, and points b to the copy. */
void wire_place(char **at, amqp_bytes_t *b);

/* link.c and dispatch.c: the loop's side */
void link_dispatch(uv_async_t *async);
void link_wake_locked(struct link *l);
void link_order(struct link *l, struct order order);
void link_give_back(struct box *b, enum settle how);
void link_report_published(struct link *l, struct publish *p);
void link_report_declared(struct request *r);

#endif
