/* SPDX-License-Identifier: MIT */
/*
 * A xenstore in this process, for tests: the port that answers requests itself.
 *
 * The contract is tests/tools/fake_store.h. Kept as plain as can be: linear searches, a transaction
 * is a copy of the whole tree. Answers follow xenstored's: parents appear by themselves, removing
 * what is not there succeeds if its parent is, watches fire for what lies below and above them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fake_store.h>
#include <tools/util.h>
#include "private.h"

struct node {
	struct node *next, *children;
	char *name;
	char *value;			/* NUL-terminated */
	size_t length;
	char *perms;			/* "n0 r5" */
};

struct watch {
	struct watch *next;
	char *path, *token;
	bool relative;
};

struct event {
	struct event *next;
	char text[];
};

struct store {
	struct store *next;
	struct watch *watches;
	struct event *first, *last;
};

/* What a transaction will have changed: told to watches when it is committed. */
struct change {
	struct change *next;
	bool removed;
	char path[];
};

struct transaction {
	struct transaction *next;
	store_tx id;
	struct node *root;
	uint64_t generation;
	struct change *changes, **last;
};

static struct {
	struct node *root;
	uint64_t generation;
	struct store *stores;
	struct transaction *transactions;
	store_tx last_tx;
	unsigned int requests, fail_in, dies_at, conflicts;
	int fail_with;
	bool introduced[DOMID_FIRST_RESERVED];
	bool (*idle)(void *arg);
	void *idle_arg;
	void (*written)(void *arg, const char *path, const char *value);
	void *written_arg;
} fake;

/* ---- the tree ---- */

static struct node *node_new(const char *name, size_t length, const char *perms)
{
	struct node *node = calloc(1, sizeof(*node));

	assert(node);
	node->name = strndup(name, length);
	node->value = strdup("");
	node->perms = strdup(perms);
	return node;
}

static void node_free(struct node *node)
{
	while (node) {
		struct node *next = node->next;

		node_free(node->children);
		free(node->name);
		free(node->value);
		free(node->perms);
		free(node);
		node = next;
	}
}

/* A copy of @node, its siblings and all below. */
static struct node *node_copy(const struct node *node)
{
	struct node *first = NULL, **link = &first;

	for (; node; node = node->next) {
		struct node *copy = node_new(node->name, strlen(node->name), node->perms);

		free(copy->value);
		copy->value = malloc(node->length + 1);
		memcpy(copy->value, node->value, node->length + 1);
		copy->length = node->length;
		copy->children = node_copy(node->children);
		*link = copy;
		link = &copy->next;
	}
	return first;
}

static struct node *root(void)
{
	if (!fake.root)
		fake.root = node_new("", 0, "n0");
	return fake.root;
}

/* The node at @path below @top, made with its parents if @create; *parent_there for removals. */
static struct node *find(struct node *top, const char *path, bool create, bool *parent_there)
{
	struct node *node = top;

	while (*path) {
		size_t length = strcspn(++path, "/");
		struct node **link = &node->children;

		while (*link && (strlen((*link)->name) != length ||
				 memcmp((*link)->name, path, length)))
			link = &(*link)->next;
		if (parent_there)
			*parent_there = !path[length];
		if (!length)
			break;
		if (!*link && create)
			*link = node_new(path, length, node->perms);
		if (!*link)
			return NULL;
		node = *link;
		path += length;
	}
	return node;
}

static unsigned int count_nodes(const struct node *node)
{
	unsigned int count = 0;

	for (; node; node = node->next)
		count += 1 + count_nodes(node->children);
	return count;
}

static void unlink_node(struct node *top, struct node *gone)
{
	for (struct node **link = &top->children; *link; link = &(*link)->next) {
		if (*link == gone) {
			*link = gone->next;
			gone->next = NULL;
			node_free(gone);
			return;
		}
		unlink_node(*link, gone);
		if (!*link)
			return;
	}
}

/* Absolute form of what a client in dom0 says, in @out; -EINVAL. */
static int canonical(const char *path, char out[XENSTORE_ABS_PATH_MAX + 32])
{
	size_t length = strlen(path);

	if (!length || length > XENSTORE_ABS_PATH_MAX || strstr(path, "//") ||
	    (length > 1 && path[length - 1] == '/'))
		return -EINVAL;
	for (const char *c = path; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@",
			    *c))
			return -EINVAL;
	if (path[0] == '/' || path[0] == '@')
		strcpy(out, strcmp(path, "/") ? path : "");
	else
		sprintf(out, "/local/domain/0/%s", path);
	return 0;
}

/* ---- watches ---- */

static void push_event(struct store *store, const struct watch *watch, const char *path)
{
	struct event *event;

	if (watch->relative && !strncmp(path, "/local/domain/0/", 16))
		path += 16;
	if (!*path)
		path = "/";
	event = malloc(sizeof(*event) + strlen(path) + strlen(watch->token) + 2);
	assert(event);
	event->next = NULL;
	strcpy(event->text, path);
	strcpy(event->text + strlen(path) + 1, watch->token);
	if (store->last)
		store->last->next = event;
	else
		store->first = event;
	store->last = event;
}

/* Whether @path is @top or lies below it. */
static bool below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return !strncmp(path, top, length) && (!path[length] || path[length] == '/');
}

static void fire(const char *path, bool removed)
{
	for (struct store *store = fake.stores; store; store = store->next)
		for (struct watch *watch = store->watches; watch; watch = watch->next) {
			if (below(path, watch->path))
				push_event(store, watch, path);
			else if (removed && below(watch->path, path))
				push_event(store, watch, watch->path);
		}
}

/* A change that has taken effect. */
static void publish(const char *path, bool removed, bool by_client)
{
	fake.generation++;
	fire(path, removed);
	if (by_client && fake.written)
		fake.written(fake.written_arg, path, removed ? NULL : fake_store_get(path));
}

/* ---- transactions ---- */

static struct transaction *find_transaction(store_tx tx)
{
	struct transaction *transaction = fake.transactions;

	while (transaction && transaction->id != tx)
		transaction = transaction->next;
	return transaction;
}

static void end_transaction(struct transaction *transaction)
{
	struct transaction **link = &fake.transactions;

	while (*link != transaction)
		link = &(*link)->next;
	*link = transaction->next;
	node_free(transaction->root);
	while (transaction->changes) {
		struct change *change = transaction->changes;

		transaction->changes = change->next;
		free(change);
	}
	free(transaction);
}

static void begin_transaction(struct strbuf *answer)
{
	struct transaction *transaction = calloc(1, sizeof(*transaction));

	assert(transaction);
	transaction->id = ++fake.last_tx;
	transaction->root = node_copy(root());
	transaction->generation = fake.generation;
	transaction->last = &transaction->changes;
	transaction->next = fake.transactions;
	fake.transactions = transaction;
	strbuf_printf(answer, "%u", transaction->id);
	strbuf_add(answer, "", 1);
}

static int commit_transaction(struct transaction *transaction, bool wanted)
{
	struct change *changes = transaction->changes;
	bool conflict = transaction->generation != fake.generation;

	if (wanted && fake.conflicts) {
		fake.conflicts--;
		conflict = true;
	}
	if (!wanted || conflict) {
		end_transaction(transaction);
		return wanted ? -EAGAIN : 0;
	}
	node_free(fake.root);
	fake.root = transaction->root;
	transaction->root = NULL;
	transaction->changes = NULL;
	end_transaction(transaction);
	while (changes) {
		struct change *change = changes;

		changes = change->next;
		publish(change->path, change->removed, true);
		free(change);
	}
	return 0;
}

/* ---- requests ---- */

static void note_change(struct transaction *transaction, const char *path, bool removed)
{
	struct change *change;

	if (!transaction) {
		publish(path, removed, true);
		return;
	}
	change = malloc(sizeof(*change) + strlen(path) + 1);
	assert(change);
	change->next = NULL;
	change->removed = removed;
	strcpy(change->path, path);
	*transaction->last = change;
	transaction->last = &change->next;
}

static void set_value(struct node *node, const void *value, size_t length)
{
	free(node->value);
	node->value = malloc(length + 1);
	assert(node->value);
	if (length)
		memcpy(node->value, value, length);
	node->value[length] = '\0';
	node->length = length;
}

/* XS_SET_PERMS: the list's NULs become blanks. */
static int set_perms(struct node *node, const struct store_request *request)
{
	char *text;

	if (!request->length || ((const char *)request->value)[request->length - 1])
		return -EINVAL;
	text = malloc(request->length);
	assert(text);
	memcpy(text, request->value, request->length);
	for (size_t i = 0; i + 1 < request->length; i++)
		if (!text[i])
			text[i] = ' ';
	free(node->perms);
	node->perms = text;
	return 0;
}

static int node_request(struct transaction *transaction, const struct store_request *request,
			const char *path, struct strbuf *answer)
{
	struct node *top = transaction ? transaction->root : root();
	bool makes = request->type == XS_WRITE || request->type == XS_MKDIR;
	bool parent_there = true, existed = find(top, path, false, &parent_there);
	struct node *node = find(top, path, makes, NULL);

	if (!node)
		return request->type == XS_RM && parent_there ? 0 : -ENOENT;
	switch (request->type) {
	case XS_READ:
		strbuf_add(answer, node->value, node->length);
		return 0;
	case XS_DIRECTORY:
		for (struct node *child = node->children; child; child = child->next)
			strbuf_add(answer, child->name, strlen(child->name) + 1);
		return 0;
	case XS_GET_PERMS:
		strbuf_add(answer, node->perms, strlen(node->perms) + 1);
		for (size_t i = 0; i < answer->length; i++)
			if (answer->text[i] == ' ')
				answer->text[i] = '\0';
		return 0;
	case XS_MKDIR:
		if (!existed)
			note_change(transaction, path, false);
		return 0;
	case XS_WRITE:
		set_value(node, request->value, request->length);
		note_change(transaction, path, false);
		return 0;
	case XS_SET_PERMS:
		if (set_perms(node, request))
			return -EINVAL;
		note_change(transaction, path, false);
		return 0;
	case XS_RM:
		if (node == top)
			return -EINVAL;
		unlink_node(top, node);
		note_change(transaction, path, true);
		return 0;
	default:
		return -ENOSYS;
	}
}

static int watch_request(struct store *store, const struct store_request *request, const char *path)
{
	struct watch **link = &store->watches, *watch;

	while (*link && (strcmp((*link)->path, path) || strcmp((*link)->token, request->value)))
		link = &(*link)->next;
	if (request->type == XS_UNWATCH) {
		watch = *link;
		if (!watch)
			return -ENOENT;
		*link = watch->next;
		free(watch->path);
		free(watch->token);
		free(watch);
		return 0;
	}
	if (*link)
		return -EEXIST;
	watch = calloc(1, sizeof(*watch));
	assert(watch);
	watch->path = strdup(path);
	watch->token = strdup(request->value);
	watch->relative = request->path[0] != '/' && request->path[0] != '@';
	*link = watch;
	push_event(store, watch, path);
	return 0;
}

static void drop_watches(struct store *store)
{
	while (store->watches) {
		struct watch *watch = store->watches;

		store->watches = watch->next;
		free(watch->path);
		free(watch->token);
		free(watch);
	}
}

static int domain_request(const struct store_request *request, struct strbuf *answer)
{
	unsigned long domid = strtoul(request->path, NULL, 10);

	if (domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (request->type == XS_IS_DOMAIN_INTRODUCED) {
		strbuf_add(answer, fake.introduced[domid] || !domid ? "T" : "F", 2);
		return 0;
	}
	if (request->type == XS_RESUME)
		return fake.introduced[domid] ? 0 : -ENOENT;
	if (request->type == XS_RELEASE && !fake.introduced[domid])
		return -ENOENT;
	fake.introduced[domid] = request->type == XS_INTRODUCE;
	fire(request->type == XS_INTRODUCE ? "@introduceDomain" : "@releaseDomain", false);
	return 0;
}

static int answer_request(struct store *store, store_tx tx, const struct store_request *request,
			  struct strbuf *answer)
{
	struct transaction *transaction = tx ? find_transaction(tx) : NULL;
	char path[XENSTORE_ABS_PATH_MAX + 32];

	fake.requests++;
	if (fake.dies_at && fake.requests >= fake.dies_at)
		return -EPIPE;
	if (fake.fail_in && !--fake.fail_in)
		return fake.fail_with;
	if (tx && !transaction)
		return -ENOENT;
	switch (request->type) {
	case XS_TRANSACTION_START:
		begin_transaction(answer);
		return 0;
	case XS_TRANSACTION_END:
		return transaction ? commit_transaction(transaction, request->path[0] == 'T') :
				     -ENOENT;
	case XS_INTRODUCE:
	case XS_RELEASE:
	case XS_RESUME:
	case XS_IS_DOMAIN_INTRODUCED:
		return domain_request(request, answer);
	case XS_RESET_WATCHES:
		drop_watches(store);
		return 0;
	case XS_CONTROL:
		strbuf_add(answer, "OK", 3);
		return 0;
	}
	if (canonical(request->path, path))
		return -EINVAL;
	if (request->type == XS_WATCH || request->type == XS_UNWATCH)
		return watch_request(store, request, path);
	return path[0] == '@' ? -EINVAL : node_request(transaction, request, path, answer);
}

int store_exchange(struct store *store, store_tx tx, struct store_request *requests,
		   unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct strbuf answer = { 0 };

		requests[i].result = answer_request(store, tx, &requests[i], &answer);
		if (!requests[i].result && store_answers_data(requests[i].type)) {
			requests[i].reply_length = answer.length;
			requests[i].reply = strbuf_take(&answer);
		}
		strbuf_free(&answer);
	}
	return store_first_result(requests, count);
}

/* ---- the rest of a port ---- */

int store_open(struct store **out)
{
	struct store *store = calloc(1, sizeof(*store));

	assert(store);
	store->next = fake.stores;
	fake.stores = store;
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	struct store **link = &fake.stores;

	if (!store)
		return;
	while (*link != store)
		link = &(*link)->next;
	*link = store->next;
	drop_watches(store);
	while (store->first) {
		struct event *event = store->first;

		store->first = event->next;
		free(event);
	}
	free(store);
}

void store_set_deadline(struct store *store, unsigned int ms)
{
	(void)store;
	(void)ms;
}

int store_fd(struct store *store)
{
	(void)store;
	return -ENOTSUP;
}

int store_event(struct store *store, char **buffer, char **path, char **token)
{
	struct event *event = store->first;

	if (!event)
		return -EAGAIN;
	store->first = event->next;
	if (!store->first)
		store->last = NULL;
	*buffer = (char *)event;
	*path = event->text;
	*token = event->text + strlen(event->text) + 1;
	return 0;
}

int store_wait_event(struct store *store, unsigned int ms, char **buffer, char **path, char **token)
{
	(void)ms;
	while (!store->first)
		if (!fake.idle || !fake.idle(fake.idle_arg))
			return -ETIMEDOUT;
	return store_event(store, buffer, path, token);
}

/* ---- what tests see ---- */

void fake_store_reset(void)
{
	struct store *stores = fake.stores;

	while (fake.transactions)
		end_transaction(fake.transactions);
	node_free(fake.root);
	memset(&fake, 0, sizeof(fake));
	fake.stores = stores;
}

const char *fake_store_get(const char *path)
{
	struct node *node = find(root(), path, false, NULL);

	return node ? node->value : NULL;
}

const char *fake_store_perms(const char *path)
{
	struct node *node = find(root(), path, false, NULL);

	return node ? node->perms : NULL;
}

unsigned int fake_store_nodes(void)
{
	return count_nodes(root()->children);
}

unsigned int fake_store_handles(void)
{
	unsigned int count = 0;

	for (struct store *store = fake.stores; store; store = store->next)
		count++;
	return count;
}

unsigned int fake_store_watches(void)
{
	unsigned int count = 0;

	for (struct store *store = fake.stores; store; store = store->next)
		for (struct watch *watch = store->watches; watch; watch = watch->next)
			count++;
	return count;
}

unsigned int fake_store_transactions(void)
{
	unsigned int count = 0;

	for (struct transaction *t = fake.transactions; t; t = t->next)
		count++;
	return count;
}

unsigned int fake_store_requests(void)
{
	return fake.requests;
}

bool fake_store_introduced(domid_t domid)
{
	return domid < DOMID_FIRST_RESERVED && fake.introduced[domid];
}

static void dump(FILE *out, const struct node *node, int depth)
{
	for (; node; node = node->next) {
		fprintf(out, "%*s%s = \"%s\"  (%s)\n", depth, "", node->name, node->value,
			node->perms);
		dump(out, node->children, depth + 1);
	}
}

void fake_store_dump(FILE *out)
{
	dump(out, root()->children, 0);
}

void fake_store_set(const char *path, const char *value)
{
	set_value(find(root(), path, true, NULL), value, strlen(value));
	publish(path, false, false);
}

void fake_store_remove(const char *path)
{
	struct node *node = find(root(), path, false, NULL);

	if (!node || node == root())
		return;
	unlink_node(root(), node);
	publish(path, true, false);
}

void fake_store_fire(const char *path)
{
	fire(path, false);
}

void fake_store_on_idle(bool (*hook)(void *arg), void *arg)
{
	fake.idle = hook;
	fake.idle_arg = arg;
}

void fake_store_on_write(void (*hook)(void *arg, const char *path, const char *value), void *arg)
{
	fake.written = hook;
	fake.written_arg = arg;
}

void fake_store_fail(unsigned int nth, int error)
{
	fake.fail_in = nth;
	fake.fail_with = error;
}

void fake_store_die(unsigned int nth)
{
	fake.dies_at = nth ? fake.requests + nth : 0;
}

void fake_store_conflict(unsigned int times)
{
	fake.conflicts = times;
}
