/* SPDX-License-Identifier: MIT */
/*
 * JSON trees: looking up, changing and freeing. Children are a singly linked list in the order of
 * the text, because texts are small and their order is worth keeping. Use: include/tools/json.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>

/* Frees siblings in a loop; depth is bounded by the parser. */
void json_free(struct json_value *value)
{
	while (value) {
		struct json_value *next = value->next;

		json_free(value->child);
		free(value->name);
		free(value->text);
		free(value);
		value = next;
	}
}

struct json_value *json_member(const struct json_value *value, const char *name)
{
	struct json_value *child;

	if (!value || value->type != JSON_OBJECT)
		return NULL;
	for (child = value->child; child; child = child->next)
		if (child->name && !strcmp(child->name, name))
			return child;
	return NULL;
}

struct json_value *json_add(struct json_value *parent, const char *name, enum json_type type)
{
	struct json_value *child = calloc(1, sizeof(*child)), **end;

	if (!child)
		return NULL;
	child->type = type;
	if (name) {
		child->name = strdup(name);
		if (!child->name) {
			free(child);
			return NULL;
		}
	}
	for (end = &parent->child; *end; end = &(*end)->next)
		;
	*end = child;
	return child;
}

void json_remove(struct json_value *object, const char *name)
{
	struct json_value *child = json_member(object, name), **link;

	if (!child)
		return;
	for (link = &object->child; *link != child; link = &(*link)->next)
		;
	*link = child->next;
	child->next = NULL;
	json_free(child);
}

/* The member @name as an empty value of @type. */
static struct json_value *member_as(struct json_value *object, const char *name,
				    enum json_type type)
{
	struct json_value *child = json_member(object, name);

	if (!child)
		return json_add(object, name, type);
	json_free(child->child);
	child->child = NULL;
	free(child->text);
	child->text = NULL;
	child->type = type;
	return child;
}

int json_set_int(struct json_value *object, const char *name, int64_t value)
{
	struct json_value *child;

	if (object->type != JSON_OBJECT)
		return -EINVAL;
	child = member_as(object, name, JSON_INT);
	if (!child)
		return -ENOMEM;
	child->integer = value;
	return 0;
}

int json_set_string(struct json_value *object, const char *name, const char *text)
{
	struct json_value *child;
	char *copy;

	if (object->type != JSON_OBJECT)
		return -EINVAL;
	copy = strdup(text);
	child = copy ? member_as(object, name, JSON_STRING) : NULL;
	if (!child) {
		free(copy);
		return -ENOMEM;
	}
	child->text = copy;
	return 0;
}
