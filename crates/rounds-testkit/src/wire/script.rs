//! What is to go wrong, for which requests, and how often.

use std::sync::Arc;

/// Says whether a fault is meant for this request.
type Matcher<S> = Arc<dyn Fn(&S) -> bool + Send + Sync>;

struct Rule<S: ?Sized, F> {
    matcher: Matcher<S>,
    fault: F,
    how_often: HowOften,
}

enum HowOften {
    Once,
    Always,
}

/// Rules over requests seen as `S`, with faults `F`.
pub(crate) struct Script<S: ?Sized, F> {
    rules: Vec<Rule<S, F>>,
}

impl<S: ?Sized, F: Clone> Script<S, F> {
    pub(crate) fn new() -> Self {
        Self { rules: Vec::new() }
    }

    /// Queues `fault` for the next `times` requests that match and that no earlier queued fault takes.
    pub(crate) fn queue(
        &mut self,
        times: usize,
        matcher: impl Fn(&S) -> bool + Send + Sync + 'static,
        fault: F,
    ) {
        let matcher: Matcher<S> = Arc::new(matcher);
        self.rules.extend((0..times).map(|_| Rule {
            matcher: Arc::clone(&matcher),
            fault: fault.clone(),
            how_often: HowOften::Once,
        }));
    }

    /// Lets `fault` befall every request that matches, until [`Script::clear`].
    pub(crate) fn always(
        &mut self,
        matcher: impl Fn(&S) -> bool + Send + Sync + 'static,
        fault: F,
    ) {
        self.rules.push(Rule {
            matcher: Arc::new(matcher),
            fault,
            how_often: HowOften::Always,
        });
    }

    /// Everything is well again.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The faults of this request: all that always hold, then the first queued one, which is used up.
    pub(crate) fn take(&mut self, subject: &S) -> Vec<F> {
        let always = |rule: &&Rule<S, F>| {
            matches!(rule.how_often, HowOften::Always) && (rule.matcher)(subject)
        };
        let mut faults: Vec<F> = self
            .rules
            .iter()
            .filter(always)
            .map(|rule| rule.fault.clone())
            .collect();
        let queued = self
            .rules
            .iter()
            .position(|rule| matches!(rule.how_often, HowOften::Once) && (rule.matcher)(subject));
        faults.extend(queued.map(|index| self.rules.remove(index).fault));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn queued_faults_are_used_up_in_order_and_standing_ones_stay() {
        let mut script = Script::new();
        script.queue(2, |path: &str| path.starts_with("/a"), "first");
        script.queue(1, |_| true, "second");
        script.always(|path: &str| path == "/b", "standing");

        assert_eq!(script.take("/b"), ["standing", "second"]);
        assert_eq!(script.take("/a"), ["first"]);
        assert_eq!(script.take("/b"), ["standing"]);
        assert_eq!(script.take("/a"), ["first"]);
        assert!(script.take("/a").is_empty());
        script.clear();
        assert!(script.take("/b").is_empty());
    }
}
