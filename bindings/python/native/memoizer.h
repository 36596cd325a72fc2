/* A memoized function: what stands in its place. */
#ifndef TWAT_MEMOIZER_H
#define TWAT_MEMOIZER_H

#include "results.h"

int memoizer_add_type(PyObject *module);

#endif
