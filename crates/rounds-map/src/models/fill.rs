//! Laying a body over a model.

use super::check::{self, META, Stage};
use super::{
    Field, Filling, Meta, Model, ModelErrors, Party, Shape, SourceTimes, Traffic, formats,
};
use crate::{Body, Json, JsonKind};

pub(super) fn fill(
    model: &Model,
    event: &str,
    body: &Json,
    meta: &Meta,
    times: SourceTimes<'_>,
) -> Result<Json, ModelErrors> {
    let body = with_meta(body, &meta_of(model, event, meta));
    let (body, mut errors) = formats::formed(model, Some(event), &body, times);
    errors.extend(check::check(
        model,
        event,
        &Body::Literal(body.clone()),
        Stage::Rendered,
    ));
    if errors.is_empty() {
        Ok(object(&model.root, event, &body))
    } else {
        Err(ModelErrors(errors))
    }
}

fn meta_of(model: &Model, event: &str, meta: &Meta) -> Json {
    let text = |text: &Option<String>| text.as_ref().map_or_else(Json::null, Json::string);
    let party =
        |party: &Party| Json::object([("ID", text(&party.id)), ("Name", text(&party.name))]);
    let log = Json::object([
        ("ID", Json::string(&meta.log_id)),
        ("AttemptID", text(&meta.attempt_id)),
    ]);
    Json::object([
        ("DataModel", Json::string(model.name)),
        ("EventType", Json::string(event)),
        ("EventDateTime", Json::string(&meta.event_date_time)),
        ("Test", Json::boolean(meta.traffic == Traffic::Test)),
        ("Source", party(&meta.source)),
        (
            "Destinations",
            Json::array(meta.destinations.iter().map(party)),
        ),
        ("Logs", Json::array([log])),
    ])
}

/// `body` with the members of `meta` in its `Meta`, except those that it has itself.
fn with_meta(body: &Json, meta: &Json) -> Json {
    let fits = |value: &Json| matches!(value.kind(), JsonKind::Object | JsonKind::Null);
    let own = body.get(META).unwrap_or_else(Json::null);
    if !fits(body) || !fits(&own) {
        // Reported when the whole is checked.
        return body.clone();
    }
    let merged: Vec<(&str, Json)> = meta.members().chain(own.members()).collect();
    Json::object(body.members().chain([(META, Json::object(merged))]))
}

/// The members of `value`, which is of the model's shape, in the model's order, and all that is missing.
fn object(fields: &[Field], event: &str, value: &Json) -> Json {
    let present = fields.iter().filter(|field| field.present.hold(event));
    Json::object(present.filter_map(|field| {
        let given = value.get(field.name);
        let wanted = field.filling == Filling::Always || given.is_some();
        wanted.then(|| {
            (
                field.name,
                member(field, event, &given.unwrap_or_else(Json::null)),
            )
        })
    }))
}

fn member(field: &Field, event: &str, value: &Json) -> Json {
    match &field.shape {
        Shape::Object(fields) => object(fields, event, value),
        Shape::ListOfAny | Shape::ListOfObjects(_) if value.is_null() => Json::array([]),
        Shape::Scalar(_) | Shape::ListOfAny => value.clone(),
        Shape::ListOfObjects(fields) => Json::array(
            value
                .items()
                .map(|item| object(fields, event, &item))
                .collect::<Vec<_>>(),
        ),
    }
}
