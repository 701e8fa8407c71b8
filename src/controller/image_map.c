/*
 * image_map.c - the ordered map of the image: a height-balanced tree whose changes copy their path
 *
 * A node of the generation being built is changed in place, an older one is copied first (map_own),
 * so a run of changes costs each path once. The recursion is bounded by the height: 1.44 log2 of the
 * number of keys, below 64 for anything that fits into memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "controller/image_int.h"
#include "ottla/common/assert.h"

int
image_key_compare(BytesView a, BytesView b)
{
    int32_t shorter = a.len < b.len ? a.len : b.len;
    int diff = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)shorter);

    return diff != 0 ? diff : (a.len > b.len) - (a.len < b.len);
}

void
image_put_be32(uint8_t at[4], uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

static BytesView
key_of(const MapNode *node)
{
    return (BytesView){node->key, node->key_len};
}

const MapNode *
image_map_find(const MapNode *root, BytesView key)
{
    while (root != NULL) {
        int diff = image_key_compare(key, key_of(root));

        if (diff == 0)
            return root;
        root = diff < 0 ? root->left : root->right;
    }
    return NULL;
}

const MapNode *
map_after(const MapNode *root, BytesView key, bool or_equal)
{
    const MapNode *best = NULL;

    while (root != NULL) {
        int diff = image_key_compare(key, key_of(root));

        if (diff < 0 || (diff == 0 && or_equal)) {
            best = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}

/* ---- changes ---- */

static int32_t
height(const MapNode *node)
{
    return node == NULL ? 0 : node->height;
}

static void
set_height(MapNode *node)
{
    int32_t l = height(node->left), r = height(node->right);

    node->height = 1 + (l > r ? l : r);
}

/* The node itself when this generation made it, else a copy that replaces it [I2]. */
static MapNode *
map_own(ImageWriter *w, MapNode *node)
{
    MapNode *copy;

    if (node->born == w->generation)
        return node;
    copy = image_alloc(w, sizeof *copy);
    ot_assert(copy != NULL); /* image_has_node_room was asked */
    *copy = *node;
    copy->born = w->generation;
    image_drop(w, node, sizeof *node, node->born);
    return copy;
}

/* Both take a node that is owned. */
static MapNode *
rotate_right(ImageWriter *w, MapNode *node)
{
    MapNode *up = map_own(w, node->left);

    node->left = up->right;
    up->right = node;
    set_height(node);
    set_height(up);
    return up;
}

static MapNode *
rotate_left(ImageWriter *w, MapNode *node)
{
    MapNode *up = map_own(w, node->right);

    node->right = up->left;
    up->left = node;
    set_height(node);
    set_height(up);
    return up;
}

/* An owned node whose subtrees differ by at most two. */
static MapNode *
rebalance(ImageWriter *w, MapNode *node)
{
    int32_t lean = height(node->left) - height(node->right);

    if (lean > 1) {
        if (height(node->left->left) < height(node->left->right))
            node->left = rotate_left(w, map_own(w, node->left));
        return rotate_right(w, node);
    }
    if (lean < -1) {
        if (height(node->right->right) < height(node->right->left))
            node->right = rotate_right(w, map_own(w, node->right));
        return rotate_left(w, node);
    }
    set_height(node);
    return node;
}

static MapNode *
put_below(ImageWriter *w, MapNode *node, BytesView key, void *value)
{
    int diff;

    if (node == NULL) {
        node = image_alloc(w, sizeof *node);
        ot_assert(node != NULL);
        *node = (MapNode){.born = w->generation, .height = 1};
    } else {
        diff = image_key_compare(key, key_of(node));
        node = map_own(w, node);
        if (diff < 0) {
            node->left = put_below(w, node->left, key, value);
            return rebalance(w, node);
        }
        if (diff > 0) {
            node->right = put_below(w, node->right, key, value);
            return rebalance(w, node);
        }
    }
    node->key = key.ptr;
    node->key_len = key.len;
    node->value = value;
    return node;
}

void
map_put(ImageWriter *w, MapNode **root, BytesView key, void *value)
{
    *root = put_below(w, *root, key, value);
}

/* Takes out the leftmost node of an subtree that is not empty; *ret_least is it, no longer linked. */
static MapNode *
take_least(ImageWriter *w, MapNode *node, MapNode **ret_least)
{
    node = map_own(w, node);
    if (node->left == NULL) {
        *ret_least = node;
        return node->right;
    }
    node->left = take_least(w, node->left, ret_least);
    return rebalance(w, node);
}

/* The key is there. */
static MapNode *
remove_below(ImageWriter *w, MapNode *node, BytesView key)
{
    int diff = image_key_compare(key, key_of(node));
    MapNode *heir;

    if (diff != 0) {
        node = map_own(w, node);
        if (diff < 0)
            node->left = remove_below(w, node->left, key);
        else
            node->right = remove_below(w, node->right, key);
        return rebalance(w, node);
    }
    if (node->left == NULL || node->right == NULL) {
        heir = node->left == NULL ? node->right : node->left;
    } else {
        MapNode *rest = take_least(w, node->right, &heir);

        heir->left = node->left;
        heir->right = rest;
        heir = rebalance(w, heir);
    }
    image_drop(w, node, sizeof *node, node->born);
    return heir;
}

void *
image_map_remove(ImageWriter *w, MapNode **root, BytesView key)
{
    const MapNode *found = image_map_find(*root, key);
    void *value;

    if (found == NULL)
        return NULL;
    value = found->value;
    *root = remove_below(w, *root, key);
    return value;
}
