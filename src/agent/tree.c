/* SPDX-License-Identifier: GPL-2.0-only */
#include <uthash.h>

#include "agent/agent.h"

struct node {
    uint32_t pid;
    UT_hash_handle hh;
};

struct tt_tree {
    pthread_mutex_t lock;
    struct node *nodes;
};

struct tt_tree *tt_tree_new(void)
{
    struct tt_tree *tree = calloc(1, sizeof(*tree));

    if (tree)
        pthread_mutex_init(&tree->lock, NULL);
    return tree;
}

void tt_tree_free(struct tt_tree **tree)
{
    struct node *n, *next;

    if (!*tree)
        return;
    HASH_ITER(hh, (*tree)->nodes, n, next)
    {
        HASH_DEL((*tree)->nodes, n);
        free(n);
    }
    free(*tree);
    *tree = NULL;
}

static bool has(const struct tt_tree *tree, uint32_t pid)
{
    struct node *n;

    HASH_FIND(hh, tree->nodes, &pid, sizeof(pid), n);
    return n != NULL;
}

static void add(struct tt_tree *tree, uint32_t pid)
{
    struct node *n = has(tree, pid) ? NULL : calloc(1, sizeof(*n));

    if (!n)
        return;
    n->pid = pid;
    HASH_ADD(hh, tree->nodes, pid, sizeof(n->pid), n);
}

void tt_tree_add(struct tt_tree *tree, uint32_t pid)
{
    pthread_mutex_lock(&tree->lock);
    add(tree, pid);
    pthread_mutex_unlock(&tree->lock);
}

void tt_tree_fork(struct tt_tree *tree, uint32_t parent, uint32_t child)
{
    pthread_mutex_lock(&tree->lock);
    if (has(tree, parent))
        add(tree, child);
    pthread_mutex_unlock(&tree->lock);
}

bool tt_tree_has(struct tt_tree *tree, uint32_t pid)
{
    bool found;

    pthread_mutex_lock(&tree->lock);
    found = has(tree, pid);
    pthread_mutex_unlock(&tree->lock);
    return found;
}
