/* SPDX-License-Identifier: MIT */
/*
 * A survey: what the supervisor knows of the segments that live, at one moment, asked for by any process of the domain.
 *
 * The answer is a memory object full of 64-bit words, since there may be a million segments: for each one a struct
 * shmx_survey_item and then its holders. The supervisor is trusted, but what is read is checked against the size.
 */
#ifndef SHMX_CORE_SURVEY_H
#define SHMX_CORE_SURVEY_H

#include "core/link.h"

struct shmx_survey_item {
  uint64_t segment, chunk, size;
  uint32_t maker;      /* the number of the worker that made it; 0: main, or a worker that is gone (see the id) */
  uint32_t nholders;   /* processes that hold it */
  uint32_t task_holds; /* tasks on the board that bring it as an argument */
  uint32_t in_transit; /* 1: on its way to main */
};

struct shmx_survey_holder {
  uint32_t peer;
  uint32_t worker; /* its number in its pool; 0: main */
};

struct shmx_survey {
  void *base;
  uint64_t size, at;
};

/* Asks about one segment, or about all (0). 0, -EPIPE, or -errno. */
int shmx_survey_open(struct shmx_link *link, uint64_t segment, struct shmx_survey *survey);
/* The next segment and its holders; false at the end. */
bool shmx_survey_next(struct shmx_survey *survey, const struct shmx_survey_item **item,
                      const struct shmx_survey_holder **holders);
void shmx_survey_close(struct shmx_survey *survey);

#endif
