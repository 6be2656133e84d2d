//! Which secrets a plan needs.

use rounds_domain::plan::{
    Authentication, ClientProof, Connection, Destination, Grant, HeaderSource, OAuth2, Plan,
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
    let pushes = connection.receive.iter();
    found.extend(
        pushes
            .flat_map(|inbound| inbound.proof.secrets())
            .map(|(key, secret)| (format!("receive.{key}"), secret)),
    );
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
        Authentication::OAuth2(oauth2) => of_oauth2("auth.oauth2", oauth2),
        Authentication::Login(login) => {
            let mut found = of_headers("auth.login.headers", &login.headers);
            let kind = login.body.kind();
            let secrets = login.body.secrets().into_iter();
            found.extend(secrets.map(|secret| (format!("auth.login.{kind}"), secret)));
            found
        }
    }
}

fn of_oauth2<'p>(key: &str, oauth2: &'p OAuth2) -> Vec<(String, &'p SecretReference)> {
    let mut found = Vec::new();
    match &oauth2.grant {
        Grant::ClientCredentials => {}
        Grant::Password { password, .. } => found.push((format!("{key}.password"), password)),
        Grant::RefreshToken { first } => found.push((format!("{key}.refresh_token"), first)),
    }
    if let ClientProof::Basic(secret) | ClientProof::RawBasic(secret) | ClientProof::Post(secret) =
        &oauth2.client
    {
        found.push((format!("{key}.client_secret"), secret));
    }
    found
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
    if let Some(oauth2) = &destination.oauth2 {
        found.extend(of_oauth2("oauth2", oauth2));
    }
    if let Some(own) = &destination.client_certificate {
        let (certificate, key) = (&own.certificate, &own.private_key);
        found.push(("client_certificate.certificate".to_owned(), certificate));
        found.push(("client_certificate.private_key".to_owned(), key));
    }
    let authority = destination.certificate_authority.iter();
    found.extend(authority.map(|pem| ("certificate_authority".to_owned(), pem)));
    found.extend(of_headers("headers", &destination.headers));
    let named = found.into_iter().map(|(key, secret)| {
        (
            format!("destinations.{}.{key}", destination.name),
            secret.clone(),
        )
    });
    named.collect()
}
