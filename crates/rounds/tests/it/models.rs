//! `rounds models`: what the models hold, and the page of the docs that is made of their files.

use crate::support::{Folder, made_page};
use rounds_map::models::{FieldRow, Model};
use std::fmt::Write as _;

/// The page, from the models.
fn page() -> String {
    let mut page = String::from(
        "# Data models\n\nMade from `crates/rounds-map/models/`; `rounds models show MODEL EVENT` shows one event of a model, `rounds models schema MODEL EVENT` its JSON Schema.\n\n\
         A message is whole: every field is there, what has no value is `null`, `[]` or an object of nulls. `notify: { model: Scheduling }` fills in what a mapping leaves out.\n",
    );
    let models = Model::names().filter_map(Model::named);
    for model in models {
        let events: Vec<&str> = model.events().collect();
        _ = write!(
            page,
            "\n## {}\n\n{}. Events: {}.\n\n",
            model.name(),
            sentence(model.about()),
            events.join(", ")
        );
        page.push_str("| field | type | must have a value | about |\n|---|---|---|---|\n");
        for field in model.fields(None) {
            page.push_str(&row(&field, events.len()));
        }
    }
    page
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn row(field: &FieldRow, all: usize) -> String {
    let required = match field.required.len() {
        0 => String::new(),
        some if some == field.events.len() => "yes".to_owned(),
        _ => format!("in {}", field.required.join(", ")),
    };
    let only = if field.events.len() < all {
        format!("only in {}. ", field.events.join(", "))
    } else {
        String::new()
    };
    let about = field.about.unwrap_or_default();
    format!(
        "| `{}` | {} | {required} | {only}{about} |\n",
        field.path, field.kind
    )
}

#[test]
fn the_page_of_the_docs_is_made_of_the_models() {
    made_page("docs/models.md", &page(), "models");
}

#[test]
fn models_are_listed_and_shown() {
    let folder = Folder::new();
    insta::assert_snapshot!("models_list", folder.rounds(&["models", "list"]).stdout);
    let shown = folder.rounds(&["models", "show", "Scheduling", "Reschedule"]);
    insta::assert_snapshot!("models_show", shown.stdout);
    let every = folder.rounds(&["models", "show", "Order", "--json"]).json();
    let fields = every["fields"].as_array().expect("a list");
    let of = |path: &str| {
        fields
            .iter()
            .find(|field| field["path"] == path)
            .expect("a field")
    };
    assert_eq!(
        of("Order.ID")["events"],
        serde_json::json!(["New", "Update", "Cancel"])
    );
    assert_eq!(
        of("Orders[].ID")["required"],
        serde_json::json!(["GroupedOrders"])
    );
}

#[test]
fn a_schema_is_json_and_what_there_is_not_is_said() {
    let folder = Folder::new();
    for flags in [
        &["models", "schema", "Results", "New"][..],
        &["models", "schema", "Results", "New", "--json"],
    ] {
        let schema = folder.rounds(flags).json();
        assert_eq!(schema["title"], "Results.New");
    }
    for (words, help) in [
        (
            ["models", "schema", "Result", "New"],
            "did you mean `Results`?",
        ),
        (
            ["models", "schema", "Results", "Newer"],
            "it has New, NewUnsolicited",
        ),
        (
            ["models", "show", "Results", "NewUnsolicted"],
            "did you mean `NewUnsolicited`?",
        ),
    ] {
        let said = folder.rounds(&words);
        assert_eq!(said.code, Some(64), "{}", said.whole());
        assert!(
            said.stderr.contains("R0722") && said.stderr.contains(help),
            "{}",
            said.whole()
        );
    }
}
