//! What is sent along with a request, and what an answer means.

use crate::codes;
use crate::kinds::{
    BodyTree, Condition, LiteralText, MeaningWord, OneOrMany, Pairs, StatusText, TemplateText,
    Text, Wait,
};
use crate::reading::keys;

keys! {
    /// The body of a POST request.
    #[exactly_one(json, form, graphql, xml, text; codes::ONE_OF, "a body of no kind", "write one of these keys")]
    struct RequestBodyKeys = "RequestBody" {
        /// JSON. A text that begins with `=` is jq over what templates may use here; one that gives nothing leaves its member out.
        optional json: BodyTree = "{\"since\": \"= .cursor\"}",
        /// A form; a list repeats its field.
        optional form: Pairs<OneOrMany<TemplateText>> = "{\"_lastUpdated\": \"ge{{ cursor }}\"}",
        /// A GraphQL query. An answer with `errors` fails.
        optional graphql: GraphQlKeys,
        /// XML with placeholders, whose values are escaped. Its content type is `text/xml; charset=utf-8`.
        optional xml: TemplateText = "<Filter><From>{{ cursor }}</From></Filter>",
        /// Text with placeholders, whose values are escaped as `content_type` needs it: JSON, XML, form or not at all.
        optional text: TemplateText = "\"token={{ session }}\"",
        /// What `xml` or `text` is. Default for `text`: `text/plain; charset=utf-8`.
        optional content_type: Text = "application/json",
    }

    /// A GraphQL query.
    struct GraphQlKeys = "GraphQl" {
        /// Its text, sent as it is.
        required query: Text = "query ($since: String) { appointments(since: $since) { id } }",
        /// Its variables. A text that begins with `=` is jq over what templates may use here.
        optional variables: BodyTree = "{\"since\": \"= .cursor\"}",
    }

    /// What an answer means. All that is said of it must hold.
    struct AnswerKeys = "Answer" {
        /// Its status: a number, a class such as `4xx`, or a list of them. Default: any.
        optional status: OneOrMany<StatusText> = "4xx",
        /// Headers that must be there, with this text in their value; an empty text is in every value.
        optional headers: Pairs<LiteralText> = "{\"x-error\": \"quota\"}",
        /// A text that its body must hold.
        optional text: LiteralText = "Invalid session",
        /// jq over its body that must give true.
        optional body: Condition = ".error == \"quota\"",
        /// What it means: `ok`, `empty`, `throttled`, `auth_expired`, `needs_setup`, `unsupported`, `gone`, `retry` or `fatal`.
        required means: MeaningWord = "throttled",
        /// For `throttled`: how long to wait, or jq over the body that gives seconds or an instant. Default: as `Retry-After` says.
        optional after: Wait = "30s",
    }
}
