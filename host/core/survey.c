/* SPDX-License-Identifier: MIT */
/*
 * See survey.h. This is the side that asks; supervisor_survey.c answers.
 */
#include "core/survey.h"

#include <errno.h>

int shmx_survey_open(struct shmx_link *link, uint64_t segment, struct shmx_survey *survey) {
  struct shmx_request request = {.type = SHMX_REQ_SURVEY, .id = segment};
  int fd = -1;
  *survey = (struct shmx_survey){0};
  int r = shmx_link_wait_read(link); /* what we have said ourselves is to be in it */
  if (r == 0) r = shmx_link_request(link, &request, NULL, 0);
  if (r == 0) r = shmx_link_answer(link, &request, &fd);
  if (r == 0) r = request.error;
  if (r == 0 && request.size > 0) r = fd < 0 ? -EPROTO : shmx_os_map(fd, request.size, &survey->base);
  if (r == 0) survey->size = request.size;
  if (fd >= 0) close(fd);
  return r;
}

bool shmx_survey_next(struct shmx_survey *survey, const struct shmx_survey_item **item,
                      const struct shmx_survey_holder **holders) {
  const char *at = (const char *)survey->base + survey->at;
  uint64_t left = survey->size - survey->at;
  *item = (const void *)at;
  if (left < sizeof **item || (*item)->segment == 0) return false;
  left -= sizeof **item;
  if ((*item)->nholders > left / sizeof **holders) return false;
  *holders = (const void *)(at + sizeof **item);
  survey->at += sizeof **item + (*item)->nholders * sizeof **holders;
  return true;
}

void shmx_survey_close(struct shmx_survey *survey) {
  if (survey->base) shmx_os_unmap(survey->base, survey->size);
  survey->base = NULL;
}
