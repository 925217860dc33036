/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: a connection's socket, and whether its client waits for answers.
 */
#include "common/http/connection.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/memory.h"

enum { FD_MAX = 65536, FD_NOT_LOOKED_FOR = -2 };

struct connection {
        int fd;
        bool idle, pipelined;
        uint64_t received; /* bytes, when it became idle */
};

int connection_opened(const struct mg_connection *c, void **data)
{
        struct connection *known = xcalloc(1, sizeof(*known));

        (void)c;
        known->fd = FD_NOT_LOOKED_FOR;
        *data = known;
        return 0;
}

void connection_closing(const struct mg_connection *c)
{
        free(mg_get_user_connection_data(c));
}

static bool is_socket_of(int fd, const struct mg_request_info *info, struct in_addr peer)
{
        struct sockaddr_in far = {0};
        struct sockaddr_in near = {0};
        socklen_t far_size = sizeof(far);
        socklen_t near_size = sizeof(near);

        return getpeername(fd, (struct sockaddr *)&far, &far_size) == 0 &&
               far.sin_family == AF_INET && ntohs(far.sin_port) == info->remote_port &&
               far.sin_addr.s_addr == peer.s_addr &&
               getsockname(fd, (struct sockaddr *)&near, &near_size) == 0 &&
               ntohs(near.sin_port) == info->server_port;
}

/* civetweb does not tell a connection's descriptor, but its two ends name it. */
static int find_descriptor(const struct mg_request_info *info)
{
        struct in_addr peer = {0};

        if (inet_pton(AF_INET, info->remote_addr, &peer) != 1)
                return -1;
        for (int fd = 0; fd < FD_MAX; fd++) {
                if (is_socket_of(fd, info, peer))
                        return fd;
        }
        return -1;
}

int connection_descriptor(struct mg_connection *c)
{
        struct connection *known = mg_get_user_connection_data(c);

        if (known == NULL)
                return -1;
        if (known->fd == FD_NOT_LOOKED_FOR)
                known->fd = find_descriptor(mg_get_request_info(c));
        return known->fd;
}

static uint64_t bytes_received(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return 0;
        return info.tcpi_bytes_received;
}

void connection_idle(struct mg_connection *c)
{
        struct connection *known = mg_get_user_connection_data(c);

        if (known == NULL)
                return;
        known->idle = true;
        known->received = bytes_received(known->fd);
}

void connection_resumed(struct mg_connection *c)
{
        struct connection *known = mg_get_user_connection_data(c);

        if (known == NULL || !known->idle)
                return;
        known->idle = false;
        /* What begins without a byte from outside was there before. */
        if (bytes_received(known->fd) == known->received)
                known->pipelined = true;
}

bool connection_is_pipelined(struct mg_connection *c)
{
        const struct connection *known = mg_get_user_connection_data(c);

        return known != NULL && known->pipelined;
}
