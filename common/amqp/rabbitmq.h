/* SPDX-License-Identifier: Apache-2.0
 *
 * rabbitmq.h: rabbitmq-c's headers, which have a folder of their own since 0.12. From then on the
 * old names warn.
 */
#ifndef WARREN_AMQP_RABBITMQ_H
#define WARREN_AMQP_RABBITMQ_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#endif
