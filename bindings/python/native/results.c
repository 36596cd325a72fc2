/*
 * The results of one memoized function.
 *
 * A change has two halves. The first one prepares everything that may run Python
 * code: the hash, comparisons, weak references, the policy. The second one changes
 * table, order and lists together and runs none, so that an exception from
 * outside, a garbage collection or another thread never sees half a change. What
 * leaves is collected in a chain and released at the very end.
 */

#include "results.h"

#include <math.h>

#define SWEPT_AT_ONCE 3

/* Calls */

void call_release(struct call *call)
{
    if (call->is_bound)
        bound_release(&call->bound);
    if (call->items != call->small)
        PyMem_Free(call->items);
    if (call->owned != NULL)
        Py_DECREF(call->owned);
}

bool call_hold(struct call *call)
{
    /* The class of an argument may be set while the function runs, and the old one end. */
    if (call->key.first_type == call->key.count)
        return true;
    PyObject *held = PyTuple_New(call->key.count - call->key.first_type + (call->owned != NULL));
    if (held == NULL) {
        PyErr_Clear();
        return false;
    }
    for (Py_ssize_t i = call->key.first_type; i < call->key.count; i++)
        PyTuple_SET_ITEM(held, i - call->key.first_type, Py_NewRef(call->key.items[i]));
    if (call->owned != NULL)
        PyTuple_SET_ITEM(held, PyTuple_GET_SIZE(held) - 1, call->owned);
    call->owned = held;
    return true;
}

static bool room_for_items(struct call *call, Py_ssize_t count)
{
    if (count > CALL_SMALL) {
        PyObject **items = PyMem_New(PyObject *, count);
        if (items == NULL) {
            PyErr_NoMemory();
            return false;
        }
        call->items = items;
    }
    call->key.items = call->items;
    return true;
}

/* Of the items in place, the last `2 * extra` are names of keywords and their values. */
static void set_items(const struct results *results, struct call *call, Py_ssize_t count)
{
    call->key.first_type = count;
    if (results->typed && results->custom_key == NULL) {
        Py_ssize_t first_name = count - 2 * call->key.extra;
        for (Py_ssize_t i = results->per_instance ? 1 : 0; i < first_name; i++)
            call->items[count++] = (PyObject *)Py_TYPE(call->items[i]);
        for (Py_ssize_t i = first_name; i < call->key.first_type; i += 2)
            call->items[count++] = (PyObject *)Py_TYPE(call->items[i + 1]);
    }
    call->key.count = count;
}

static enum binding key_of_arguments(const struct results *results, struct call *call)
{
    const struct binder *binder = results->binder;
    const struct bound *bound = &call->bound;
    Py_ssize_t count = 0, most = binder->count + bound->star_count + 2 * bound->extra_count;
    if (!room_for_items(call, 2 * most + 1))
        return BIND_FAILED;
    PyObject **items = call->items;
    for (Py_ssize_t i = 0; i < binder->count; i++)
        if (binder->in_key[i])
            items[count++] = bound->named[i];
    if (binder->star == STAR_IN_KEY)
        for (Py_ssize_t i = 0; i < bound->star_count; i++)
            items[count++] = bound->star[i];
    if (binder->double_star == STAR_IN_KEY)
        for (Py_ssize_t i = 0; i < bound->extra_count; i++) {
            if (binder->ignored != NULL) {
                int ignored = PySet_Contains(binder->ignored, bound->extra[i].name);
                if (ignored < 0)
                    return BIND_FAILED;
                if (ignored)
                    continue;
            }
            items[count++] = bound->extra[i].name;
            items[count++] = bound->extra[i].value;
            call->key.extra++;
        }
    set_items(results, call, count);
    return BOUND;
}

static enum binding key_of_user(const struct results *results, struct call *call)
{
    call->owned = bound_call(results->binder, &call->bound, results->custom_key);
    if (call->owned == NULL)
        return BIND_FAILED;
    call->key.items = call->items;
    Py_ssize_t count = 0;
    if (results->per_instance)
        call->items[count++] = call->bound.named[0];
    call->items[count++] = call->owned;
    set_items(results, call, count);
    return BOUND;
}

/* Replaces the items that have no hash by what stands for them. */
static enum binding freeze_items(const struct results *results, struct call *call, PyObject *error)
{
    Py_ssize_t first = call->key.identity ? 1 : 0, count = call->key.count, first_type = call->key.first_type;
    PyObject *plain = PyTuple_New(first_type - first);
    if (plain == NULL)
        return BIND_FAILED;
    for (Py_ssize_t i = first; i < first_type; i++)
        PyTuple_SET_ITEM(plain, i - first, Py_NewRef(call->key.items[i]));
    PyObject *frozen = PyObject_CallFunctionObjArgs(results->freeze, plain, error, NULL);
    if (frozen == NULL || !PyTuple_CheckExact(frozen) || PyTuple_GET_SIZE(frozen) != first_type - first) {
        if (frozen != NULL)
            PyErr_SetString(PyExc_TypeError, "freeze: expected a tuple of as many items");
        Py_XDECREF(frozen);
        Py_DECREF(plain);
        return BIND_FAILED;
    }
    Py_DECREF(plain);
    PyObject *const *before = call->key.items;
    if (before != call->items && !room_for_items(call, count)) {
        Py_DECREF(frozen);
        return BIND_FAILED;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        call->items[i] = i < first || i >= first_type ? before[i] : PyTuple_GET_ITEM(frozen, i - first);
    call->key.items = call->items;
    Py_XSETREF(call->owned, frozen);
    return key_hash(&call->key) < 0 ? BIND_FAILED : BOUND;
}

static enum binding key_without_hash(const struct results *results, struct call *call)
{
    if (!PyErr_ExceptionMatches(PyExc_TypeError))
        return BIND_FAILED;
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    enum binding result = BIND_FAILED;
    if (results->is_method != NULL && call->key.count > 0 && !call->key.identity) {
        PyObject *answer = PyObject_CallOneArg(results->is_method, call->key.items[0]);
        int is_method = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (is_method < 0)
            goto done;
        if (is_method) {
            call->key.identity = true;
            if (key_hash(&call->key) == 0) {
                result = BOUND;
                goto done;
            }
            if (!PyErr_ExceptionMatches(PyExc_TypeError))
                goto done;
            PyErr_Clear();
        }
    }
    result = freeze_items(results, call, error);
done:
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return result;
}

enum binding call_prepare(struct results *results, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                          struct call *call)
{
    const struct binder *binder = results->binder;
    call->items = call->small;
    call->owned = NULL;
    call->is_bound = false;
    call->key.extra = 0;
    call->key.identity = results->per_instance;
    if (binder->plain && count == binder->count && (keywords == NULL || PyTuple_GET_SIZE(keywords) == 0) &&
        !results->typed && results->custom_key == NULL) {
        call->key.items = args;
        call->key.count = call->key.first_type = count;
    } else {
        call->is_bound = true;
        enum binding result = bind_call(binder, args, count, keywords, &call->bound);
        if (result != BOUND)
            return result;
        result = results->custom_key != NULL ? key_of_user(results, call) : key_of_arguments(results, call);
        if (result != BOUND)
            return result;
    }
    if (key_hash(&call->key) < 0 && key_without_hash(results, call) != BOUND)
        return BIND_FAILED;
    if (results->timer != NULL) {
        PyObject *time = PyObject_CallNoArgs(results->timer);
        call->now = time == NULL ? -1 : PyFloat_AsDouble(time);
        Py_XDECREF(time);
        if (call->now == -1 && PyErr_Occurred())
            return BIND_FAILED;
    }
    return BOUND;
}

/* Changes: without Python code */

struct leaving {
    struct results *results;
    struct entry *chain;
};

static struct list *list_of(struct results *results, const struct entry *entry)
{
    return &results->lists[entry->deadline == INFINITY ? LASTING : EXPIRING];
}

static void unlink_entry(struct results *results, struct entry *entry)
{
    struct list *list = list_of(results, entry);
    table_remove(&results->table, entry);
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        list->oldest = entry->newer;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        list->newest = entry->older;
    if (entry->instance != NULL)
        instance_remove(entry);
}

/* The core has given an entry up. */
static void evicted(void *owner, struct entry *entry)
{
    struct leaving *leaving = owner;
    unlink_entry(leaving->results, entry);
    entry->newer = leaving->chain;
    leaving->chain = entry;
}

static void take_out(struct leaving *leaving, struct entry *entry)
{
    order_remove(&leaving->results->order, &leaving->results->speed->core, entry);
    evicted(leaving, entry);
}

static void link_entry(struct results *results, struct entry *entry, struct instance *instance)
{
    struct list *list = list_of(results, entry);
    table_add(&results->table, entry);
    entry->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = entry;
    else
        list->oldest = entry;
    list->newest = entry;
    if (instance != NULL)
        instance_add(instance, entry);
}

/* Removes a few results whose time is over. */
static void sweep(struct leaving *leaving, double now)
{
    for (int i = 0; i < SWEPT_AT_ONCE; i++) {
        struct entry *oldest = leaving->results->lists[EXPIRING].oldest;
        if (oldest == NULL || oldest->deadline > now)
            return;
        take_out(leaving, oldest);
    }
}

/* What has left is reported and released. This may run any Python code. */
static int let_go(struct results *results, struct entry *chain)
{
    int status = 0;
    if (chain != NULL && results->on_evict != NULL) {
        /* An exception of the function's own may be on its way. */
        for (struct entry *entry = chain; entry != NULL && status == 0; entry = entry->newer) {
            PyObject *told =
                PyObject_CallFunctionObjArgs(results->on_evict, entry->items[entry->count - 1], entry->value, NULL);
            status = told == NULL ? -1 : 0;
            Py_XDECREF(told);
        }
    }
    entries_free(chain);
    return status;
}

/* Look-up */

enum lookup results_get(struct results *results, struct call *call, PyObject **value, bool *is_error)
{
    struct entry *entry;
    enum lookup result = table_find(&results->table, &call->key, &entry);
    if (result != FOUND)
        return result;
    if (entry->deadline != INFINITY &&
        entry->deadline <= (results->timer != NULL ? call->now : clock_coarse(&results->clock))) {
        call->key.seen--; /* it is there, and is looked for again when the new one is stored */
        return NOT_FOUND;
    }
    results->hits++;
    order_record(&results->order, &results->speed->core, entry);
    *is_error = entry->is_error;
    *value = Py_NewRef(entry->value);
    return FOUND;
}

/* Storing */

static int open_policy(struct results *results)
{
    if (results->open_policy == NULL || results->order.policy != NULL)
        return 0;
    PyObject *address = PyObject_CallNoArgs(results->open_policy);
    if (address == NULL)
        return -1;
    struct twat_policy *policy = PyLong_AsVoidPtr(address);
    Py_DECREF(address);
    if (policy == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "open_policy: expected an address, got: 0");
        return -1;
    }
    if (results->order.policy == NULL)
        results->order.policy = policy;
    else
        results->speed->core.twat_policy_free(policy);
    return 0;
}

static int is_of_instance(struct results *results, const struct key *key)
{
    if (key->identity || results->is_method == NULL || key->count == 0)
        return key->identity;
    PyObject *answer = PyObject_CallOneArg(results->is_method, key->items[0]);
    int is_method = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_method;
}

/* The second half of storing: 1 stored, 0 not. What leaves is in the chain. */
static int insert(struct results *results, struct call *call, struct entry *entry, struct instance *instance,
                  struct entry *expired, uint64_t cost, struct leaving *leaving)
{
    const struct core *core = &results->speed->core;
    if (!table_reserve(&results->table))
        return 0;
    if (expired != NULL)
        take_out(leaving, expired);
    if (results->order.policy != NULL && !order_insert(&results->order, core, entry, cost, evicted, leaving))
        return 0;
    link_entry(results, entry, instance);
    if (results->lists[EXPIRING].oldest != NULL)
        sweep(leaving, results->timer != NULL ? call->now : clock_now());
    return 1;
}

int results_put(struct results *results, struct call *call, PyObject *value, double ttl, uint64_t cost, bool is_error)
{
    struct key *key = &call->key;
    struct instance *instance = NULL;
    struct entry *present = NULL;
    double deadline = INFINITY;
    int of_instance = is_of_instance(results, key);
    if (of_instance < 0 || open_policy(results) < 0)
        return -1;
    if (ttl != INFINITY) {
        double now = clock_now();
        if (results->timer != NULL) {
            PyObject *time = PyObject_CallNoArgs(results->timer);
            now = time == NULL ? -1 : PyFloat_AsDouble(time);
            Py_XDECREF(time);
            if (now == -1 && PyErr_Occurred())
                return -1;
            call->now = now;
        }
        deadline = now + ttl;
    }
    if (of_instance && (instance = instance_of(results, key->items[0])) == NULL)
        return -1;
    struct leaving leaving = {results, NULL};
    int status = 0;
    if (results->table.changes != key->seen) {
        enum lookup found = table_find(&results->table, key, &present);
        if (found == LOOKUP_FAILED)
            status = -1;
        if (found == LOOKUP_FAILED || found == UNSTABLE)
            goto done;
        if (found == NOT_FOUND)
            present = NULL;
        else if (present->deadline == INFINITY ||
                 present->deadline > (results->timer != NULL ? call->now : clock_now()))
            goto done;
    }
    struct entry *entry = entry_new(key, value, of_instance);
    if (entry != NULL) {
        entry->deadline = deadline;
        entry->is_error = is_error;
        if (!insert(results, call, entry, instance, present, cost, &leaving)) {
            entry->newer = NULL;
            entries_free(entry);
        }
    }
done:
    if (instance != NULL) {
        instance_end_unused(instance);
        Py_DECREF(instance);
    }
    if (let_go(results, leaving.chain) < 0)
        status = -1;
    return status;
}

/* Removing */

void results_drop_instance(struct results *results, struct instance *instance)
{
    struct leaving leaving = {results, NULL};
    Py_INCREF(results);
    Py_INCREF(instance);
    Py_BEGIN_CRITICAL_SECTION(results);
    while (instance->entries != NULL)
        take_out(&leaving, instance->entries);
    instance_end_unused(instance);
    Py_END_CRITICAL_SECTION();
    entries_free(leaving.chain);
    Py_DECREF(instance);
    Py_DECREF(results);
}

static struct entry *emptied(struct results *results)
{
    struct leaving leaving = {results, NULL};
    order_clear(&results->order, &results->speed->core);
    for (int i = LASTING; i <= EXPIRING; i++)
        while (results->lists[i].oldest != NULL)
            evicted(&leaving, results->lists[i].oldest);
    table_release(&results->table);
    while (results->instances != NULL)
        instance_end_unused(results->instances);
    return leaving.chain;
}

/* Methods of the type */

static PyObject *results_find(struct results *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    struct call call;
    PyObject *value = NULL;
    bool is_error;
    enum binding bound;
    enum lookup found = LOOKUP_FAILED;
    Py_BEGIN_CRITICAL_SECTION(self);
    bound = call_prepare(self, args, count, keywords, &call);
    if (bound == BOUND)
        found = results_get(self, &call, &value, &is_error);
    if (bound == BOUND && (found == NOT_FOUND || found == UNSTABLE))
        self->misses++;
    call_release(&call);
    Py_END_CRITICAL_SECTION();
    if (bound == NOT_BOUND || found == NOT_FOUND || found == UNSTABLE)
        return Py_NewRef(self->binder->missing);
    return value;
}

/* put(value, ttl, cost, is_error, /, *args, **kwargs) */
static PyObject *results_put_value(struct results *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    if (count < 4) {
        PyErr_SetString(PyExc_TypeError, "put: expected a value, ttl, cost and is_error, then the arguments");
        return NULL;
    }
    double ttl = args[1] == Py_None ? INFINITY : PyFloat_AsDouble(args[1]);
    if (ttl == -1 && PyErr_Occurred())
        return NULL;
    uint64_t cost = PyLong_AsUnsignedLongLong(args[2]);
    if (cost == (uint64_t)-1 && PyErr_Occurred())
        return NULL;
    struct call call;
    int status = -1;
    enum binding bound;
    Py_BEGIN_CRITICAL_SECTION(self);
    bound = call_prepare(self, args + 4, count - 4, keywords, &call);
    call.key.seen = self->table.changes - 1; /* it has not been looked for */
    if (bound == NOT_BOUND || (bound == BOUND && !call_hold(&call)))
        status = 0;
    else if (bound == BOUND)
        status = results_put(self, &call, args[0], ttl, cost, args[3] == Py_True);
    call_release(&call);
    Py_END_CRITICAL_SECTION();
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *results_remove(struct results *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    struct call call;
    struct entry *entry;
    struct leaving leaving = {self, NULL};
    enum lookup found = LOOKUP_FAILED;
    enum binding bound;
    bool live = false;
    Py_BEGIN_CRITICAL_SECTION(self);
    bound = call_prepare(self, args, count, keywords, &call);
    if (bound == BOUND)
        found = table_find(&self->table, &call.key, &entry);
    if (found == FOUND) {
        live = entry->deadline == INFINITY || entry->deadline > (self->timer != NULL ? call.now : clock_now());
        take_out(&leaving, entry);
    }
    call_release(&call);
    Py_END_CRITICAL_SECTION();
    if (bound == NOT_BOUND)
        return Py_NewRef(self->binder->missing);
    if (bound == BIND_FAILED || found == LOOKUP_FAILED)
        return NULL;
    entries_free(leaving.chain);
    return PyBool_FromLong(live);
}

static PyObject *results_clear_all(struct results *self, PyObject *unused)
{
    struct entry *chain;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    chain = emptied(self);
    self->hits = self->misses = 0;
    Py_END_CRITICAL_SECTION();
    entries_free(chain);
    Py_RETURN_NONE;
}

/* counts(): hits, misses and the number of live results. */
static PyObject *results_counts(struct results *self, PyObject *unused)
{
    (void)unused;
    double now = clock_now();
    if (self->timer != NULL) {
        PyObject *time = PyObject_CallNoArgs(self->timer);
        now = time == NULL ? -1 : PyFloat_AsDouble(time);
        Py_XDECREF(time);
        if (now == -1 && PyErr_Occurred())
            return NULL;
    }
    unsigned long long hits, misses, live;
    Py_BEGIN_CRITICAL_SECTION(self);
    hits = self->hits, misses = self->misses, live = self->table.used;
    for (struct entry *entry = self->lists[EXPIRING].oldest; entry != NULL; entry = entry->newer)
        live -= entry->deadline <= now;
    Py_END_CRITICAL_SECTION();
    return Py_BuildValue("KKK", hits, misses, live);
}

static PyObject *results_set_timer(struct results *self, PyObject *timer)
{
    PyObject *old;
    struct leaving leaving = {self, NULL};
    Py_BEGIN_CRITICAL_SECTION(self);
    old = self->timer;
    self->timer = timer == Py_None ? NULL : Py_NewRef(timer);
    /* Times of one clock mean nothing to the other. */
    while (self->lists[EXPIRING].oldest != NULL)
        take_out(&leaving, self->lists[EXPIRING].oldest);
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(old);
    entries_free(leaving.chain);
    Py_RETURN_NONE;
}

static int append_content(struct results *self, struct entry *entry, PyObject *rows)
{
    PyObject *items = PyTuple_New(entry->count);
    if (items == NULL)
        return -1;
    for (uint32_t i = 0; i < entry->count; i++)
        PyTuple_SET_ITEM(items, i, Py_NewRef(entry->items[i]));
    uint64_t changes = self->table.changes;
    PyObject *row = Py_BuildValue("NOK", items, entry->value, (unsigned long long)entry->slot);
    int status = row == NULL ? -1 : PyList_Append(rows, row);
    Py_XDECREF(row);
    if (status == 0 && self->table.changes != changes) {
        PyErr_SetString(PyExc_RuntimeError, "content: expected no changes meanwhile, got some");
        status = -1;
    }
    return status;
}

static PyObject *results_content(struct results *self, PyObject *unused)
{
    (void)unused;
    PyObject *rows = PyList_New(0);
    Py_BEGIN_CRITICAL_SECTION(self);
    for (int i = LASTING; rows != NULL && i <= EXPIRING; i++)
        for (struct entry *entry = self->lists[i].oldest; rows != NULL && entry != NULL; entry = entry->newer)
            if (append_content(self, entry, rows) < 0)
                Py_CLEAR(rows);
    Py_END_CRITICAL_SECTION();
    return rows;
}

/* The address of the policy, for its figures; None where there is none yet. */
static PyObject *results_policy(struct results *self, void *unused)
{
    (void)unused;
    if (self->order.policy == NULL)
        Py_RETURN_NONE;
    return PyLong_FromVoidPtr(self->order.policy);
}

static PyMethodDef methods[] = {
    {"find", (PyCFunction)(void (*)(void))results_find, METH_FASTCALL | METH_KEYWORDS,
     "The result of a call, or what stands for none."},
    {"put", (PyCFunction)(void (*)(void))results_put_value, METH_FASTCALL | METH_KEYWORDS,
     "Store the result of a call: value, ttl, cost, is_error, then its arguments."},
    {"remove", (PyCFunction)(void (*)(void))results_remove, METH_FASTCALL | METH_KEYWORDS,
     "Forget the result of a call; whether there was a live one."},
    {"clear", (PyCFunction)results_clear_all, METH_NOARGS, "Forget all results, and the counts."},
    {"counts", (PyCFunction)results_counts, METH_NOARGS, "Hits, misses, live results."},
    {"set_timer", (PyCFunction)results_set_timer, METH_O, "Take another clock; None is the machine's."},
    {"content", (PyCFunction)results_content, METH_NOARGS, "The items, value and slot of each result, oldest first."},
    {NULL},
};

static PyGetSetDef getset[] = {
    {"policy", (getter)results_policy, NULL, "The address of the policy.", NULL},
    {NULL},
};

static int results_traverse(struct results *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->instance_type);
    Py_VISIT(self->binder);
    Py_VISIT(self->custom_key);
    Py_VISIT(self->freeze);
    Py_VISIT(self->is_method);
    Py_VISIT(self->open_policy);
    Py_VISIT(self->on_evict);
    Py_VISIT(self->timer);
    Py_VISIT(self->by_address);
    for (struct instance *instance = self->instances; instance != NULL; instance = instance->after)
        Py_VISIT(instance->held);
    for (int list = LASTING; list <= EXPIRING; list++)
        for (struct entry *entry = self->lists[list].oldest; entry != NULL; entry = entry->newer) {
            for (uint32_t i = entry->identity ? 1 : 0; i < entry->count; i++)
                Py_VISIT(entry->items[i]);
            Py_VISIT(entry->value);
        }
    return 0;
}

/* The callables stay, since a finalizer may still call the function. */
static int results_tp_clear(struct results *self)
{
    entries_free(emptied(self));
    return 0;
}

static void results_dealloc(struct results *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->speed != NULL) {
        entries_free(emptied(self));
        order_release(&self->order, &self->speed->core);
    }
    Py_XDECREF(self->instance_type);
    Py_XDECREF(self->by_address);
    Py_XDECREF(self->binder);
    Py_XDECREF(self->custom_key);
    Py_XDECREF(self->freeze);
    Py_XDECREF(self->is_method);
    Py_XDECREF(self->open_policy);
    Py_XDECREF(self->on_evict);
    Py_XDECREF(self->timer);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *or_null(PyObject *object)
{
    return object == NULL || object == Py_None ? NULL : Py_NewRef(object);
}

static PyObject *results_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"binder", "freeze", "open_policy", "needs", "ttl", "typed", "per_instance",
                            "custom_key", "is_method", "on_evict", "timer", NULL};
    PyObject *binder, *freeze, *policy, *ttl, *custom_key, *is_method, *on_evict, *timer;
    int needs, typed, per_instance;
    struct speed *speed = PyType_GetModuleState(type);
    if (speed == NULL)
        return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OOiOppOOOO:Results", words, speed->binder_type, &binder, &freeze,
                                     &policy, &needs, &ttl, &typed, &per_instance, &custom_key, &is_method, &on_evict,
                                     &timer))
        return NULL;
    if (!speed->connected) {
        PyErr_SetString(PyExc_RuntimeError, "Results: expected the core to be connected, got no addresses");
        return NULL;
    }
    double seconds = ttl == Py_None ? INFINITY : PyFloat_AsDouble(ttl);
    if (seconds == -1 && PyErr_Occurred())
        return NULL;
    struct results *self = (struct results *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->speed = speed;
    self->instance_type = (PyTypeObject *)Py_NewRef(speed->instance_type);
    self->binder = (struct binder *)Py_NewRef(binder);
    self->freeze = Py_NewRef(freeze);
    self->open_policy = or_null(policy);
    self->custom_key = or_null(custom_key);
    self->is_method = or_null(is_method);
    self->on_evict = or_null(on_evict);
    self->timer = or_null(timer);
    self->order.needs = needs;
    self->ttl = seconds;
    self->typed = typed;
    self->per_instance = per_instance;
    return (PyObject *)self;
}

static PyType_Slot slots[] = {
    {Py_tp_new, results_new},
    {Py_tp_dealloc, results_dealloc},
    {Py_tp_traverse, results_traverse},
    {Py_tp_clear, results_tp_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_doc, "The results of one memoized function."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "twat_cache._speed.Results",
    .basicsize = sizeof(struct results),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int results_add_type(PyObject *module)
{
    struct speed *speed = speed_of(module);
    speed->results_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (speed->results_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Results", (PyObject *)speed->results_type);
}
