/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/manifest.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/db/db.h"
#include "common/file/fs.h"

static json_t *tables_of(const Manifest *m)
{
    AUTOFREE char *schema = NULL;
    AUTOFREE char *table = NULL;
    json_t *tables = json_array(), *t = json_object();
    if (db_split_table(m->target, &schema, &table)) {
        json_set_str(t, "database", schema);
        json_set_str(t, "table", table);
    }
    json_set_int(t, "rows", m->rows);
    json_set_str(t, "checksum", m->checksum);
    json_array_append_new(tables, t);
    return tables;
}

static bool write_sums(const char *folder, const Manifest *m, Err *err)
{
    AUTO(str_done) Str sums = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/SHA256SUMS", folder);
    size_t i;
    json_t *f;
    json_array_foreach(m->files, i, f)
        str_addf(&sums, "%s  %s\n", json_str(f, "sha256"), json_str(f, "name"));
    return fs_replace(path, str_z(&sums), sums.len, 0600, err);
}

static bool write_manifest(const char *folder, const Manifest *m, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/manifest.json", folder);
    AUTOJSON json_t *j = json_object();
    json_set_str(j, "run", NULL);
    json_set_str(j, "job", m->job);
    json_set_str(j, "gtid", m->gtid);
    json_set_time(j, "frozen_at", m->frozen_at);
    json_set_str(j, "flavor", m->flavor);
    json_set_str(j, "server_version", m->server_version);
    json_set_int(j, "shard", m->shard);
    json_set_int(j, "shards", m->shards);
    json_object_set(j, "files", m->files);
    json_object_set_new(j, "tables", tables_of(m));
    json_object_set(j, "upload", m->upload);
    json_set_time(j, "started_at", m->started_at);
    json_set_time(j, "finished_at", clock_wall_ms());
    return json_replace_file(path, j, 0600, err);
}

bool manifest_write(const char *folder, const Manifest *m, Err *err)
{
    AUTOFREE char *files = xasprintf("%s/files.json", folder);
    AUTOFREE char *sealed = xasprintf("%s/.siding-sealed", folder);
    AUTOJSON json_t *j = json_object();
    json_object_set(j, "files", m->files);
    json_object_set_new(j, "tables", tables_of(m));
    json_object_set(j, "upload", m->upload);
    if (!json_replace_file(files, j, 0600, err) || !fs_replace(sealed, "", 0, 0600, err))
        return false;
    return getenv("SIDING_RUN_ID") || (write_sums(folder, m, err) && write_manifest(folder, m, err));
}
