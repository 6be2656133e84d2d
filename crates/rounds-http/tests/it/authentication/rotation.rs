//! Refresh tokens that are good once.

use super::*;
use async_trait::async_trait;
use rounds_domain::ConnectionName;
use rounds_domain::ports::{Credential, Credentials, StoreError, StoreErrorKind};
use secrecy::ExposeSecret;
use std::sync::Mutex;

/// A keeper that outlives processes, and a disk that may be full.
#[derive(Default)]
struct Kept(Mutex<(Option<Credential>, Disk)>);

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Disk {
    #[default]
    Fine,
    Full,
}

impl Kept {
    fn set(&self, disk: Disk) {
        self.0.lock().expect("no panic").1 = disk;
    }

    fn secret(&self) -> Option<String> {
        let kept = self.0.lock().expect("no panic");
        let secret = kept.0.as_ref().map(|kept| kept.secret.expose_secret());
        secret.map(str::to_owned)
    }
}

#[async_trait]
impl Credentials for Kept {
    async fn credential(&self, _: &ConnectionName) -> Result<Option<Credential>, StoreError> {
        Ok(self.0.lock().expect("no panic").0.clone())
    }

    async fn keep_credential(
        &self,
        _: &ConnectionName,
        credential: Credential,
    ) -> Result<(), StoreError> {
        let mut kept = self.0.lock().expect("no panic");
        if kept.1 == Disk::Full {
            return Err(StoreError {
                kind: StoreErrorKind::Full,
                operation: "keeping a secret".to_owned(),
                reason: "the disk is full".to_owned(),
            });
        }
        kept.0 = Some(credential);
        Ok(())
    }
}

fn refreshing(world: &World, kept: &Arc<Kept>) -> EhrClient {
    let oauth2 = world.oauth2(Grant::RefreshToken {
        first: environment("REFRESH_TOKEN"),
    });
    world
        .client(Authentication::OAuth2(Box::new(oauth2)))
        .keeping(Arc::clone(kept) as Arc<dyn Credentials>)
}

#[tokio::test]
async fn a_rotated_token_is_kept_and_the_next_process_goes_on_with_it() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    for tokens in 1..=3 {
        // A new process each time.
        let client = refreshing(&world, &kept);
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        assert_eq!(world.fake.asked("/token"), tokens);
        assert_eq!(
            kept.secret(),
            Some(world.fake.books().refresh_token.clone())
        );
    }
}

#[tokio::test]
async fn a_token_is_not_used_before_what_came_with_it_is_kept() {
    // Case 83.
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    kept.set(Disk::Full);
    let client = refreshing(&world, &kept);
    for _ in 0..3 {
        let error = world.ask(&client).await.expect_err("the disk is full");
        assert_eq!(error.code.as_str(), "R0336");
        world.clock.advance(seconds(2));
    }
    // The EHR rotated once, and nothing else was asked with a token that would be lost by a crash.
    world.expect(1, 0);
    assert_eq!(kept.secret(), None);
    // The one in memory is kept as soon as it can be, before it is spent.
    kept.set(Disk::Fine);
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    world.expect(2, 1);
    assert_eq!(
        kept.secret(),
        Some(world.fake.books().refresh_token.clone())
    );
}

#[tokio::test]
async fn a_newly_configured_token_wins_over_what_is_kept() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    *kept.0.lock().expect("no panic") = (
        Some(Credential {
            secret: "spent".into(),
            origin: [7; 32],
        }),
        Disk::Fine,
    );
    let client = refreshing(&world, &kept);
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    assert_eq!(kept.secret().as_deref(), Some("refresh-1"));
}

#[tokio::test]
async fn a_spent_token_is_a_lasting_error_and_no_place_to_keep_one_spends_none() {
    let world = World::new().await;
    let kept = Arc::new(Kept::default());
    world.fake.books().refresh_token = "another".to_owned();
    let error = world
        .ask(&refreshing(&world, &kept))
        .await
        .expect_err("it is spent");
    assert_eq!(error.code.as_str(), "R0330");
    assert!(error.message.ends_with("invalid_grant"), "{error}");
    let oauth2 = world.oauth2(Grant::RefreshToken {
        first: environment("REFRESH_TOKEN"),
    });
    let client = world.client(Authentication::OAuth2(Box::new(oauth2)));
    let error = world.ask(&client).await.expect_err("nobody keeps it");
    assert_eq!(error.code.as_str(), "R0336");
    world.expect(1, 0);
}
