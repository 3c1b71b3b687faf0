/* Files: whole-file reading with bounds, safe replacing, and the two array formats.
 *
 * Every file read is hostile until checked: a header is read first, and the sizes in it are
 * compared with the file's real size before memory is asked for or anything more is read; products
 * of dimensions are overflow-checked. A file is written under a temporary name beside it, flushed,
 * synced and renamed: a kill at any moment leaves the old file or the new one whole. */
#ifndef NM_CORE_FILE_H
#define NM_CORE_FILE_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is no regular file (a pipe, a device) has no size to be checked against, so no more than
 * this is read from it, whatever the limit. */
#define NM_PIPE_LIMIT ((size_t)1 << 30)

/* Whatever reads a file takes the path "-" for standard input ("./-" is a file of that name). What
 * messages call it: "standard input", or the path itself. */
NM_API const char *nm_file_title(const char *path);

/* Reads a whole file of at most `limit` bytes (SIZE_MAX: as many as it has); a 0 byte is put behind
 * the contents, not counted in `size`. New memory, free with nm_free(); NULL on failure, and `size`
 * is then of no use: "cannot read PATH: No such file ..." (NM_ERROR_IO); above the limit, or where
 * of a file of 64 MiB or more less than a thousandth is stored, the rest being holes,
 * NM_ERROR_FORMAT; NM_ERROR_MEMORY for more than the memory at hand, before it is asked for. */
NM_API char *nm_file_read(nm_context *context, const char *path, size_t limit, size_t *size);
/* The same, but gzip data (by its first two bytes, in one member or several) is decompressed;
 * `limit` bounds the file and, on its own, what comes out of it. What is more than 64 MiB and a
 * hundred times the packed bytes is refused (NM_ERROR_FORMAT). */
NM_API char *nm_file_read_gz(nm_context *context, const char *path, size_t limit, size_t *size);

/* A file being replaced. Write with nm_file_write(), then commit; what is not committed leaves the
 * old file as it was. A failed write is remembered and reported by the commit too. Errors are
 * NM_ERROR_IO: "cannot write PATH: No space left on device".
 *
 * A symbolic link stays one: the file that it leads to is replaced. A link that another user put
 * into a folder open to all (/tmp) is refused. The new file has the old one's owner and permissions
 * (where the owner cannot be kept, a warning is logged), or the usual ones (0666 less the umask).
 * What is no regular file, such as a pipe or /dev/stdout, cannot be replaced and is written to at
 * once; a pipe that nobody reads from is an error after five seconds. Only a kill leaves the
 * temporary file behind (PATH.PROCESS-START-NUMBER.tmp); it is never mistaken for the real one, and
 * the next nm_file_create() in that folder removes it. */
typedef struct nm_file nm_file;
NM_API nm_file *nm_file_create(nm_context *context, const char *path); /* NULL on failure */
/* Unbuffered: gather small pieces first. */
NM_API nm_status nm_file_write(nm_file *file, const void *data, size_t size);
NM_API nm_status nm_file_commit(nm_file *file); /* frees `file`, also on failure */
NM_API void nm_file_abandon(nm_file *file);     /* NULL is fine */

/* Makes a folder and the missing ones above it; an existing folder is fine. On failure, what it
 * made is gone again. */
NM_API nm_status nm_folder_create(nm_context *context, const char *path);

/* ---- NPY (NumPy's array file, versions 1 to 3) ----
 * Read are all types whose numbers a tensor's type holds, of rank 0 to 6, in either byte order,
 * row- or column-major (transposed while reading: tensors are row-major):
 *
 *     bool, u1 -> u8     i1, i2, i4, u2 -> i32     u4, i8, u8 -> i64     f2, f4 -> f32     f8 ->
 * f64
 *
 * A number of u8 above 2^63 - 1 is refused, with its place. What else NumPy can store is refused
 * with a message that says how to convert it. A file holds one array: bytes behind it are an error
 * (NM_ERROR_FORMAT, as all errors in the contents). */
NM_API nm_tensor *nm_npy_read(nm_context *context, const char *path);
/* The same from `size` bytes of memory, which stay the caller's; `name` stands for the path in
 * messages. */
NM_API nm_tensor *nm_npy_parse(nm_context *context, const void *data, size_t size,
                               const char *name);

/* How the array was stored, which its tensor does not tell. */
#define NM_NPY_TYPE_TEXT 40
typedef struct nm_npy_info {
    char type[NM_NPY_TYPE_TEXT]; /* as NumPy writes it: "<f4", "|b1" */
    bool is_bool;                /* u8 of 0 and 1, to be taken as numbers: no bytes of an image */
    bool is_fortran;             /* column-major */
    bool is_big_endian;          /* never of elements of one byte */
} nm_npy_info;

/* The same as the two above; `info` (may be NULL) is filled on success. */
NM_API nm_tensor *nm_npy_read_info(nm_context *context, const char *path, nm_npy_info *info);
NM_API nm_tensor *nm_npy_parse_info(nm_context *context, const void *data, size_t size,
                                    const char *name, nm_npy_info *info);
/* Writes version 1, row-major and little-endian; bf16 cannot be written (NumPy has none). Atomic,
 * as above. */
NM_API nm_status nm_npy_write(nm_tensor *tensor, const char *path);

/* ---- safetensors: named tensors and text metadata ---- */

typedef struct nm_tensor_file nm_tensor_file;

/* Reads and checks a whole file. Read F32, F64, BF16, I32, I64, U8 of rank 0 to 6; other types are
 * an error that names the tensor. Names are UTF-8 without a 0 character; no two tensors and no two
 * metadata entries share one. Free with nm_tensor_file_destroy(). */
NM_API nm_tensor_file *nm_tensor_file_read(nm_context *context, const char *path);
/* The same from `size` bytes of memory, which are copied; `name` stands for the path in messages.
 */
NM_API nm_tensor_file *nm_tensor_file_parse(nm_context *context, const void *data, size_t size,
                                            const char *name);
NM_API void nm_tensor_file_destroy(nm_tensor_file *file); /* NULL is fine */
/* Tensors, in the order in which the header names them; NULL for an index out of range. */
NM_API int nm_tensor_file_count(const nm_tensor_file *file);
NM_API const char *nm_tensor_file_name(const nm_tensor_file *file, int index);
NM_API nm_tensor *nm_tensor_file_at(const nm_tensor_file *file, int index); /* the file's own */
NM_API nm_tensor *nm_tensor_file_find(const nm_tensor_file *file, const char *name); /* or NULL */
/* Puts a tensor, which the file takes over, in the place of the one of that name, which ends; NULL:
 * there is none of that name any more, but for nm_tensor_file_name(). The library's own. */
void nm_tensor_file_replace(nm_tensor_file *file, const char *name, nm_tensor *tensor);
NM_API const char *nm_tensor_file_metadata(const nm_tensor_file *file,
                                           const char *key); /* or NULL */
/* The keys of the metadata, in the file's order; NULL for an index out of range. */
NM_API const char *nm_tensor_file_metadata_key(const nm_tensor_file *file, int index);

/* Writing: add in any order, then write, as often as wanted. Tensors are kept by pointer until the
 * writer is destroyed; names and texts are copied. Both are UTF-8. */
typedef struct nm_tensor_writer nm_tensor_writer;
NM_API nm_tensor_writer *nm_tensor_writer_create(nm_context *context);
NM_API nm_status nm_tensor_writer_add(nm_tensor_writer *writer, const char *name,
                                      nm_tensor *tensor); /* a taken name is an error */
/* A second text for a key replaces the first. */
NM_API nm_status nm_tensor_writer_set_metadata(nm_tensor_writer *writer, const char *key,
                                               const char *text);
/* The header names the tensors in the order they were added; their data comes largest element type
 * first, so that every tensor is aligned for its type, and begins at a multiple of 64 bytes, to
 * which the header is padded with spaces. Atomic, as above. */
NM_API nm_status nm_tensor_writer_write(nm_tensor_writer *writer, const char *path);
/* The same bytes as new memory, *size of them; free with nm_free(). NULL on failure. */
NM_API void *nm_tensor_writer_write_memory(nm_tensor_writer *writer, size_t *size);
NM_API void nm_tensor_writer_destroy(nm_tensor_writer *writer); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
