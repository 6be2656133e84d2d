//! What a server says of itself: its `CapabilityStatement` and its SMART configuration.

use rounds_map::{Json, JsonKind};
use std::collections::BTreeSet;

/// The part of a `CapabilityStatement` that matters for polling (FHIR R4, capabilitystatement).
#[derive(Debug, Clone)]
pub struct Statement {
    /// The software's name and version.
    pub software: Option<String>,
    /// Which FHIR.
    pub fhir_version: Option<String>,
    /// The resources.
    pub resources: Vec<ResourceStatement>,
    /// Where a Bulk export begins.
    pub exports: Vec<ExportLevel>,
}

/// What is said of one resource.
#[derive(Debug, Clone)]
pub struct ResourceStatement {
    /// Its type.
    pub resource: String,
    /// The names of its search parameters.
    pub parameters: BTreeSet<String>,
    /// Whether it has the interaction `history-type`.
    pub history: Said,
}

/// Whether something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// Where a Bulk export begins (Bulk Data Access 2.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportLevel {
    /// Everything.
    System,
    /// All patients.
    Patient,
    /// The patients of a group.
    Group,
}

impl Statement {
    /// Reads it; None where the body is no `CapabilityStatement`.
    pub(super) fn read(body: &Json) -> Option<Self> {
        if text(body, "resourceType")? != "CapabilityStatement" {
            return None;
        }
        let server =
            list(body, "rest").find(|rest| text(rest, "mode").as_deref() != Some("client"))?;
        let software = body.get("software").map(|software| {
            let name = text(&software, "name").unwrap_or_default();
            match text(&software, "version") {
                Some(version) => format!("{name} {version}"),
                None => name,
            }
        });
        let resources: Vec<ResourceStatement> = list(&server, "resource")
            .filter_map(|resource| {
                let codes = list(&resource, "interaction")
                    .filter_map(|interaction| text(&interaction, "code"));
                let has_history = codes.into_iter().any(|code| code == "history-type");
                Some(ResourceStatement {
                    resource: text(&resource, "type")?,
                    parameters: list(&resource, "searchParam")
                        .filter_map(|parameter| text(&parameter, "name"))
                        .collect(),
                    history: if has_history { Said::Yes } else { Said::No },
                })
            })
            .collect();
        let exports_at = |of: &Json| {
            list(of, "operation").any(|operation| {
                let name = text(&operation, "name").unwrap_or_default();
                let definition = text(&operation, "definition").unwrap_or_default();
                name.trim_start_matches('$').contains("export") || definition.contains("export")
            })
        };
        let mut exports = Vec::new();
        if exports_at(&server) {
            exports.push(ExportLevel::System);
        }
        for resource in list(&server, "resource").filter(exports_at) {
            match text(&resource, "type").as_deref() {
                Some("Patient") => exports.push(ExportLevel::Patient),
                Some("Group") => exports.push(ExportLevel::Group),
                _ => {}
            }
        }
        Some(Self {
            software,
            fhir_version: text(body, "fhirVersion"),
            resources,
            exports,
        })
    }

    /// What is said of a resource; None where it is not there.
    pub fn resource(&self, name: &str) -> Option<&ResourceStatement> {
        self.resources.iter().find(|known| known.resource == name)
    }
}

/// The part of a SMART configuration that matters for polling (SMART App Launch 2.2, 4).
#[derive(Debug, Clone)]
pub struct Smart {
    /// Where tokens are asked for.
    pub token_endpoint: Option<String>,
    /// How a client may prove who it is.
    pub methods: Vec<String>,
    /// With which signatures.
    pub algorithms: Vec<String>,
}

impl Smart {
    /// Reads it; None where the body is none.
    pub(super) fn read(body: &Json) -> Option<Self> {
        let texts = |key: &str| {
            list(body, key)
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        let smart = Self {
            token_endpoint: text(body, "token_endpoint"),
            methods: texts("token_endpoint_auth_methods_supported"),
            algorithms: texts("token_endpoint_auth_signing_alg_values_supported"),
        };
        (smart.token_endpoint.is_some() || !smart.methods.is_empty()).then_some(smart)
    }
}

fn text(of: &Json, key: &str) -> Option<String> {
    of.get(key)?.as_str().map(str::to_owned)
}

fn list(of: &Json, key: &str) -> impl Iterator<Item = Json> {
    let found: Vec<Json> = match of.get(key) {
        Some(list) if list.kind() == JsonKind::Array => list.items().collect(),
        _ => Vec::new(),
    };
    found.into_iter()
}
