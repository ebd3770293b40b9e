/* SPDX-License-Identifier: MIT */
/*
 * See npy.h. The dictionary is read by a parser for just what can stand in it: strings, True and False, and a tuple of
 * whole numbers. A dtype that is anything but a string, such as the list of a record's fields, is refused by that.
 */
#include "array/npy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAGIC = 6, SHORT_HEAD = 10, LONG_HEAD = 12, ALIGN = 64, WORD = 24 };

static const char magic[MAGIC + 1] = "\x93NUMPY";

struct text {
  const char *at, *end;
};

struct found {
  char descr[WORD];
  bool fortran;
  int ndim; /* -1: no shape yet */
  int64_t shape[SHMX_MAX_NDIM];
};

static int refuse(struct shmx_npy *npy, const char *why) {
  snprintf(npy->why, sizeof npy->why, "%s", why);
  return -EINVAL;
}

/* --- the dictionary --- */

static void skip_spaces(struct text *t) {
  while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t')) t->at++;
}

/* Steps over the character if it is next. */
static bool take(struct text *t, char c) {
  skip_spaces(t);
  if (t->at == t->end || *t->at != c) return false;
  t->at++;
  return true;
}

/* A string in quotes; a longer one than fits into a word is none that is known. */
static bool take_string(struct text *t, char word[WORD]) {
  skip_spaces(t);
  if (t->at == t->end || (*t->at != '\'' && *t->at != '"')) return false;
  char quote = *t->at++;
  const char *close = memchr(t->at, quote, (size_t)(t->end - t->at));
  if (!close || close - t->at >= WORD) return false;
  size_t length = (size_t)(close - t->at);
  memcpy(word, t->at, length);
  word[length] = 0;
  t->at = close + 1;
  return strlen(word) == length;
}

static bool take_word(struct text *t, const char *word) {
  size_t length = strlen(word);
  skip_spaces(t);
  if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0) return false;
  t->at += length;
  return true;
}

static bool take_number(struct text *t, int64_t *out) {
  int64_t value = 0;
  const char *begin = t->at;
  for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *t->at - '0', &value)) return false;
  bool some = t->at > begin;
  take(t, 'L'); /* Python 2 wrote long numbers so */
  *out = value;
  return some;
}

/* (), (3,) or (3, 4) */
static bool take_shape(struct text *t, struct found *found) {
  if (!take(t, '(')) return false;
  found->ndim = 0;
  while (!take(t, ')')) {
    if (found->ndim == SHMX_MAX_NDIM || !take_number(t, &found->shape[found->ndim])) return false;
    found->ndim++;
    if (take(t, ',')) skip_spaces(t);
    else if (found->ndim == 1) return false; /* (3) is a number */
    else if (t->at == t->end || *t->at != ')') return false;
  }
  return true;
}

static bool take_entry(struct text *t, struct found *found) {
  char key[WORD];
  if (!take_string(t, key) || !take(t, ':')) return false;
  if (strcmp(key, "descr") == 0) return take_string(t, found->descr);
  if (strcmp(key, "shape") == 0) return take_shape(t, found);
  if (strcmp(key, "fortran_order") != 0) return false;
  found->fortran = take_word(t, "True");
  return found->fortran || take_word(t, "False");
}

/* The whole dictionary, with nothing but spaces around it. Each key counts where it stands last, as in Python. */
static bool take_dictionary(struct text *t, struct found *found) {
  if (!take(t, '{')) return false;
  while (!take(t, '}'))
    if (!take_entry(t, found) || (!take(t, ',') && (t->at == t->end || *t->at != '}'))) return false;
  skip_spaces(t);
  return t->at == t->end && found->ndim >= 0 && found->descr[0];
}

/* --- dtypes --- */

static const struct {
  char code[3];
  enum shmx_dtype dtype;
} codes[] = {{"i1", SHMX_I8},  {"u1", SHMX_U8},  {"i2", SHMX_I16}, {"u2", SHMX_U16}, {"i4", SHMX_I32}, {"u4", SHMX_U32},
             {"i8", SHMX_I64}, {"u8", SHMX_U64}, {"f4", SHMX_F32}, {"f8", SHMX_F64}, {"b1", SHMX_BOOL}};

static const bool big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

/* "<f8": the order of the bytes, the kind and the size. */
static bool find_dtype(const char *descr, enum shmx_dtype *dtype, bool *swapped) {
  if (!descr[0] || !strchr("<>=|", descr[0])) return false;
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (strcmp(descr + 1, codes[i].code) != 0) continue;
    bool one = shmx_dtype_size(codes[i].dtype) == 1;
    if (descr[0] == '|' && !one) return false;
    *dtype = codes[i].dtype;
    *swapped = !one && descr[0] == (big_endian ? '<' : '>');
    return true;
  }
  return false;
}

static const char *code_of(enum shmx_dtype dtype) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i].dtype == dtype) return codes[i].code;
  return "";
}

/* --- reading --- */

/* Strides for the first dimension densest; the sizes have been found to fit. */
static void set_fortran(struct shmx_view *view) {
  int64_t stride = shmx_dtype_size(view->dtype);
  for (int d = 0; d < view->ndim; d++) {
    view->strides[d] = stride;
    if (view->shape[d] > 0) stride *= view->shape[d];
  }
}

static int interpret(const struct found *found, struct shmx_npy *npy) {
  enum shmx_dtype dtype;
  int64_t one = 1;
  if (!find_dtype(found->descr, &dtype, &npy->swapped)) {
    snprintf(npy->why, sizeof npy->why, "has elements of dtype '%s', which no dtype here matches", found->descr);
    return -EINVAL;
  }
  int ndim = found->ndim > 0 ? found->ndim : 1;
  if (shmx_view_init(&npy->view, dtype, ndim, found->ndim > 0 ? found->shape : &one) < 0)
    return refuse(npy, "has a shape with more elements than there can be");
  if (found->fortran) set_fortran(&npy->view);
  return 0;
}

/* Where the text of the header begins, and where the elements do. */
static int find_text(const unsigned char *bytes, uint64_t size, struct shmx_npy *npy, uint64_t *begin) {
  npy->offset = SHORT_HEAD;
  if (size >= MAGIC && memcmp(bytes, magic, MAGIC) != 0) return refuse(npy, "is no .npy file");
  if (size < SHORT_HEAD) return -EAGAIN;
  int version = bytes[MAGIC];
  if (version < 1 || version > 3) return refuse(npy, "is a .npy file of an unknown version");
  *begin = version == 1 ? SHORT_HEAD : LONG_HEAD;
  npy->offset = LONG_HEAD;
  if (size < *begin) return -EAGAIN;
  uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
  if (version > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
  npy->offset = *begin + length;
  if (npy->offset > SHMX_NPY_HEADER_MAX) return refuse(npy, "has a header that is longer than any that makes sense");
  return size < npy->offset ? -EAGAIN : 0;
}

int shmx_npy_parse(const char *bytes, uint64_t size, struct shmx_npy *npy) {
  struct found found = {.ndim = -1};
  uint64_t begin;
  memset(npy, 0, sizeof *npy);
  int r = find_text((const unsigned char *)bytes, size, npy, &begin);
  if (r < 0) return r;
  struct text text = {bytes + begin, bytes + npy->offset};
  if (take_dictionary(&text, &found)) return interpret(&found, npy);
  if (found.ndim == SHMX_MAX_NDIM) return refuse(npy, "has more dimensions than 8, or a header that makes no sense");
  return refuse(npy, "has a header that makes no sense, or elements that are no plain numbers");
}

/* --- writing --- */

size_t shmx_npy_format(const struct shmx_view *view, bool fortran, char out[SHMX_NPY_WRITE_MAX]) {
  char order = shmx_dtype_size(view->dtype) == 1 ? '|' : big_endian ? '>' : '<';
  char *text = out + SHORT_HEAD, *end = out + SHMX_NPY_WRITE_MAX;
  text += snprintf(text, (size_t)(end - text), "{'descr': '%c%s', 'fortran_order': %s, 'shape': (", order,
                   code_of(view->dtype), fortran ? "True" : "False");
  for (int d = 0; d < view->ndim; d++)
    text += snprintf(text, (size_t)(end - text), d == 0 ? "%lld," : " %lld,", (long long)view->shape[d]);
  if (view->ndim > 1) text--; /* NumPy leaves the last comma to a single number */
  text += snprintf(text, (size_t)(end - text), "), }");
  size_t size = ((size_t)(text - out) + 1 + ALIGN - 1) / ALIGN * ALIGN, length = size - SHORT_HEAD;
  memset(text, ' ', (size_t)(out + size - text));
  out[size - 1] = '\n';
  memcpy(out, magic, MAGIC);
  out[MAGIC] = 1;
  out[MAGIC + 1] = 0;
  out[MAGIC + 2] = (char)(length & 0xFF);
  out[MAGIC + 3] = (char)(length >> 8);
  return size;
}

void shmx_npy_swap(void *data, int64_t count, int64_t size) {
  for (int64_t i = 0; i < count; i++) {
    if (size == 2) ((uint16_t *)data)[i] = __builtin_bswap16(((uint16_t *)data)[i]);
    else if (size == 4) ((uint32_t *)data)[i] = __builtin_bswap32(((uint32_t *)data)[i]);
    else if (size == 8) ((uint64_t *)data)[i] = __builtin_bswap64(((uint64_t *)data)[i]);
  }
}
