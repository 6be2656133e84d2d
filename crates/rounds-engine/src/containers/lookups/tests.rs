use super::*;
use futures_util::future::ready;
use rounds_domain::{ChangeKind, ContainerId, OrderingKey, RecordId, Version};

const BODY: &str = r#"{"name":"somebody"}"#;

fn container(action: &str, round: u64) -> Container {
    Container {
        id: ContainerId::new("ctr_1"),
        action: ActionName::new(action),
        round,
        partition: None,
        record_id: RecordId::new("1"),
        version: Version([0; 16]),
        kind: ChangeKind::Created,
        former: rounds_domain::Former::None,
        ordering_key: OrderingKey::new("record:1"),
        record: Document::new("{}"),
        previous: None,
        detected_at: Timestamp::UNIX_EPOCH,
        attempts: 0,
        answers: Vec::new(),
    }
}

/// Looks a patient up for a container of this round; the EHR answers at once.
async fn look_up(desk: &LookupDesk, container: &Container, patient: u32, body: &str) {
    let question = Question::Request {
        method: http::Method::GET,
        url: format!("https://ehr.example/patient/{patient}")
            .parse()
            .expect("a URL"),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let found = Looked::Found {
        body: Document::new(body.to_owned()),
        at: Timestamp::UNIX_EPOCH,
    };
    let answer = desk.answer(container, question.clone(), || {
        ready(Ok(found)).boxed().shared()
    });
    let looked = answer.await;
    desk.remember(container, WhenMissing::Null, &question, &looked);
}

/// What the desk really holds: answers and their bytes. Its own counts must be the same.
fn held(desk: &LookupDesk) -> (usize, usize) {
    let rounds = desk.lock();
    let kept = || {
        rounds
            .by_action
            .values()
            .flat_map(|latest| latest.answers.values())
    };
    let held = (kept().count(), kept().map(|kept| kept.bytes).sum());
    assert_eq!((rounds.answers, rounds.bytes), held);
    held
}

#[tokio::test]
async fn a_hundred_thousand_parents_over_time_leave_the_last_rounds_behind() {
    // Case 77: airbytehq/airbyte#36510, airbytehq/airbyte#33854: state grew with every parent.
    let desk = LookupDesk::default();
    for round in 0..100 {
        for patient in 0..1_000 {
            let container = container("appointments", round);
            look_up(
                &desk,
                &container,
                patient + 1_000 * u32::try_from(round).expect("small"),
                BODY,
            )
            .await;
        }
        assert_eq!(held(&desk), (1_000, 1_000 * BODY.len()), "round {round}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_parents_of_one_round_stay_within_the_bound() {
    // Case 77: the same in one round.
    let desk = LookupDesk::default();
    for patient in 0..100_000 {
        look_up(&desk, &container("appointments", 1), patient, BODY).await;
        assert!(desk.lock().answers <= MOST_ANSWERS);
    }
    assert!(held(&desk).0 <= MOST_ANSWERS);
}

#[tokio::test]
async fn an_answer_that_many_share_is_counted_once() {
    // Case 70: counted for each, a round's answers were forgotten long before the bound and asked for again.
    let desk = LookupDesk::default();
    let body = format!("\"{}\"", "x".repeat(1024 * 1024));
    for number in 0..200 {
        look_up(&desk, &container("appointments", 1), number % 2, &body).await;
    }
    assert_eq!(held(&desk), (2, 2 * body.len()));
    for number in 0..200 {
        look_up(&desk, &container("appointments", 1), 2 + number, &body).await;
        assert!(desk.lock().bytes <= MOST_BYTES + body.len());
    }
}
