/* SPDX-License-Identifier: Apache-2.0
 *
 * act_job.h: a job that is acted on: its row, whether the act is allowed (act_rules.h), and the
 * intent.
 *
 * Any thread; blocks.
 */
#pragma once

#include "status-store/acts/act_steps.h"

void act_job_fini(struct act_job *j);
#define AUTO_ACT_JOB __attribute__((cleanup(act_job_fini))) struct act_job

/* 1: found; 0; -1. *has_payload: it is stored. */
int act_job_read(const struct act_tools *t, const char *tenant, const char *id, struct act_job *out,
                 bool *has_payload, struct err *e) MUST_CHECK;
/* 1: the tenant is there, and not deleted; 0; -1. */
int act_tenant_lives(const struct act_tools *t, const char *tenant, struct err *e) MUST_CHECK;
/* Reads the job. 1: the plan is made; -1. */
int act_job_judge(const struct act_tools *t, const struct act *act, struct act_job *j,
                  struct act_plan *plan, struct err *e) MUST_CHECK;
/* Fills the intent of a plan that is allowed. */
void act_job_intend(const struct act *act, const struct act_plan *plan, struct act_job *j);
