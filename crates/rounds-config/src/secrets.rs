//! Which secrets a plan needs.

use rounds_domain::plan::{
    Authentication, Connection, Destination, HeaderSource, Plan, SecretReference,
};

/// Every secret that the plan refers to, with where it is used, such as `connections.fakedata.auth.bearer`.
pub fn secret_references(plan: &Plan) -> Vec<(String, SecretReference)> {
    let connections = plan
        .connections
        .values()
        .filter_map(|connection| of_connection(connection));
    let destinations = plan
        .destinations
        .values()
        .flat_map(|destination| of_destination(destination));
    connections.chain(destinations).collect()
}

fn of_connection(connection: &Connection) -> Option<(String, SecretReference)> {
    let (key, reference) = match &connection.authentication {
        Authentication::None => return None,
        Authentication::Bearer(token) => ("bearer", token),
        Authentication::Basic { password, .. } => ("basic.password", password),
        Authentication::Header { value, .. } => ("header.value", value),
    };
    Some((
        format!("connections.{}.auth.{key}", connection.name),
        reference.clone(),
    ))
}

fn of_destination(destination: &Destination) -> Vec<(String, SecretReference)> {
    let mut found: Vec<(String, &SecretReference)> = Vec::new();
    match destination.signing_secrets.as_slice() {
        [one] => found.push(("signing_secret".to_owned(), one)),
        several => {
            let numbered = several.iter().enumerate();
            found.extend(
                numbered.map(|(index, secret)| (format!("signing_secret[{index}]"), secret)),
            );
        }
    }
    found.extend(
        destination
            .verification_token
            .iter()
            .map(|token| ("verification_token".to_owned(), token)),
    );
    found.extend(
        destination
            .bearer
            .iter()
            .map(|token| ("bearer".to_owned(), token)),
    );
    for (name, source) in &destination.headers {
        if let HeaderSource::Secret(secret) = source {
            found.push((format!("headers.{name}"), secret));
        }
    }
    let named = found.into_iter().map(|(key, secret)| {
        (
            format!("destinations.{}.{key}", destination.name),
            secret.clone(),
        )
    });
    named.collect()
}
