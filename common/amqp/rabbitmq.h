/* SPDX-License-Identifier: Apache-2.0
 *
 * rabbitmq.h: includes rabbitmq-c's headers. Since 0.12 they have a folder of their own, and the
 * old names cause a warning.
 */
#pragma once

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
