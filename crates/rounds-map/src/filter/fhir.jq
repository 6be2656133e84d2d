# What whoever reads FHIR needs again and again. Sections are those of FHIR R4.

# What a FHIR search matched, without what it included and what it says of itself (R4, search, 3.1.1.9).
def fhir_matches: .entry[]? | select((.search.mode // "match") == "match") | .resource
  | select(. != null and .resourceType != "OperationOutcome");
# The id of the first reference to this type of resource, wherever it stands; null if there is none (R4, references, 2.3.0).
def fhir_reference($type): [.. | objects | .reference? | strings | select(startswith($type + "/") or contains("/" + $type + "/"))][0]
  | if . == null then null else split("/_history/")[0] | split("/")[-1] end;
# The resources of a FHIR history, the newest state of each first, and what was deleted as a tombstone (R4, http, 3.1.0.11).
def fhir_history: .entry[]? | select(.request != null) | . as $entry
  | (if .request.method == "DELETE" then (.request.url | split("?")[0] | split("/")) as $path
      | {resourceType: $path[-2], id: $path[-1], deleted: true,
         meta: {versionId: (($entry.response.etag // "") | ltrimstr("W/") | gsub("\""; "")), lastUpdated: $entry.response.lastModified}}
     else .resource end) | select(. != null);
# The id that a reference's text names (references, 2.3.0); null of null.
def fhir_id: if . == null then null else split("/_history/")[0] | split("/")[-1] end;
# Of names, telecoms or addresses the one that is used: official, usual, any that is not old (datatypes, 2.24.0.14).
def fhir_used: many | map(select(.use != "old")) | (map(select(.use == "official")) + map(select(.use == "usual")) + .)[0] // {};
# The first number or address of a system and a use (datatypes, 2.24.0.15).
def fhir_contact($system; $use): [.telecom | many | .[] | select(.system == $system and .use == $use) | .value][0];
# What a concept, or the first of several, says in words (datatypes, 2.24.0.5).
def fhir_words: (many[0] // {}) | .text // ([.coding | many | .[] | .display // empty][0]) // ([.coding | many | .[] | .code // empty][0]);
# The first code of a concept, or of the first of several.
def fhir_coding: (many[0] // {}) | (.coding | many)[0] // {};
# A code system as most people call it; others by their URL (terminologies-systems, 4.3.0).
def fhir_codeset: {"http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED-CT", "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10",
  "http://hl7.org/fhir/sid/icd-10": "ICD-10", "http://www.ama-assn.org/go/cpt": "CPT", "http://hl7.org/fhir/sid/cvx": "CVX",
  "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm", "http://hl7.org/fhir/sid/ndc": "NDC"}[. // ""] // .;
# The value of the first identifier whose type has this code (HL7 table 0203).
def fhir_identifier($type): [.identifier | many | .[] | select(any(.type.coding[]?; .code == $type)) | .value][0];
# An instant as seconds, whatever its zone and its parts of a second (datatypes, 2.24.0.1); null of what is less than that.
def fhir_seconds: if . == null then null else
  [capture("^(?<at>[0-9-]{10}T[0-9:]{8})([.][0-9]+)?(?<sign>[Z+-])((?<hours>[0-9]{2}):(?<minutes>[0-9]{2}))?$")][0]
  | if . == null then null else
      (.at + "Z" | fromdateiso8601) as $at
      | (((.hours // "0") | tonumber) * 3600 + ((.minutes // "0") | tonumber) * 60) as $offset
      | if .sign == "-" then $at + $offset else $at - $offset end
    end end;
# The minutes from one instant to another; null if one is not known.
def fhir_minutes($from; $to): ($from | fhir_seconds) as $a | ($to | fhir_seconds) as $b
  | if $a == null or $b == null then null else ($b - $a) / 60 | floor end;
# The National Provider Identifier (US Core).
def fhir_npi: [.identifier | many | .[] | select(.system == "http://hl7.org/fhir/sid/us-npi" or any(.type.coding[]?; .code == "NPI")) | .value][0];
# The value of an extension by its URL; of one inside of it by two.
def fhir_extension($url): [.extension | many | .[] | select(.url == $url)][0];
def fhir_extension($url; $inner): fhir_extension($url) | fhir_extension($inner);
# What an observation or a component of it found (observation, 10.1): a text, its kind, and its unit.
def fhir_found: if .valueQuantity != null then {text: (.valueQuantity | (.comparator // "") + (.value // "" | tostring)), kind: "quantity",
    unit: (.valueQuantity | .unit // .code)}
  elif .valueCodeableConcept != null then {text: (.valueCodeableConcept | fhir_words), kind: "concept"}
  elif .valueString != null then {text: .valueString, kind: "text"}
  elif .valueBoolean != null then {text: (.valueBoolean | tostring), kind: "text"}
  elif .valueInteger != null then {text: (.valueInteger | tostring), kind: "quantity"}
  elif .valueDateTime != null then {text: .valueDateTime, kind: "instant"}
  elif .valueTime != null then {text: .valueTime, kind: "time"}
  elif .valueRange != null then {text: (.valueRange | "\(.low.value // "")-\(.high.value // "")"), kind: "text", unit: (.valueRange | .low.unit // .high.unit)}
  elif .valueRatio != null then {text: (.valueRatio | "\(.numerator.value // ""):\(.denominator.value // "")"), kind: "text"}
  elif .dataAbsentReason != null then {text: (.dataAbsentReason | fhir_words), kind: "text"}
  else null end;
# An observation that found something, and its components that did, each as one.
def fhir_parts: . as $whole | (if fhir_found == null then empty else . end), (.component | many | .[] | select(fhir_found != null)
  | {status: $whole.status, effectiveDateTime: $whole.effectiveDateTime, effectivePeriod: $whole.effectivePeriod, issued: $whole.issued} + .);
