use super::*;
use crate::test_clock::TestClock;
use proptest::prelude::*;
use std::future::Future;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn limits(rates: &[(u32, u64)], in_flight: u32) -> Limits {
    Limits {
        rates: rates
            .iter()
            .map(|&(requests, per_ms)| Rate::rolling(requests, ms(per_ms)))
            .collect(),
        in_flight,
        longest_retry_after: Duration::from_hours(1),
        reset: None,
    }
}

/// Runs a story on one thread with a clock that jumps to the next sleeper whenever nobody can go on.
fn simulate<F: Future>(clock: &TestClock, story: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let clock = clock.clone();
    runtime.block_on(async move {
        let mut story = std::pin::pin!(story);
        loop {
            // Each turn polls every task that was woken, so a few turns are enough for any chain of wake-ups here.
            for _ in 0..32 {
                tokio::select! {
                    biased;
                    output = &mut story => return output,
                    () = tokio::task::yield_now() => {}
                }
            }
            let wait = clock.next_wake().expect("somebody waits for ever");
            clock.advance(wait);
        }
    })
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at_ms: u64,
    served_for_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    at_ms: u64,
    for_ms: u64,
}

/// When each request is granted, by the gate.
fn granted_by_gate(limits: &Limits, arrivals: &[Arrival], pauses: &[Pause]) -> Vec<Duration> {
    let clock = TestClock::default();
    let gate = Arc::new(Gate::new(limits, Arc::new(clock.clone())));
    simulate(&clock, async {
        for pause in pauses.iter().copied() {
            let (gate, clock) = (Arc::clone(&gate), clock.clone());
            tokio::spawn(async move {
                clock.sleep(ms(pause.at_ms)).await;
                let until = clock.monotonic() + ms(pause.for_ms);
                let mut book = gate.book();
                book.closed_until = book.closed_until.max(until);
            });
        }
        let requests: Vec<_> = arrivals
            .iter()
            .map(|&arrival| {
                let (gate, clock) = (Arc::clone(&gate), clock.clone());
                tokio::spawn(async move {
                    clock.sleep(ms(arrival.at_ms)).await;
                    let pass = gate.enter(Turn::Poll).await;
                    let granted_at = clock.monotonic();
                    clock.sleep(ms(arrival.served_for_ms)).await;
                    drop(pass);
                    granted_at
                })
            })
            .collect();
        let mut granted = Vec::new();
        for request in requests {
            granted.push(request.await.expect("a request's task"));
        }
        granted
    })
}

/// When each request is granted, by the definition: the first moment, not before its arrival and not before its
/// forerunner, at which a slot is free, no pause is on, and no window of any rate would hold too many.
fn granted_by_definition(limits: &Limits, arrivals: &[Arrival], pauses: &[Pause]) -> Vec<Duration> {
    let mut granted: Vec<Duration> = Vec::new();
    let mut done: Vec<Duration> = Vec::new();
    for arrival in arrivals {
        let mut at = ms(arrival.at_ms).max(granted.last().copied().unwrap_or_default());
        loop {
            let busy = done.iter().filter(|&&end| end > at);
            let slot = if busy.clone().count() < limits.in_flight as usize {
                at
            } else {
                busy.min().copied().expect("somebody is busy")
            };
            let pause = pauses
                .iter()
                .filter(|pause| ms(pause.at_ms) <= at)
                .map(|pause| ms(pause.at_ms + pause.for_ms));
            let windows = limits.rates.iter().filter_map(|rate| {
                let within: Vec<_> = granted
                    .iter()
                    .filter(|&&other| other + rate.per > at)
                    .collect();
                (within.len() >= rate.requests as usize).then(|| *within[0] + rate.per)
            });
            let next = pause.chain(windows).fold(slot, Duration::max);
            if next == at {
                break;
            }
            at = next;
        }
        granted.push(at);
        done.push(at + ms(arrival.served_for_ms));
    }
    granted
}

fn assert_no_window_holds_more(limits: &Limits, granted: &[Duration]) -> Result<(), TestCaseError> {
    for rate in &limits.rates {
        for &start in granted {
            let held = granted
                .iter()
                .filter(|&&other| other >= start && other < start + rate.per)
                .count();
            prop_assert!(held <= rate.requests as usize, "{held} within {rate:?}");
        }
    }
    Ok(())
}

// All times are multiples of four but those of pauses, so that no pause begins in the very moment of a grant, where
// either order would be right.
prop_compose! {
    fn any_limits()(rates in prop::collection::vec((1_u32..6, 1_u64..100), 0..3), in_flight in 1_u32..5) -> Limits {
        let rates: Vec<_> = rates.into_iter().map(|(requests, per)| (requests, per * 4)).collect();
        limits(&rates, in_flight)
    }
}

prop_compose! {
    fn any_arrivals()(parts in prop::collection::vec((0_u64..60, 0_u64..60), 1..40)) -> Vec<Arrival> {
        let mut at_ms = 0;
        parts.into_iter().map(|(gap, served_for)| {
            at_ms += gap / 4 * 4;
            Arrival { at_ms, served_for_ms: served_for * 4 }
        }).collect()
    }
}

prop_compose! {
    fn any_pauses()(parts in prop::collection::vec((0_u64..200, 0_u64..100), 0..4)) -> Vec<Pause> {
        parts.into_iter().map(|(at, length)| Pause { at_ms: at * 4 + 1, for_ms: length * 4 + 1 }).collect()
    }
}

proptest! {
    #[test]
    fn a_gate_grants_exactly_when_its_definition_does(
        limits in any_limits(), arrivals in any_arrivals(), pauses in any_pauses(),
    ) {
        let granted = granted_by_gate(&limits, &arrivals, &pauses);
        prop_assert_eq!(&granted, &granted_by_definition(&limits, &arrivals, &pauses));
        assert_no_window_holds_more(&limits, &granted)?;
        prop_assert!(granted.is_sorted());
    }

    #[test]
    fn requests_that_give_up_hold_up_nobody(
        limits in any_limits(),
        arrivals in prop::collection::vec((any::<bool>(), 0_u64..200), 1..40),
    ) {
        let clock = TestClock::default();
        let gate = Arc::new(Gate::new(&limits, Arc::new(clock.clone())));
        let granted = simulate(&clock, async {
            let requests: Vec<_> = arrivals.iter().map(|&(is_patient, patience_ms)| {
                let (gate, clock) = (Arc::clone(&gate), clock.clone());
                tokio::spawn(async move {
                    let patience = async {
                        if is_patient { std::future::pending().await } else { clock.sleep(ms(patience_ms)).await }
                    };
                    tokio::select! {
                        pass = gate.enter(Turn::Poll) => {
                            let granted_at = clock.monotonic();
                            clock.sleep(ms(20)).await;
                            drop(pass);
                            Some(granted_at)
                        }
                        () = patience => None,
                    }
                })
            }).collect();
            let mut granted = Vec::new();
            for request in requests {
                granted.push(request.await.expect("a request's task"));
            }
            granted
        });
        for (&(is_patient, _), granted) in arrivals.iter().zip(&granted) {
            prop_assert!(granted.is_some() || !is_patient);
        }
        let granted: Vec<_> = granted.into_iter().flatten().collect();
        prop_assert!(granted.is_sorted());
        assert_no_window_holds_more(&limits, &granted)?;
    }
}

#[test]
fn two_rates_hold_at_once() {
    let limits = limits(&[(2, 1_000), (3, 10_000)], 10);
    let arrivals = [Arrival {
        at_ms: 0,
        served_for_ms: 0,
    }; 5];
    let granted = granted_by_gate(&limits, &arrivals, &[]);
    assert_eq!(granted, [ms(0), ms(0), ms(1_000), ms(10_000), ms(10_000)]);
}

/// What one refusal after another makes of the pause.
#[test]
fn unmeasured_pauses_double_and_a_success_resets_them() {
    let clock = TestClock::default();
    let gate = Gate::new(&limits(&[], 4), Arc::new(clock.clone()));
    simulate(&clock, async {
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pass = gate.enter(Turn::Poll).await;
            let companion = gate.enter(Turn::Poll).await;
            pauses.push(gate.pause(pass.granted_at(), None).as_secs());
            gate.served(&companion);
            assert_eq!(
                gate.pause(companion.granted_at(), Some(Duration::ZERO))
                    .as_secs(),
                *pauses.last().expect("one was pushed"),
                "what was under way together counts once"
            );
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);

        let pass = gate.enter(Turn::Poll).await;
        gate.served(&pass);
        assert_eq!(gate.pause(pass.granted_at(), None), Duration::from_secs(1));
    });
}

#[test]
fn a_measured_pause_is_kept_clamped_and_not_shortened() {
    let clock = TestClock::default();
    let gate = Gate::new(&limits(&[], 4), Arc::new(clock.clone()));
    simulate(&clock, async {
        let pass = gate.enter(Turn::Poll).await;
        assert_eq!(
            gate.pause(pass.granted_at(), Some(Duration::from_hours(10))),
            Duration::from_hours(1)
        );
        assert_eq!(gate.pause(pass.granted_at(), Some(ms(5))), ms(5));
        drop(pass);
        let _pass = gate.enter(Turn::Poll).await;
        assert_eq!(clock.monotonic(), Duration::from_hours(1));
    });
}

#[test]
fn a_rate_of_nothing_still_lets_one_through() {
    let limits = limits(&[(0, 1_000)], 0);
    let arrivals = [Arrival {
        at_ms: 0,
        served_for_ms: 0,
    }; 2];
    assert_eq!(granted_by_gate(&limits, &arrivals, &[]), [ms(0), ms(1_000)]);
}

#[test]
fn lookups_that_hang_do_not_keep_polls_out() {
    let clock = TestClock::default();
    for (in_flight, longest_wait) in [(4, ms(0)), (2, ms(0)), (1, ms(30_000))] {
        let gate = Arc::new(Gate::new(&limits(&[], in_flight), Arc::new(clock.clone())));
        simulate(&clock, async {
            let began = clock.monotonic();
            let hang = || {
                let (gate, clock) = (Arc::clone(&gate), clock.clone());
                tokio::spawn(async move {
                    let _pass = gate.enter(Turn::FollowUp).await;
                    clock.sleep(ms(30_000)).await;
                })
            };
            let lookups: Vec<_> = (0..160).map(|_| hang()).collect();
            clock.sleep(ms(10)).await;
            let asked_at = clock.monotonic();
            drop(gate.enter(Turn::Poll).await);
            let waited = clock.monotonic().saturating_sub(asked_at);
            assert!(waited <= longest_wait, "{in_flight}: {waited:?}");
            for lookup in lookups {
                lookup.await.expect("it ends");
            }
            // Each of them had its turn, all slots but one at a time.
            let at_once = u64::from(in_flight - 1).max(1);
            let took = clock.monotonic().saturating_sub(began);
            assert!(took >= ms(30_000 * 160 / at_once), "{in_flight}: {took:?}");
        });
    }
}
