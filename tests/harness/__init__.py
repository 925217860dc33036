# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ and a whole Warren on it, for tests: see tests/integration/README.md."""
