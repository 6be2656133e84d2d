//! The files that are compiled in: connectors and maps. A place in one of them is counted behind the user's own files.

macro_rules! built_in {
    ($($folder:literal: $($name:literal)+;)+) => {
        /// The path of each built-in file, with its text.
        pub(crate) const BUILT_IN: &[(&str, &str)] = &[
            $($((
                concat!($folder, "/", $name, ".yaml"),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $folder, "/", $name, ".yaml")),
            )),+),+
        ];
    };
}

built_in! {
    "connectors":
        "advancedmd" "athenahealth" "canvas" "cliniko" "dhis2" "dicomweb" "drchrono" "eclinicalworks"
        "elation" "epic" "fhir-r4" "healthie" "medplum" "modmed" "nextech" "open-dental"
        "openemr" "openmrs" "oracle-health" "orthanc" "tebra";
    "maps":
        "athenahealth/demographics" "athenahealth/patient" "athenahealth/scheduling"
        "cliniko/demographics" "cliniko/patient" "cliniko/scheduling"
        "drchrono/demographics" "drchrono/patient" "drchrono/scheduling"
        "fhir-r4/demographics" "fhir-r4/flowsheet" "fhir-r4/notes" "fhir-r4/order" "fhir-r4/patient"
        "fhir-r4/results" "fhir-r4/scheduling" "fhir-r4/visit"
        "open-dental/demographics" "open-dental/patient" "open-dental/scheduling"
        "us/visit-time";
}

/// The folder of connectors.
pub(crate) const CONNECTORS: &str = "connectors/";
/// The folder of maps.
pub(crate) const MAPS: &str = "maps/";

/// The files of a folder: the number of each among all, and its name, which is its path there without `.yaml`.
pub(crate) fn files_of(folder: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    BUILT_IN
        .iter()
        .enumerate()
        .filter_map(move |(number, (path, _))| {
            let name = path.strip_prefix(folder)?.strip_suffix(".yaml")?;
            Some((number, name))
        })
}
