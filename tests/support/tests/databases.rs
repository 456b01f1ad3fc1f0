//! The databases that tests get.

use respool_test_support::{TestCluster, fresh_database};
use sqlx::{Connection, PgConnection};

async fn exists(name: &str) -> bool {
    let cluster = TestCluster::get().await;
    let mut connection = PgConnection::connect_with(&cluster.connect_options("postgres"))
        .await
        .unwrap();
    let sql = "select exists (select from pg_database where datname = $1)";
    sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_test_has_a_database_of_its_own_and_a_success_drops_it() {
    let (one, other) = tokio::join!(fresh_database(), fresh_database());
    assert_ne!(one.name(), other.name());
    sqlx::query("create table mine (n int)")
        .execute(&one.pool().await)
        .await
        .unwrap();
    let theirs = sqlx::query_scalar::<_, bool>("select to_regclass('public.mine') is null");
    assert!(theirs.fetch_one(&mut other.connect().await).await.unwrap());
    let name = one.name().to_owned();
    drop(one);
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn the_server_and_the_reason_are_one_sentence() {
    let sentence = TestCluster::get().await.sentence();
    assert!(
        sentence.starts_with("database: ") && sentence.contains(" because "),
        "{sentence}"
    );
}
