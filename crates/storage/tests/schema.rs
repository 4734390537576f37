//! Both databases have the same schema, written in their own words.

use crate::stand::Stand;

const SQLITE_COLUMNS: &str = "
    SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk THEN ' not null' ELSE '' END
    FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'";

const POSTGRES_COLUMNS: &str = "
    SELECT table_name || '.' || column_name || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";

const SQLITE_TYPES: &str = "
    SELECT m.name || '.' || c.name || ' ' || c.type
    FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'";

const POSTGRES_TYPES: &str = "
    SELECT table_name || '.' || column_name || ' ' || data_type
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";

/// The columns of unique indexes, primary keys among them; expressions are left out.
const SQLITE_UNIQUE: &str = "
    SELECT m.name || ' (' || COALESCE((SELECT group_concat(c.name) FROM
        (SELECT name FROM pragma_index_info(i.name) WHERE name IS NOT NULL ORDER BY name) c), '') || ')'
    FROM sqlite_master m, pragma_index_list(m.name) i
    WHERE m.type = 'table' AND i.\"unique\" AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
    UNION ALL
    SELECT m.name || ' (' || c.name || ')' FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND c.pk = 1 AND c.type = 'INTEGER' AND m.name NOT LIKE 'sqlite_%'
      AND (SELECT COUNT(*) FROM pragma_table_info(m.name) p WHERE p.pk > 0) = 1";

const POSTGRES_UNIQUE: &str = "
    SELECT t.relname || ' (' || COALESCE((SELECT string_agg(a.attname, ',' ORDER BY a.attname COLLATE \"C\")
        FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey)), '') || ')'
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE i.indisunique AND n.nspname = 'public' AND t.relname NOT LIKE '\\_sqlx%'";

const SQLITE_INDEXES: &str = "
    SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'";

const POSTGRES_INDEXES: &str = "
    SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public'
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = indexname)";

async fn sorted(stand: &Stand, sql: &str) -> Vec<String> {
    let mut lines = stand.texts(sql).await;
    lines.sort();
    lines
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let (sqlite, postgres) = (Stand::sqlite().await, Stand::postgres().await);
    let columns = sorted(&sqlite, SQLITE_COLUMNS).await;
    assert!(columns.len() > 60, "{columns:?}");
    assert_eq!(columns, sorted(&postgres, POSTGRES_COLUMNS).await);
    let unique = sorted(&sqlite, SQLITE_UNIQUE).await;
    assert!(unique.contains(&"events (chat,message_id,sender,session_id)".to_owned()), "{unique:?}");
    assert_eq!(unique, sorted(&postgres, POSTGRES_UNIQUE).await);
    assert_eq!(sorted(&sqlite, SQLITE_INDEXES).await, sorted(&postgres, POSTGRES_INDEXES).await);
}

#[tokio::test]
async fn types_match() {
    let (sqlite, postgres) = (Stand::sqlite().await, Stand::postgres().await);
    let of_sqlite = sorted(&sqlite, SQLITE_TYPES).await;
    let of_postgres = sorted(&postgres, POSTGRES_TYPES).await;
    for (ours, theirs) in of_sqlite.iter().zip(&of_postgres) {
        let (column, kind) = ours.split_once(' ').unwrap();
        let (same, other) = theirs.split_once(' ').unwrap();
        assert_eq!(column, same);
        let matching = match kind {
            "TEXT" => ["text"].contains(&other),
            "BOOLEAN" => ["boolean"].contains(&other),
            "BIGINT" => ["bigint"].contains(&other),
            // A row's own number, or a small one.
            "INTEGER" => ["bigint", "integer"].contains(&other),
            "BLOB" => ["uuid", "bytea"].contains(&other),
            _ => false,
        };
        assert!(matching, "{column}: {kind} and {other}");
    }
}
