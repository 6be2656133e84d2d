use super::*;
use crate::test_clock::TestClock;
use secrecy::ExposeSecret;
use std::sync::atomic::{AtomicU32, Ordering};

fn nothing_set() -> Secrets {
    Secrets::with_environment(Arc::new(TestClock::default()), |_| None)
}

fn command(words: &[&str]) -> SecretReference {
    SecretReference::Command(words.iter().map(|&word| word.to_owned()).collect())
}

/// An environment whose variable has another value at each look.
fn rotating(clock: &TestClock) -> Secrets {
    let looks = AtomicU32::new(0);
    Secrets::with_environment(Arc::new(clock.clone()), move |_| {
        Some(format!("value {}", looks.fetch_add(1, Ordering::Relaxed)).into())
    })
}

async fn exposed(secrets: &Secrets, reference: &SecretReference) -> Result<String, SecretError> {
    Ok(secrets.read(reference).await?.expose_secret().to_owned())
}

#[tokio::test]
async fn a_value_is_kept_for_a_minute() -> Result<(), SecretError> {
    let clock = TestClock::default();
    let secrets = rotating(&clock);
    let token = SecretReference::Environment("TOKEN".to_owned());
    assert_eq!(exposed(&secrets, &token).await?, "value 0");
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(exposed(&secrets, &token).await?, "value 0");
    clock.advance(Duration::from_millis(1));
    assert_eq!(exposed(&secrets, &token).await?, "value 1");
    Ok(())
}

#[tokio::test]
async fn a_refused_value_is_read_anew_but_not_in_a_hot_loop() -> Result<(), SecretError> {
    let clock = TestClock::default();
    let secrets = rotating(&clock);
    let token = SecretReference::Environment("TOKEN".to_owned());
    assert_eq!(exposed(&secrets, &token).await?, "value 0");
    secrets.forget(&token).await;
    assert_eq!(
        exposed(&secrets, &token).await?,
        "value 0",
        "too young to forget"
    );
    clock.advance(YOUNGEST_FORGOTTEN);
    secrets.forget(&token).await;
    assert_eq!(exposed(&secrets, &token).await?, "value 1");
    Ok(())
}

#[tokio::test]
async fn a_check_reads_anew_and_keeps_nothing() -> Result<(), SecretError> {
    let secrets = rotating(&TestClock::default());
    let token = SecretReference::Environment("TOKEN".to_owned());
    assert_eq!(exposed(&secrets, &token).await?, "value 0");
    secrets.check(&token).await?;
    assert_eq!(exposed(&secrets, &token).await?, "value 0");
    Ok(())
}

#[tokio::test]
async fn one_trailing_line_break_is_not_part_of_a_secret() -> Result<(), Box<dyn std::error::Error>>
{
    let folder = tempfile::tempdir()?;
    for (content, expected) in [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" s3cret \n\n", " s3cret \n"),
    ] {
        let path = folder.path().join("token");
        std::fs::write(&path, content)?;
        let value = exposed(&nothing_set(), &SecretReference::File(path)).await?;
        assert_eq!(value, expected);
    }
    let value = exposed(&nothing_set(), &command(&["printf", "%s\n", "a b; $HOME"])).await?;
    assert_eq!(value, "a b; $HOME", "no shell is involved");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_had_is_said_without_the_value() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| SecretReference::File(folder.path().join(name));
    std::fs::write(folder.path().join("empty"), "\n")?;
    std::fs::write(folder.path().join("large"), "x".repeat(LIMIT_BYTES + 1))?;
    std::fs::write(folder.path().join("binary"), [0xff, 0xfe])?;
    let place = folder.path().display().to_string();
    let mut messages = Vec::new();
    for reference in [
        SecretReference::Environment("TOKEN".to_owned()),
        file("absent"),
        file("empty"),
        file("large"),
        file("binary"),
        file("."),
        command(&[]),
        command(&["rounds-has-no-such-program", "hunter2"]),
        command(&["false", "hunter2"]),
        command(&["head", "-c", "70000", "/dev/zero"]),
    ] {
        let error = nothing_set()
            .check(&reference)
            .await
            .expect_err("it cannot be had");
        assert!(!error.hint.is_empty());
        assert!(!format!("{error:?}").contains("hunter2"));
        messages.push(error.to_string().replace(&place, "FOLDER"));
    }
    assert_eq!(
        messages,
        [
            "environment variable TOKEN is not set",
            "secret file FOLDER/absent cannot be read: entity not found",
            "secret file FOLDER/empty is empty",
            "secret file FOLDER/large gives more than 65536 bytes",
            "secret file FOLDER/binary is not UTF-8 text",
            "secret file FOLDER/. is not a regular file",
            "secret command  names no program",
            "secret command rounds-has-no-such-program cannot be run: entity not found",
            "secret command false failed with exit status: 1",
            "secret command head gives more than 65536 bytes",
        ]
    );
    Ok(())
}

/// The runtime's time stands still and jumps to the timeout, so nobody waits for ten seconds here.
#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_given_up() {
    let error = nothing_set()
        .check(&command(&["sleep", "60"]))
        .await
        .expect_err("it sleeps for a minute");
    assert_eq!(
        error.to_string(),
        "secret command sleep did not end within 10s"
    );
}

#[tokio::test]
async fn fifty_requests_that_need_a_fresh_secret_at_once_read_it_once() -> Result<(), SecretError> {
    // Case 82: CDK#883, NangoHQ/nango#1354, NangoHQ/nango#6941.
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let script = format!("echo run >> {0}; wc -l < {0}", log.display());
    let clock = TestClock::default();
    let secrets = Secrets::with_environment(Arc::new(clock.clone()), |_| None);
    let reference = command(&["sh", "-c", &script]);
    let fifty = async || {
        let reads = (0..50).map(|_| exposed(&secrets, &reference));
        futures_util::future::try_join_all(reads).await
    };
    let first = fifty().await?;
    assert!(first.iter().all(|value| *value == first[0]));
    // It expires: all fifty are refused, each at its own moment, and ask again.
    clock.advance(YOUNGEST_FORGOTTEN);
    let again = (0..50).map(async |_| {
        secrets.forget(&reference).await;
        exposed(&secrets, &reference).await
    });
    let second = futures_util::future::try_join_all(again).await?;
    assert!(second.iter().all(|value| *value == second[0]));
    assert_ne!(first[0], second[0]);
    let runs = std::fs::read_to_string(log).expect("it ran");
    assert_eq!(
        runs, "run\nrun\n",
        "once at first and once after the refusals"
    );
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_anew_goes_on_serving_for_a_while()
-> Result<(), Box<dyn std::error::Error>> {
    // Case 83: CDK#1055, meltano/sdk#3727: what was there was thrown away before the new one was had.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("token");
    std::fs::write(&path, "old")?;
    let clock = TestClock::default();
    let secrets = Secrets::with_environment(Arc::new(clock.clone()), |_| None);
    let reference = SecretReference::File(path.clone());
    assert_eq!(exposed(&secrets, &reference).await?, "old");
    std::fs::remove_file(&path)?;
    for _ in 0..14 {
        clock.advance(KEPT_FOR);
        assert_eq!(exposed(&secrets, &reference).await?, "old");
    }
    // What comes back is found within a minute and counts from then.
    std::fs::write(&path, "new")?;
    clock.advance(KEPT_FOR);
    assert_eq!(exposed(&secrets, &reference).await?, "new");
    std::fs::remove_file(&path)?;
    clock.advance(SERVES_FOR);
    assert!(exposed(&secrets, &reference).await.is_err(), "not for ever");
    std::fs::write(&path, "newest")?;
    assert_eq!(exposed(&secrets, &reference).await?, "newest");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_anew_is_tried_once_a_minute() -> Result<(), SecretError> {
    // Case 83: each try may be a command that takes ten seconds, while all requests wait.
    let clock = TestClock::default();
    let looks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&looks);
    let secrets = Secrets::with_environment(Arc::new(clock.clone()), move |_| {
        (counted.fetch_add(1, Ordering::Relaxed) == 0).then(|| "old".into())
    });
    let token = SecretReference::Environment("TOKEN".to_owned());
    assert_eq!(exposed(&secrets, &token).await?, "old");
    for _ in 0..10 * 60 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(exposed(&secrets, &token).await?, "old");
    }
    assert_eq!(looks.load(Ordering::Relaxed), 11);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_was_refused_serves_no_longer_when_there_is_no_other()
-> Result<(), SecretError> {
    // Case 84: CDK#987: the fresh one is awaited, and the refused one is not sent again.
    let clock = TestClock::default();
    let looks = AtomicU32::new(0);
    let secrets = Secrets::with_environment(Arc::new(clock.clone()), move |_| {
        match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Some("refused".into()),
            1..=2 => None,
            _ => Some("fresh".into()),
        }
    });
    let token = SecretReference::Environment("TOKEN".to_owned());
    assert_eq!(exposed(&secrets, &token).await?, "refused");
    clock.advance(YOUNGEST_FORGOTTEN);
    secrets.forget(&token).await;
    for _ in 0..2 {
        assert!(exposed(&secrets, &token).await.is_err());
    }
    assert_eq!(exposed(&secrets, &token).await?, "fresh");
    Ok(())
}
