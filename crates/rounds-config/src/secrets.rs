//! Which secrets a plan needs.

use rounds_domain::plan::{
    Authentication, ClientProof, Connection, Destination, Grant, HeaderSource, Plan,
    SecretReference,
};

/// Every secret that the plan refers to, with where it is used, such as `connections.fakedata.auth.bearer`.
pub fn secret_references(plan: &Plan) -> Vec<(String, SecretReference)> {
    let connections = plan
        .connections
        .values()
        .flat_map(|connection| of_connection(connection));
    let destinations = plan
        .destinations
        .values()
        .flat_map(|destination| of_destination(destination));
    connections.chain(destinations).collect()
}

fn of_connection(connection: &Connection) -> Vec<(String, SecretReference)> {
    let mut found = of_authentication(&connection.authentication);
    found.extend(of_headers("headers", &connection.headers));
    let in_bodies = connection.secrets.iter();
    found.extend(in_bodies.map(|(name, secret)| (format!("secrets.{name}"), secret)));
    let named = found.into_iter().map(|(key, secret)| {
        (
            format!("connections.{}.{key}", connection.name),
            secret.clone(),
        )
    });
    named.collect()
}

fn of_authentication(authentication: &Authentication) -> Vec<(String, &SecretReference)> {
    let one = |key: &str, secret| vec![(format!("auth.{key}"), secret)];
    match authentication {
        Authentication::None => Vec::new(),
        Authentication::Bearer(token) => one("bearer", token),
        Authentication::Basic { password, .. } => one("basic.password", password),
        Authentication::Header { value, .. } => one("header.value", value),
        Authentication::Query { value, .. } => one("query.value", value),
        Authentication::SmartBackend(smart) => one("smart_backend.private_key", &smart.private_key),
        Authentication::OAuth2(oauth2) => {
            let mut found = match &oauth2.grant {
                Grant::ClientCredentials => Vec::new(),
                Grant::Password { password, .. } => one("oauth2.password", password),
                Grant::RefreshToken { first } => one("oauth2.refresh_token", first),
            };
            if let ClientProof::Basic(secret)
            | ClientProof::RawBasic(secret)
            | ClientProof::Post(secret) = &oauth2.client
            {
                found.extend(one("oauth2.client_secret", secret));
            }
            found
        }
        Authentication::Login(login) => {
            let mut found = of_headers("auth.login.headers", &login.headers);
            let kind = login.body.kind();
            let secrets = login.body.secrets().into_iter();
            found.extend(secrets.map(|secret| (format!("auth.login.{kind}"), secret)));
            found
        }
    }
}

fn of_headers<'p>(
    key: &str,
    headers: &'p [(http::HeaderName, HeaderSource)],
) -> Vec<(String, &'p SecretReference)> {
    let secrets = headers.iter().filter_map(|(name, source)| match source {
        HeaderSource::Secret(secret) => Some((format!("{key}.{name}"), secret)),
        HeaderSource::Literal(_) => None,
    });
    secrets.collect()
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
    found.extend(of_headers("headers", &destination.headers));
    let named = found.into_iter().map(|(key, secret)| {
        (
            format!("destinations.{}.{key}", destination.name),
            secret.clone(),
        )
    });
    named.collect()
}
