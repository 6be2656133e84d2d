//! Secrets that EHRs gave.

use super::Backend;
use rounds_domain::ConnectionName;
use rounds_domain::ports::{Credential, Credentials};
use secrecy::ExposeSecret;

fn credential(secret: &str, origin: u8) -> Credential {
    Credential {
        secret: secret.into(),
        origin: [origin; 32],
    }
}

async fn kept(store: &impl Credentials, connection: &str) -> Option<(String, [u8; 32])> {
    let kept = store
        .credential(&ConnectionName::new(connection))
        .await
        .expect("the store answers");
    kept.map(|kept| (kept.secret.expose_secret().to_owned(), kept.origin))
}

/// The last secret of each connection is what a new process finds.
pub(crate) async fn the_last_secret_of_each_connection_outlives_the_process(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    assert_eq!(kept(&store, "mercy").await, None);
    for (connection, secret, origin) in [
        ("mercy", "first", 1),
        ("clinic", "other's", 7),
        ("mercy", "second", 1),
        ("mercy", "third, of another origin", 2),
    ] {
        store
            .keep_credential(&ConnectionName::new(connection), credential(secret, origin))
            .await
            .expect("kept");
    }
    let store = backend.reopen(store).await;
    assert_eq!(
        kept(&store, "mercy").await,
        Some(("third, of another origin".to_owned(), [2; 32]))
    );
    assert_eq!(
        kept(&store, "clinic").await,
        Some(("other's".to_owned(), [7; 32]))
    );
    assert_eq!(kept(&store, "nobody").await, None);
}

/// A secret that is kept is shown by no Debug.
pub(crate) async fn a_kept_secret_is_not_shown(backend: &impl Backend) {
    let store = backend.open().await;
    let connection = ConnectionName::new("mercy");
    store
        .keep_credential(&connection, credential("hunter2", 1))
        .await
        .expect("kept");
    let kept = store.credential(&connection).await.expect("an answer");
    let shown = format!("{kept:?} {:?}", credential("hunter2", 1));
    assert!(!shown.contains("hunter2"), "{shown}");
}
