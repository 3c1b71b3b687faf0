/* The types of elements that NumPy stores, and how each becomes a tensor's. Nothing outside core
 * includes this. */
#ifndef NM_CORE_FILES_NPY_ELEMENTS_H
#define NM_CORE_FILES_NPY_ELEMENTS_H

#include "core/tensor.h"

/* Converts `count` elements that stand `stride` bytes apart to elements of `dtype`, one behind the
 * other. `big`: the most significant byte comes first. */
typedef void nm_npy_convert(const unsigned char *from, size_t stride, bool big, void *to,
                            int64_t count);

typedef struct nm_npy_type {
    char kind[4]; /* as NumPy writes it behind the byte order: "f4", "b1" */
    size_t size;  /* bytes an element in the file */
    nm_dtype dtype;
    bool as_stored; /* elements in the processor's order are the tensor's own, byte by byte */
    nm_npy_convert *convert;
} nm_npy_type;

/* By the kind; NULL: none that is read. */
const nm_npy_type *nm_npy_type_find(const char *kind);
/* The type that a tensor's elements are written as; NULL: NumPy has none. */
const nm_npy_type *nm_npy_type_of(nm_dtype dtype);

/* Fills the tensor from as many elements as it has. `fortran`: they stand with the first index
 * running fastest. */
void nm_npy_fill(const nm_npy_type *type, bool big, bool fortran, const void *elements,
                 nm_tensor *tensor);

#endif
