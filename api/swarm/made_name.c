/* api/swarm/made_name.c – see made_name.h. */
#include "api/swarm/made_name.h"

#include <stdio.h>

static const char *const kinds[64] = {
    "amber", "early",  "airy",  "autumn", "bold",   "brave",   "bright", "brisk", "busy",  "calm",   "clear",  "clever", "cosy",
    "crisp", "dear",   "deft",  "eager",  "fair",   "fast",    "fond",   "fresh", "free",  "gentle", "glad",   "golden", "good",
    "grand", "green",  "happy", "hardy",  "high",   "honest",  "humble", "keen",  "kind",  "light",  "lively", "lucky",  "mellow",
    "merry", "mild",   "neat",  "noble",  "old",    "patient", "plain",  "proud", "quick", "quiet",  "rapid",  "ready",  "sharp",
    "shy",   "silent", "snug",  "sound",  "spring", "steady",  "summer", "sunny", "swift", "tidy",   "warm",   "wise",
};

static const char *const things[64] = {
    "acorn",  "alder", "apple",  "aster",  "barley",   "basil",  "beech",   "berry",  "birch",  "borage",   "bramble",
    "briar",  "broom", "cedar",  "cherry", "chestnut", "clover", "comb",    "crocus", "daisy",  "elder",    "fennel",
    "fern",   "flax",  "garden", "gorse",  "harvest",  "hazel",  "heather", "hedge",  "hive",   "holly",    "honey",
    "hyssop", "ivy",   "larch",  "laurel", "lavender", "lilac",  "lime",    "linden", "maple",  "marigold", "meadow",
    "mint",   "moss",  "nectar", "oak",    "orchard",  "pear",   "plum",    "pollen", "poppy",  "quince",   "rose",
    "rowan",  "sage",  "skep",   "sorrel", "thistle",  "thyme",  "violet",  "willow", "yarrow",
};

void made_name(const struct random *random, char out[MADE_NAME_SIZE])
{
    const char *kind = kinds[random_below(random, 64)], *thing = things[random_below(random, 64)];
    snprintf(out, MADE_NAME_SIZE, "%s_%s%u", kind, thing, (unsigned)random_below(random, 10));
}
